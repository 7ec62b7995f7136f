"""Lets messages grow on platforms where they can, one after the other when a text outlives or
outgrows one. Where none can grow, or nobody knows any more what is seen, it is posted and edited.

All that must survive a crash between two calls is noted before them: at any moment it can be read
how a stream stands, and what may have been done to it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from gateway.core.clock import unix_ms
from gateway.core.errors import SendError, StreamEndedError
from gateway.core.events import InboundEvent
from gateway.core.ids import MessageId, TenantId
from gateway.core.messages import MessageEdit, SentRef, StreamFinish
from gateway.core.ports import Edits
from gateway.core.streaming import Streams
from gateway.egress.beginning import Beginning, Stream, preview_of, texts_of
from gateway.egress.composing import PLACEHOLDER
from gateway.egress.looking import Tally
from gateway.egress.segments import cut
from gateway.store.ledger import Ledger
from gateway.store.streams import Before, Standing, StreamTexts

Stopped = Callable[[TenantId, MessageId, InboundEvent], Awaitable[None]]
"""Told of a stream that a user ended. Raises StoreError, QueueFullError: then it is told again."""

_LEAST_CHARS: Final = 200
"""Of a message that is cut smaller, because it became too long by what its markup needs."""


class Growing:
    """Shows more of a text."""

    def __init__(
        self,
        ledger: Ledger,
        texts: StreamTexts,
        begin: Beginning,
        tally: Tally,
        stopped: Stopped,
        now_ms: Callable[[], int] = unix_ms,
    ) -> None:
        self._ledger = ledger
        self._texts = texts
        self._begin = begin
        self._tally = tally
        self._stopped = stopped
        self._now_ms = now_ms
        self._in_doubt: set[MessageId] = set()

    async def grow(self, stream: Stream, standing: Standing, *, doubt: bool) -> bool:
        """Show more of it; whether there is still more to show. With `doubt`, an earlier attempt
        may have shown something. Raises SendError, StoreError, QueueFullError.
        """
        if standing.stopped:
            return await self._stop(stream, standing)
        try:
            return await self._grow(stream, standing, doubt=doubt)
        except StreamEndedError as exc:
            if exc.by_user:
                return await self._stop(stream, standing)
            raise

    async def make_way(self, stream: Stream, standing: Standing, part: int) -> Standing:
        """End what grows, or has no end yet, besides message number `part`. Raises SendError."""
        standing = await self._close(stream, standing)
        if standing.part == part or not (standing.grows and standing.id):
            return standing
        # It will be removed, and what grows might refuse that.
        return await self._settled(stream, standing, [])

    async def tell(self, stream: Stream, ref: SentRef, standing: Standing | None) -> None:
        """Tell the agent that a user ended it. Raises StoreError, QueueFullError."""
        sender = stream.door.outlet.sender
        if isinstance(sender, Streams):
            event = sender.stopped(ref, standing.recipient if standing else None)
            await self._stopped(stream.tenant, stream.id, event)

    async def _close(self, stream: Stream, standing: Standing) -> Standing:
        """Give the message before this one its end, if it has not got it."""
        before = standing.before
        if before is None:
            return standing
        texts = await texts_of(stream, before.base, standing.base)
        await self._set(stream, before.id, before.part, texts)
        closed = msgspec.structs.replace(standing, before=None)
        await self._texts.stand(stream.tenant, stream.id, closed)
        return closed

    async def _grow(self, stream: Stream, standing: Standing, *, doubt: bool) -> bool:
        sender, progress = stream.door.outlet.sender, stream.progress
        standing = await self._close(stream, standing)
        if not standing.id:
            return await self._go_on(stream, standing)
        if not standing.grows or not isinstance(sender, Streams):
            await self._edit(stream, standing)
            return False
        if doubt or standing.doubt or stream.id in self._in_doubt:
            await self._settle_down(stream, standing)
            self._in_doubt.discard(stream.id)
            return False
        if progress.rewritten or standing.shown == len(progress.text):
            # What is seen cannot be taken back: it waits for the end.
            return False
        is_old = self._now_ms() - standing.began_ms >= sender.stream_lasts_s * 1000
        is_long = len(progress.text) - standing.base > sender.stream_chars
        if (is_old or is_long) and standing.shown > standing.base:
            return await self._roll(stream, standing, sender)
        if is_old:
            await self._settle_down(stream, standing)
            return False
        await self._append(stream, standing, sender)
        return is_long

    async def _go_on(self, stream: Stream, standing: Standing) -> bool:
        found = await self._begin.found(stream, standing) if standing.attempted else None
        begun = found or await self._begin(stream, standing)
        if begun is None:
            # Not even by edits: its end is posted.
            return False
        return begun.doubt or (begun.grows and begun.shown < len(stream.progress.text))

    async def _append(self, stream: Stream, standing: Standing, sender: Streams) -> None:
        upto = min(len(stream.progress.text), standing.base + sender.stream_chars)
        text = stream.progress.text[standing.shown : upto]
        ref = SentRef(conversation=stream.conversation, id=standing.id)
        # Until it is noted: what is shown and cannot be noted would be shown again.
        self._in_doubt.add(stream.id)
        try:
            await sender.append(ref, text, stream.door.credential)
        except StreamEndedError as exc:
            self._in_doubt.discard(stream.id)
            if exc.by_user:
                raise
            return await self._settle_down(stream, standing)
        except SendError as exc:
            if exc.ambiguous or exc.permanent:
                # What is added now could stand there twice, or is refused for ever.
                doubtful = msgspec.structs.replace(standing, doubt=True)
                await self._texts.stand(stream.tenant, stream.id, doubtful)
            self._in_doubt.discard(stream.id)
            raise
        longer = msgspec.structs.replace(standing, shown=upto)
        await self._texts.stand(stream.tenant, stream.id, longer)
        self._in_doubt.discard(stream.id)
        self._tally(stream.act, "sent")
        return None

    async def _roll(self, stream: Stream, standing: Standing, sender: Streams) -> bool:
        """End this message and go on in another. What is cut off of this one stands in that."""
        at = await _seam(stream, standing.base, sender.stream_chars)
        known = await self._ledger.known(stream.tenant, stream.id)
        if at is None or known is None:
            return False
        following = Standing(
            part=known.shape.last + 1,
            base=at,
            shown=at,
            asked_ms=self._now_ms(),
            before=Before(part=standing.part, id=standing.id, base=standing.base),
            recipient=standing.recipient,
        )
        if not await self._texts.roll(stream.tenant, stream.id, known, following):
            return False
        return await self._grow(stream, following, doubt=False)

    async def _settle_down(self, stream: Stream, standing: Standing) -> None:
        """Set what is seen anew, and edit it from now on."""
        await self._settled(stream, standing, await texts_of(stream, standing.base))
        await self._texts.shown(stream.tenant, stream.id, stream.progress)

    async def _settled(self, stream: Stream, standing: Standing, texts: list[str]) -> Standing:
        await self._set(stream, standing.id, standing.part, texts)
        settled = msgspec.structs.replace(standing, grows=False, doubt=False)
        await self._texts.stand(stream.tenant, stream.id, settled)
        return settled

    async def _edit(self, stream: Stream, standing: Standing) -> None:
        sender = stream.door.outlet.sender
        if not stream.progress.stale or not isinstance(sender, Edits):
            return
        edit = MessageEdit(
            id=stream.act.id,
            conversation=stream.conversation,
            target=stream.id,
            target_part=standing.part,
            text=await preview_of(stream, standing),
            is_preview=True,
        )
        ref = SentRef(conversation=edit.conversation, id=standing.id)
        await sender.edit(edit, ref, stream.door.credential)
        await self._texts.shown(stream.tenant, stream.id, stream.progress)
        self._tally(stream.act, "sent")

    async def _set(self, stream: Stream, sent_id: str, part: int, texts: list[str]) -> None:
        sender = stream.door.outlet.sender
        if isinstance(sender, Streams):
            finish = StreamFinish(
                id=stream.id,
                conversation=stream.conversation,
                part=part,
                text=texts[0] if texts else PLACEHOLDER,
            )
            ref = SentRef(conversation=stream.conversation, id=sent_id)
            await sender.finish(finish, ref, stream.door.hand_out)

    async def _stop(self, stream: Stream, standing: Standing) -> bool:
        stopped = msgspec.structs.replace(standing, stopped=True)
        await self._texts.stand(stream.tenant, stream.id, stopped)
        await self.tell(stream, SentRef(conversation=stream.conversation, id=standing.id), stopped)
        return False


async def _seam(stream: Stream, start: int, most: int) -> int | None:
    """Find where the message that begins at `start` may end: it is one when rendered, and something
    is left for the next. None when there is no such place.
    """
    text = stream.progress.text
    end = min(start + most, len(text.rstrip()) - 1)
    while end > start:
        at = cut(text, start, end)
        parts = len(await texts_of(stream, start, at))
        if parts == 1:
            return at
        if parts == 0 or at - start < _LEAST_CHARS:
            return None
        end = start + (at - start) // 2
    return None
