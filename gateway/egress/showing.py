"""Attempts to show texts that grow. Only how one ends must arrive."""

from __future__ import annotations

from datetime import datetime
from typing import Final, assert_never

from gateway.core.capabilities import Ability
from gateway.core.clock import unix_ms
from gateway.core.deliveries import Deferred, Delivered, Delivery, Outcome, Reason
from gateway.core.errors import QueueFullError, StreamEndedError
from gateway.core.ids import MessageId, TenantId
from gateway.core.messages import (
    MessageEdit,
    SentRef,
    StreamFinish,
    StreamFlush,
    StreamStart,
)
from gateway.core.ports import Edits
from gateway.core.streaming import Streams
from gateway.egress.access import Door
from gateway.egress.beginning import Beginning, Stream
from gateway.egress.growing import Growing, Stopped
from gateway.egress.looking import LookUp, Tally, as_post
from gateway.store.ledger import Ledger, MessageState
from gateway.store.streams import Standing, StreamTexts

UNSHOWN = Delivered(quiet=True)
"""How a preview ends, whatever became of it."""

MORE_AFTER_S: Final = 1.0
"""When there is more to be shown than one call could, or somebody to be told again."""


class Showing:
    """Begins, shows and ends streams."""

    def __init__(self, ledger: Ledger, texts: StreamTexts, tally: Tally, stopped: Stopped) -> None:
        self._ledger = ledger
        self._texts = texts
        self._tally = tally
        self._begin = Beginning(texts, LookUp(tally))
        self._growing = Growing(ledger, texts, self._begin, tally, stopped)

    async def __call__(
        self, act: StreamStart | StreamFlush | StreamFinish, delivery: Delivery, door: Door
    ) -> Outcome:
        """Do one act. Raises SendError, StoreError."""
        try:
            return await self._done(act, delivery, door)
        except QueueFullError:
            # A user stopped it, and the agent cannot be told so before its queue has room.
            return Deferred(reason=Reason.AGENT_BUSY, after_s=MORE_AFTER_S)

    async def _done(
        self, act: StreamStart | StreamFlush | StreamFinish, delivery: Delivery, door: Door
    ) -> Outcome:
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
        progress = await self._texts.read(delivery.tenant, start.id)
        asked = Standing(asked_ms=_ms(start.created_at), recipient=start.recipient)
        standing = progress.standing or asked
        stream = Stream(delivery.tenant, start.id, start, progress, door)
        if delivery.uncertain and (found := await self._begin.found(stream, standing)):
            return Delivered(receipt=found.id)
        if progress.closed or not await self._is_open(delivery.tenant, start.id):
            # Its end waits in the lane already, and posts all of it at once.
            return Delivered()
        await self._texts.register(delivery.tenant, start.id)
        begun = await self._begin(stream, standing)
        if begun is None:
            return Delivered(degraded=Ability.STREAMS)
        self._tally(start, "sent")
        return Delivered(receipt=begun.id)

    async def _flush(self, flush: StreamFlush, delivery: Delivery, door: Door) -> Outcome:
        progress = await self._texts.read(delivery.tenant, flush.target)
        standing = progress.standing
        if progress.closed or standing is None or not (standing.id or standing.part > 1):
            return UNSHOWN
        stream = Stream(delivery.tenant, flush.target, flush, progress, door)
        if await self._growing.grow(stream, standing, doubt=delivery.uncertain):
            return Deferred(reason=Reason.PLATFORM_RATE_LIMITED, after_s=MORE_AFTER_S)
        return UNSHOWN

    async def _finish(self, finish: StreamFinish, delivery: Delivery, door: Door) -> Outcome:
        progress = await self._texts.read(delivery.tenant, finish.id)
        stream = Stream(delivery.tenant, finish.id, finish, progress, door)
        standing = progress.standing
        if standing is not None and not standing.stopped:
            standing = await self._growing.make_way(stream, standing, finish.part)
            if standing.attempted and standing.part == finish.part:
                standing = await self._begin.found(stream, standing) or standing
        sent_id = await self._begun(stream, finish, delivery, standing)
        if sent_id is not None and standing is not None and standing.stopped:
            # A user wants to see no more of it.
            outcome = Delivered(receipt=sent_id)
        elif sent_id is None:
            sent = await door.outlet.sender.send(as_post(finish, finish.text), door.credential)
            outcome = Delivered(receipt=sent.id, degraded=sent.degraded or "")
        else:
            outcome = await self._end(stream, finish, standing, sent_id)
        self._tally(finish, "sent")
        await self._texts.drop(delivery.tenant, finish.id)
        return outcome

    async def _end(
        self, stream: Stream, finish: StreamFinish, standing: Standing | None, sent_id: str
    ) -> Delivered:
        door, sender = stream.door, stream.door.outlet.sender
        ref = SentRef(conversation=finish.conversation, id=sent_id)
        if isinstance(sender, Streams) and _may_grow(standing, finish.part):
            try:
                sent = await sender.finish(finish, ref, door.hand_out)
            except StreamEndedError:
                await self._growing.tell(stream, ref, standing)
                return Delivered(receipt=sent_id)
        elif isinstance(sender, Edits):
            sent = await sender.edit(_as_edit(finish), ref, door.credential)
        else:
            return Delivered(receipt=sent_id, degraded=Ability.STREAMS)
        return Delivered(receipt=sent.id, degraded=sent.degraded or "")

    async def _begun(
        self, stream: Stream, finish: StreamFinish, delivery: Delivery, standing: Standing | None
    ) -> str | None:
        """Find the message that is to be ended; None when it was never begun."""
        doubt = delivery.uncertain
        asked = Standing(part=finish.part, asked_ms=_ms(finish.created_at))
        if standing is not None and standing.part == finish.part:
            if standing.id:
                return standing.id
            asked = standing
        else:
            sent = await self._ledger.sent(stream.tenant, finish.id, finish.part)
            if sent is not None and sent.id is not None:
                return sent.id
            doubt = doubt or sent is None or sent.state is MessageState.UNKNOWN
        found = await self._begin.looked_up(stream, asked) if doubt else None
        return None if found is None else found.id

    async def _is_open(self, tenant: TenantId, stream: MessageId) -> bool:
        known = await self._ledger.known(tenant, stream)
        return known is not None and known.shape.streaming


def _may_grow(standing: Standing | None, part: int) -> bool:
    return standing is None or (standing.part == part and standing.grows)


def _ms(moment: datetime | None) -> int:
    return unix_ms() if moment is None else round(moment.timestamp() * 1000)


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
