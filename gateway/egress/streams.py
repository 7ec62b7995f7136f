"""Messages whose text grows: open, append, finish, abort."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from gateway.core.audit import AuditAction
from gateway.core.clock import utc_now
from gateway.core.conversations import parse_conversation_id
from gateway.core.deliveries import Reason
from gateway.core.errors import StoreError
from gateway.core.ids import MessageId, TenantId, new_message_id
from gateway.core.messages import Act, StreamFlush, StreamStart
from gateway.egress.acceptance import Acceptance, Order, Ticket, ticket
from gateway.egress.access import Access, Place
from gateway.egress.changes import deletes, own_ledger, removal
from gateway.egress.composing import PLACEHOLDER, Composed, Composer
from gateway.egress.requests import Appended, Content, Refusal, Submitted
from gateway.egress.segments import opening
from gateway.store import ledger_changes
from gateway.store.ledger import Known, Ledger
from gateway.store.ledger_changes import LedgerChange, Shape
from gateway.store.streams import Growth, Progress, Standing, StreamTexts

_WHY_NOT = {
    "closed": Refusal.STREAM_CLOSED,
    "long": Refusal.TOO_LONG,
    "elsewhere": Refusal.OFFSET_MISMATCH,
}
_TRIES = 10
"""How often a stream may go on in another message between a look at it and the commit."""

Ending = Callable[[Known, Place], Awaitable[Order | Refusal]]
"""Makes the order that ends a stream as it stands."""

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
        if isinstance(stored, Submitted) and not stored.repeated:
            # The sweep has to find it also when its agent dies now, and it cannot begin.
            await self._texts.register(tenant, stored.id)
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
        growth = Growth(delta or "", offset) if text is None else Growth(text)
        before: Known | None = None
        while True:
            known = await self._ledger.known(tenant, stream)
            if known is None:
                return await self._absent(tenant, stream)
            if not known.shape.streaming or (before and known.seen == before.seen):
                return Refusal.STREAM_CLOSED
            grown = await self._texts.append(tenant, known, growth, _flush(stream, known))
            if grown != "closed":
                return Appended(length=grown) if isinstance(grown, int) else _WHY_NOT[grown]
            # Or it has gone on in another message since it was looked at.
            before = known

    async def finish(
        self, tenant: TenantId, stream: MessageId, content: Content | None, idempotency_key: str
    ) -> Submitted | Refusal:
        """End with `content`; without a text of its own, with the text so far. One that has nothing
        to show is removed. Raises StoreError, QueueFullError.
        """
        wanted = ticket(tenant, idempotency_key, "finish", stream, content)
        content = content or Content()

        async def ending(known: Known, place: Place) -> Order | Refusal:
            if not await self._compose.knows(tenant, content.files):
                # Before it is closed: the agent may still finish it with something else.
                return Refusal.UNKNOWN_FILE
            part, rest = _rest(content, await self._texts.close(tenant, stream))
            composed = await self._compose(tenant, place.outlet.render, rest)
            if isinstance(composed, Refusal):
                return removal(stream, known, place)
            return _finish_order(stream, known, place, composed, part)

        return await self._end(wanted, stream, ending)

    async def abort(
        self, tenant: TenantId, stream: MessageId, idempotency_key: str
    ) -> Submitted | Refusal:
        """End, and remove what was shown. Raises StoreError, QueueFullError."""
        wanted = ticket(tenant, idempotency_key, "abort", stream)

        async def ending(known: Known, place: Place) -> Order | Refusal:
            await self._texts.close(tenant, stream)
            return removal(stream, known, place)

        return await self._end(wanted, stream, ending)

    async def halt(self, tenant: TenantId, stream: MessageId) -> None:
        """End a stream of which a user wants to see no more, with what has been seen. Raises
        StoreError, QueueFullError.
        """
        wanted = ticket(tenant, f"stopped\0{stream}", "halt", stream)

        async def ending(known: Known, place: Place) -> Order | Refusal:
            progress = await self._texts.close(tenant, stream)
            standing = progress.standing or Standing()
            seen = Content(markdown=progress.text[standing.base : standing.shown] or PLACEHOLDER)
            composed = await self._compose(tenant, place.outlet.render, seen)
            if isinstance(composed, Refusal):
                return composed
            alone = replace(composed, texts=composed.texts[:1])
            return _finish_order(stream, known, place, alone, standing.part)

        await self._end(wanted, stream, ending)

    async def give_up(self, tenant: TenantId, stream: MessageId) -> None:
        """End a stream of which nothing has been heard for long, with what there is. Raises
        StoreError, QueueFullError: then it is to be tried again.
        """
        # No header can hold a NUL, so no agent's own key can be the same.
        ended = await self.finish(tenant, stream, None, f"abandoned\0{stream}")
        known = await self._ledger.known(tenant, stream)
        if isinstance(ended, Submitted) or known is None or not known.shape.streaming:
            await self._texts.retire(tenant, stream)
            return
        # Its workspace has gone to somebody else, or its text is more than the queue ever takes.
        why = ledger_changes.lost_stream(Reason.TARGET_MISSING.value, ended.value)
        if await self._texts.lose(tenant, stream, known, why):
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

    async def _end(self, wanted: Ticket, stream: MessageId, ending: Ending) -> Submitted | Refusal:
        for _ in range(_TRIES):
            found = await self._open_one(wanted, stream)
            if not isinstance(found, tuple):
                return found
            known, place = found
            order = await ending(known, place)
            if isinstance(order, Refusal):
                return order
            stored = await self._accept(wanted, place, order)
            if isinstance(stored, Refusal):
                return stored
            if stored is not None:
                removed = order.action is AuditAction.MESSAGE_DELETED
                forget = self._texts.drop if removed else self._texts.retire
                await forget(wanted.tenant, stream)
                return stored
            # Ended meanwhile by somebody else, or gone on in another message: look again.
        raise StoreError("the stream goes on in too many messages at once")


def _flush(stream: MessageId, known: Known) -> StreamFlush:
    conversation = parse_conversation_id(known.conversation)
    return StreamFlush(id=new_message_id(), conversation=conversation, target=stream)


def _rest(content: Content, progress: Progress) -> tuple[int, Content]:
    """What is to be seen at the end, and from which message of the stream on: those before stand,
    unless they do not begin the text any more. Who sees it, and what it answers, was settled by its
    begin.
    """
    text, standing = progress.text, progress.standing or Standing()
    whole = content.markdown if content.markdown.strip() else text
    rest, seen = whole[standing.base :], text[: standing.base]
    if progress.rewritten or not whole.startswith(seen) or not (rest.strip() or not seen):
        return 1, _content(content, whole)
    return standing.part, _content(content, opening(seen) + rest)


def _content(content: Content, markdown: str) -> Content:
    return Content(
        markdown=markdown, components=content.components, files=content.files, raw=content.raw
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


def _finish_order(
    stream: MessageId, known: Known, place: Place, composed: Composed, part: int
) -> Order:
    """End it in its message of that number: those before stand, those behind are removed."""
    ref, before = place.ref, known.shape
    kept = tuple(each for each in before.texts if each < part)
    surplus = tuple(each for each in before.texts if each > part)
    added = range(before.last + 1, before.last + max(len(composed.texts), 1))
    uploads = composed.uploads(stream, ref, before.last + len(added) + 1)
    shape = Shape(
        texts=(*kept, part, *added),
        files=tuple(each.part for each in uploads),
        last=before.last + len(added) + len(uploads),
    )
    fields = ledger_changes.shaped(shape) | ledger_changes.queued([*added, *shape.files])
    fields |= ledger_changes.with_forms(composed.content.components)
    if part > 1:
        fields |= ledger_changes.ended_stream() | ledger_changes.unfinished(part)
    ledgers = [LedgerChange(message=stream, fields=fields, expects=known.seen)]
    acts: list[Act] = [composed.finish(stream, ref, part)]
    if surplus:
        change = new_message_id()
        acts += deletes(change, place, stream, surplus, first=1)
        ledgers.append(own_ledger(change, known.conversation, len(surplus)))
    acts += (composed.post(stream, ref, *each) for each in enumerate(added, start=1))
    return Order(stream, AuditAction.STREAM_FINISHED, (*acts, *uploads), tuple(ledgers))
