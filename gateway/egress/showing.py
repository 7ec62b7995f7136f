"""Attempts to show texts that grow: natively, or as a message that is posted and then edited."""

from __future__ import annotations

from typing import assert_never

from gateway.core.capabilities import Ability
from gateway.core.deliveries import Delivered, Delivery, Outcome
from gateway.core.errors import SendError
from gateway.core.ids import MessageId, TenantId
from gateway.core.messages import (
    MessageEdit,
    OutboundMessage,
    SentMessage,
    SentRef,
    StreamFinish,
    StreamFlush,
    StreamStart,
)
from gateway.core.ports import Edits, Streams
from gateway.egress.access import Door
from gateway.egress.composing import PLACEHOLDER, rendered
from gateway.egress.looking import LookUp, Tally
from gateway.store.ledger import Ledger, MessageState
from gateway.store.streams import Progress, StreamTexts

UNSHOWN = Delivered(quiet=True)
"""How a preview ends, whatever became of it."""


class Showing:
    """Begins, shows and ends streams. Only how one ends must arrive."""

    def __init__(self, ledger: Ledger, texts: StreamTexts, tally: Tally) -> None:
        self._ledger = ledger
        self._texts = texts
        self._tally = tally
        self._look_up = LookUp(tally)

    async def __call__(
        self, act: StreamStart | StreamFlush | StreamFinish, delivery: Delivery, door: Door
    ) -> Outcome:
        """Do one act. Raises SendError, StoreError."""
        match act:
            case StreamStart():
                return await self._start(act, delivery, door)
            case StreamFlush():
                return await self._flush(act, delivery, door)
            case StreamFinish():
                return await self._finish(act, delivery, door)
            case _:
                assert_never(act)

    async def wants(self, flush: StreamFlush, delivery: Delivery) -> bool:
        """Whether anybody still waits for a preview of it. Raises StoreError."""
        return await self._is_open(delivery.tenant, flush.target)

    async def _start(self, start: StreamStart, delivery: Delivery, door: Door) -> Outcome:
        if not isinstance(door.outlet.sender, Streams | Edits):
            # What is begun here could not be gone on with: the end is posted, whole.
            return Delivered(degraded=Ability.STREAMS)
        if delivery.uncertain:
            found = await self._look_up.message(_as_post(start, ""), door)
            if found is not None:
                return Delivered(receipt=found.id)
        progress = await self._texts.read(delivery.tenant, start.id)
        if progress.closed or not await self._is_open(delivery.tenant, start.id):
            # Its end waits in the lane already, and posts all of it at once.
            return Delivered()
        await self._texts.register(delivery.tenant, start.id)
        sent = await self._begin(start, progress, door)
        self._tally(start, "sent")
        await self._texts.shown(delivery.tenant, start.id, progress)
        return Delivered(receipt=sent.id, degraded=sent.degraded or "")

    async def _begin(self, start: StreamStart, progress: Progress, door: Door) -> SentMessage:
        sender = door.outlet.sender
        if isinstance(sender, Streams):
            return await sender.start(start, progress.text, door.credential)
        text = await _preview(progress, door)
        return await sender.send(_as_post(start, text), door.credential)

    async def _flush(self, flush: StreamFlush, delivery: Delivery, door: Door) -> Outcome:
        progress = await self._texts.read(delivery.tenant, flush.target)
        if progress.closed or not progress.stale:
            return UNSHOWN
        sent = await self._ledger.sent(delivery.tenant, flush.target, 1)
        if sent is None or sent.id is None:
            return UNSHOWN
        ref = SentRef(conversation=flush.conversation, id=sent.id)
        try:
            if await self._show(flush, progress, ref, door):
                await self._texts.shown(delivery.tenant, flush.target, progress)
                self._tally(flush, "sent")
        except SendError:
            # Nobody knows what can be seen of it: what is added now could stand there twice.
            await self._texts.spoilt(delivery.tenant, flush.target)
            raise
        return UNSHOWN

    async def _show(self, flush: StreamFlush, progress: Progress, ref: SentRef, door: Door) -> bool:
        sender = door.outlet.sender
        if isinstance(sender, Streams):
            if progress.rewritten:
                return False
            await sender.append(ref, progress.text[progress.shown :], door.credential)
            return True
        if isinstance(sender, Edits):
            text = await _preview(progress, door)
            edit = MessageEdit(
                id=flush.id,
                conversation=flush.conversation,
                target=flush.target,
                target_part=1,
                text=text,
            )
            await sender.edit(edit, ref, door.credential)
            return True
        return False

    async def _finish(self, finish: StreamFinish, delivery: Delivery, door: Door) -> Outcome:
        sent_id = await self._begun(finish, delivery, door)
        sender = door.outlet.sender
        if sent_id is None:
            post = _as_post(finish, finish.text, finish)
            sent = await sender.send(post, door.credential)
            self._tally(finish, "sent")
            return Delivered(receipt=sent.id, degraded=sent.degraded or "")
        ref = SentRef(conversation=finish.conversation, id=sent_id)
        if isinstance(sender, Streams):
            sent = await sender.finish(finish, ref, door.credential)
        elif isinstance(sender, Edits):
            sent = await sender.edit(_as_edit(finish), ref, door.credential)
        else:
            return Delivered(receipt=sent_id, degraded=Ability.STREAMS)
        self._tally(finish, "sent")
        return Delivered(receipt=sent.id, degraded=sent.degraded or "")

    async def _begun(self, finish: StreamFinish, delivery: Delivery, door: Door) -> str | None:
        sent = await self._ledger.sent(delivery.tenant, finish.id, 1)
        if sent is not None and sent.id is not None:
            return sent.id
        if delivery.uncertain or sent is None or sent.state is MessageState.UNKNOWN:
            found = await self._look_up.message(_as_post(finish, finish.text), door)
            return None if found is None else found.id
        return None

    async def _is_open(self, tenant: TenantId, stream: MessageId) -> bool:
        known = await self._ledger.known(tenant, stream)
        return known is not None and known.shape.streaming


async def _preview(progress: Progress, door: Door) -> str:
    # The first part alone: what does not fit there is seen at the end.
    texts = await rendered(door.outlet.render, progress.text)
    return texts[0] if texts else PLACEHOLDER


def _as_post(
    act: StreamStart | StreamFinish, text: str, whole: StreamFinish | None = None
) -> OutboundMessage:
    """Start and end have one marker: whichever of them was posted is found by it."""
    return OutboundMessage(
        id=act.id,
        conversation=act.conversation,
        part=act.part,
        parts=act.parts,
        text=text,
        created_at=act.created_at,
        components=whole.components if whole else (),
        raw=whole.raw if whole else None,
    )


def _as_edit(finish: StreamFinish) -> MessageEdit:
    return MessageEdit(
        id=finish.id,
        conversation=finish.conversation,
        target=finish.id,
        target_part=finish.part,
        text=finish.text,
        components=finish.components,
        raw=finish.raw,
    )
