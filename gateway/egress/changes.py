"""Takes changes of earlier messages: edits, deletions, reactions."""

from __future__ import annotations

from gateway.core.audit import AuditAction
from gateway.core.errors import StoreError
from gateway.core.ids import ConversationId, MessageId, TenantId, is_message_id, new_message_id
from gateway.core.messages import Act, MessageDelete, ReactionChange
from gateway.egress.acceptance import Acceptance, Order, Ticket, ticket
from gateway.egress.access import Access, Place
from gateway.egress.composing import Composed, Composer
from gateway.egress.requests import Delete, Edit, React, Refusal, Submitted
from gateway.store import ledger_changes
from gateway.store.ledger import Known, Ledger
from gateway.store.ledger_changes import LedgerChange, Shape

_TRIES = 10
"""How often a message may be changed by somebody else between a look at it and the commit."""

_CROWDED = "the message is being changed by too many at once"


class Changes:
    """Commits changes; the egress worker makes them."""

    def __init__(
        self, access: Access, ledger: Ledger, compose: Composer, accept: Acceptance
    ) -> None:
        self._access = access
        self._ledger = ledger
        self._compose = compose
        self._accept = accept

    async def edit(self, edit: Edit) -> Submitted | Refusal:
        """Give a message another content. Raises StoreError, QueueFullError: then nothing was
        stored. A stream that is still open is no message yet.
        """
        tenant, content = edit.tenant, edit.content
        wanted = ticket(tenant, edit.idempotency_key, "edit", edit.message, content)
        for _ in range(_TRIES):
            known = await self._ledger.known(tenant, edit.message)
            if known is None or known.shape.streaming:
                return await self._unless_repeated(wanted, Refusal.UNKNOWN_MESSAGE)
            place = await self._access.place(tenant, known.conversation)
            if place is None:
                return Refusal.UNKNOWN_CONVERSATION
            composed = await self._compose(tenant, place.outlet.render, content)
            if isinstance(composed, Refusal):
                return await self._unless_repeated(wanted, composed)
            order = _edit_order(edit.message, known, place, composed)
            if stored := await self._accept(wanted, place, order):
                return stored
        raise StoreError(_CROWDED)

    async def delete(self, delete: Delete) -> Submitted | Refusal:
        """Remove a message. Raises StoreError, QueueFullError."""
        wanted = ticket(delete.tenant, delete.idempotency_key, "delete", delete.message)
        for _ in range(_TRIES):
            known = await self._ledger.known(delete.tenant, delete.message)
            if known is None:
                return await self._unless_repeated(wanted, Refusal.UNKNOWN_MESSAGE)
            place = await self._access.place(delete.tenant, known.conversation)
            if place is None:
                return Refusal.UNKNOWN_CONVERSATION
            order = removal(delete.message, known, place)
            if stored := await self._accept(wanted, place, order):
                return stored
        raise StoreError(_CROWDED)

    async def react(self, react: React) -> Submitted | Refusal:
        """Put an emoji on a message or take it off. Raises StoreError, QueueFullError."""
        tenant = react.tenant
        body = (react.conversation, react.target, react.emoji, react.remove)
        wanted = ticket(tenant, react.idempotency_key, "react", *body)
        found = await self._target(tenant, react)
        if isinstance(found, Refusal):
            return await self._unless_repeated(wanted, found)
        conversation, part = found
        place = await self._access.place(tenant, conversation)
        if place is None:
            return Refusal.UNKNOWN_CONVERSATION
        stored = await self._accept(wanted, place, _reaction_order(react, place, part))
        return stored or Refusal.UNKNOWN_MESSAGE

    async def _target(self, tenant: TenantId, react: React) -> tuple[str, int] | Refusal:
        if not is_message_id(react.target):
            # Anybody's message; whether there is one, only the platform knows.
            return (
                Refusal.UNKNOWN_CONVERSATION if not react.conversation else (react.conversation, 1)
            )
        known = await self._ledger.known(tenant, MessageId(react.target))
        if known is None or react.conversation not in {None, known.conversation}:
            return Refusal.UNKNOWN_MESSAGE
        return known.conversation, known.shape.parts[0]

    async def _unless_repeated(self, wanted: Ticket, refusal: Refusal) -> Submitted | Refusal:
        # What a repeat asks for cannot be done twice: the message is gone by the first of them.
        if refusal is Refusal.BLANK_TEXT:
            return refusal
        return await self._accept.earlier(wanted) or refusal


def _edit_order(message: MessageId, known: Known, place: Place, composed: Composed) -> Order:
    change, ref, shape = new_message_id(), place.ref, known.shape
    kept = shape.texts[: len(composed.texts)]
    surplus = shape.texts[len(kept) :]
    acts: list[Act] = [
        composed.edit(change, ref, index, (message, part)) for index, part in enumerate(kept)
    ]
    acts += deletes(change, place, message, surplus, first=len(kept) + 1)
    own = len(acts)
    added = range(shape.last + 1, shape.last + 1 + len(composed.texts) - len(kept))
    acts += (
        composed.post(message, ref, index, part)
        for index, part in enumerate(added, start=len(kept))
    )
    uploads = composed.uploads(message, ref, shape.last + len(added) + 1)
    new_shape = Shape(
        texts=(*kept, *added),
        files=(*shape.files, *(each.part for each in uploads)),
        last=shape.last + len(added) + len(uploads),
    )
    fields = ledger_changes.shaped(new_shape) | ledger_changes.with_forms(
        composed.content.components
    )
    fields |= ledger_changes.queued([*added, *(each.part for each in uploads)])
    fields |= ledger_changes.changed_by(change)
    ledgers = (
        own_ledger(change, known.conversation, own),
        LedgerChange(message=message, fields=fields, expects=known.seen),
    )
    return Order(change, AuditAction.MESSAGE_EDITED, (*acts, *uploads), ledgers)


def removal(message: MessageId, known: Known, place: Place) -> Order:
    """Make the order that removes all of a message, an open stream too."""
    change, shape = new_message_id(), known.shape
    acts = tuple(deletes(change, place, message, shape.parts, first=1))
    fields = ledger_changes.shaped(Shape(last=shape.last)) | ledger_changes.changed_by(change)
    if shape.streaming:
        fields |= ledger_changes.ended_stream()
    ledgers = (
        own_ledger(change, known.conversation, len(acts)),
        LedgerChange(message=message, fields=fields, expects=known.seen),
    )
    return Order(change, AuditAction.MESSAGE_DELETED, acts, ledgers)


def _reaction_order(react: React, place: Place, part: int) -> Order:
    change = new_message_id()
    act = ReactionChange(
        id=change,
        conversation=place.ref,
        target=react.target,
        target_part=part,
        emoji=react.emoji,
        remove=react.remove,
    )
    own = own_ledger(change, place.ref.id, 1)
    return Order(change, AuditAction.REACTION_CHANGED, (act,), (own,))


def deletes(
    change: MessageId, place: Place, message: MessageId, parts: tuple[int, ...], *, first: int
) -> list[MessageDelete]:
    """Make the acts that remove these parts of a message, numbered from `first` on."""
    return [
        MessageDelete(
            id=change, conversation=place.ref, part=number, target=message, target_part=part
        )
        for number, part in enumerate(parts, start=first)
    ]


def own_ledger(change: MessageId, conversation: ConversationId, acts: int) -> LedgerChange:
    """Make the ledger of a change."""
    fields = ledger_changes.begun(conversation) | ledger_changes.queued(range(1, acts + 1))
    return LedgerChange(message=change, fields=fields)
