"""Messages whose text grows: open, append, finish, abort."""

from __future__ import annotations

from gateway.core.audit import AuditAction
from gateway.core.clock import utc_now
from gateway.core.conversations import parse_conversation_id
from gateway.core.ids import MessageId, TenantId, new_message_id
from gateway.core.messages import Act, StreamFlush, StreamStart
from gateway.egress.acceptance import Acceptance, Order, Ticket, ticket
from gateway.egress.access import Access, Place
from gateway.egress.changes import removal
from gateway.egress.composing import Composed, Composer
from gateway.egress.requests import Appended, Content, Refusal, Submitted
from gateway.store import ledger_changes
from gateway.store.ledger import Known, Ledger
from gateway.store.ledger_changes import LedgerChange, Shape
from gateway.store.streams import Growth, StreamTexts

_WHY_NOT = {
    "closed": Refusal.STREAM_CLOSED,
    "long": Refusal.TOO_LONG,
    "elsewhere": Refusal.OFFSET_MISMATCH,
}
_OPEN = Shape(texts=(1,), last=1, streaming=True)


class Streaming:
    """Takes what agents ask of streams; the egress worker shows it."""

    def __init__(
        self,
        access: Access,
        ledger: Ledger,
        texts: StreamTexts,
        compose: Composer,
        accept: Acceptance,
    ) -> None:
        self._access = access
        self._ledger = ledger
        self._texts = texts
        self._compose = compose
        self._accept = accept

    async def open(
        self, tenant: TenantId, conversation: str, recipient: str | None, idempotency_key: str
    ) -> Submitted | Refusal:
        """Begin a message. Raises StoreError, QueueFullError: then nothing was stored."""
        place = await self._access.place(tenant, conversation)
        if place is None:
            return Refusal.UNKNOWN_CONVERSATION
        wanted = ticket(tenant, idempotency_key, "stream", place.ref.id, recipient)
        stored = await self._accept(wanted, place, _start_order(place, recipient))
        # A new message is built upon nothing that could have changed.
        return stored or Refusal.UNKNOWN_MESSAGE

    async def append(
        self,
        tenant: TenantId,
        stream: MessageId,
        *,
        text: str | None = None,
        delta: str | None = None,
        offset: int = 0,
    ) -> Appended | Refusal:
        """Let the text grow: by its full `text` so far, or by a `delta` that begins at character
        `offset`, which makes a repeat harmless. Raises StoreError, QueueFullError.
        """
        known = await self._ledger.known(tenant, stream)
        if known is None:
            return await self._absent(tenant, stream)
        if not known.shape.streaming:
            return Refusal.STREAM_CLOSED
        growth = Growth(delta or "", offset) if text is None else Growth(text)
        flush = StreamFlush(
            id=new_message_id(),
            conversation=parse_conversation_id(known.conversation),
            target=stream,
        )
        grown = await self._texts.append(tenant, known, growth, flush)
        return Appended(length=grown) if isinstance(grown, int) else _WHY_NOT[grown]

    async def finish(
        self, tenant: TenantId, stream: MessageId, content: Content | None, idempotency_key: str
    ) -> Submitted | Refusal:
        """End with `content`; without a text of its own, with the text so far. One that has nothing
        to show is removed. Raises StoreError, QueueFullError.
        """
        wanted = ticket(tenant, idempotency_key, "finish", stream, content)
        found = await self._open_one(wanted, stream)
        if not isinstance(found, tuple):
            return found
        known, place = found
        content = content or Content()
        if not await self._compose.knows(tenant, content.files):
            # Before it is closed: the agent may still finish it with something else.
            return Refusal.UNKNOWN_FILE
        text = await self._texts.close(tenant, stream)
        whole = _whole(content, text)
        composed = await self._compose(tenant, place.outlet.render, whole)
        if isinstance(composed, Refusal):
            order = removal(stream, known, place)
        else:
            order = _finish_order(stream, known, place, composed)
        return await self._end(wanted, place, order, stream)

    async def abort(
        self, tenant: TenantId, stream: MessageId, idempotency_key: str
    ) -> Submitted | Refusal:
        """End, and remove what was shown. Raises StoreError, QueueFullError."""
        wanted = ticket(tenant, idempotency_key, "abort", stream)
        found = await self._open_one(wanted, stream)
        if not isinstance(found, tuple):
            return found
        known, place = found
        await self._texts.close(tenant, stream)
        return await self._end(wanted, place, removal(stream, known, place), stream)

    async def give_up(self, tenant: TenantId, stream: MessageId) -> None:
        """End a stream of which nothing has been heard for long, with what there is. Raises
        StoreError, QueueFullError: then it is to be tried again.
        """
        # No header can hold a NUL, so no agent's own key can be the same.
        await self.finish(tenant, stream, None, f"abandoned\0{stream}")
        await self._texts.drop(tenant, stream)

    async def _absent(self, tenant: TenantId, stream: MessageId) -> Refusal:
        # Removed, or never there.
        was = await self._ledger.status(tenant, stream)
        return Refusal.UNKNOWN_MESSAGE if was is None else Refusal.STREAM_CLOSED

    async def _open_one(
        self, wanted: Ticket, stream: MessageId
    ) -> tuple[Known, Place] | Submitted | Refusal:
        """Find an open stream, or the answer to who asks for one."""
        known = await self._ledger.known(wanted.tenant, stream)
        if known is None or not known.shape.streaming:
            if earlier := await self._accept.earlier(wanted):
                return earlier
            return await self._absent(wanted.tenant, stream)
        place = await self._access.place(wanted.tenant, known.conversation)
        return Refusal.UNKNOWN_CONVERSATION if place is None else (known, place)

    async def _end(
        self, wanted: Ticket, place: Place, order: Order, stream: MessageId
    ) -> Submitted | Refusal:
        stored = await self._accept(wanted, place, order)
        if isinstance(stored, Refusal):
            return stored
        await self._texts.drop(wanted.tenant, stream)
        # Ended meanwhile by somebody else: a sweep, or the same agent under another key.
        return stored or Refusal.STREAM_CLOSED


def _whole(content: Content, text: str) -> Content:
    """What is to be seen at the end. Who sees it, and what it answers, was settled by its begin."""
    return Content(
        markdown=content.markdown if content.markdown.strip() else text,
        components=content.components,
        files=content.files,
        raw=content.raw,
    )


def _start_order(place: Place, recipient: str | None) -> Order:
    stream = new_message_id()
    start = StreamStart(
        id=stream, conversation=place.ref, created_at=utc_now(), recipient=recipient
    )
    # Its end is on its way from the beginning: until then it is not sent.
    fields = (
        ledger_changes.begun(place.ref.id, _OPEN)
        | ledger_changes.queued([1])
        | ledger_changes.unfinished()
    )
    change = LedgerChange(message=stream, fields=fields)
    return Order(stream, AuditAction.STREAM_OPENED, (start,), (change,))


def _finish_order(stream: MessageId, known: Known, place: Place, composed: Composed) -> Order:
    ref, texts = place.ref, max(len(composed.texts), 1)
    acts: list[Act] = [composed.finish(stream, ref)]
    acts += (composed.post(stream, ref, index, index + 1) for index in range(1, texts))
    uploads = composed.uploads(stream, ref, texts + 1)
    shape = Shape(
        texts=tuple(range(1, texts + 1)),
        files=tuple(each.part for each in uploads),
        last=texts + len(uploads),
    )
    fields = ledger_changes.shaped(shape) | ledger_changes.queued(shape.parts[1:])
    fields |= ledger_changes.with_forms(composed.content.components)
    change = LedgerChange(message=stream, fields=fields, expects=known.seen)
    return Order(stream, AuditAction.STREAM_FINISHED, (*acts, *uploads), (change,))
