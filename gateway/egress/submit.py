"""Takes an agent's message: does the conversation belong to its tenant? Then render and commit."""

from __future__ import annotations

from gateway.core.audit import AuditAction
from gateway.core.ids import MessageId, new_message_id
from gateway.core.messages import Act
from gateway.egress.acceptance import Acceptance, Order, Ticket, ticket
from gateway.egress.access import Access, Place
from gateway.egress.composing import Composed, Composer
from gateway.egress.requests import Refusal, Submission, Submitted
from gateway.store import ledger_changes
from gateway.store.ledger_changes import LedgerChange, Shape


class Submit:
    """Commits outbound messages; the egress worker sends them."""

    def __init__(self, access: Access, compose: Composer, accept: Acceptance) -> None:
        self._access = access
        self._compose = compose
        self._accept = accept

    async def __call__(self, submission: Submission) -> Submitted | Refusal:
        """Store the message. Raises StoreError, QueueFullError: then nothing was stored."""
        tenant, content = submission.tenant, submission.content
        place = await self._access.place(tenant, submission.conversation)
        if place is None:
            return Refusal.UNKNOWN_CONVERSATION
        wanted = ticket(tenant, submission.idempotency_key, "post", place.ref.id, content)
        composed = await self._compose(tenant, place.outlet.render, content)
        if isinstance(composed, Refusal):
            return await self._unless_repeated(wanted, composed)
        stored = await self._accept(wanted, place, _order(new_message_id(), place, composed))
        # A new message is built upon nothing that could have changed.
        return stored or Refusal.UNKNOWN_MESSAGE

    async def _unless_repeated(self, wanted: Ticket, refusal: Refusal) -> Submitted | Refusal:
        # The file may have been there when the first of these requests came.
        if refusal is not Refusal.UNKNOWN_FILE:
            return refusal
        return await self._accept.earlier(wanted) or refusal


def _order(message: MessageId, place: Place, composed: Composed) -> Order:
    texts, files = len(composed.texts), len(composed.files)
    acts: list[Act] = [
        composed.post(message, place.ref, index, index + 1) for index in range(texts)
    ]
    acts += composed.uploads(message, place.ref, texts + 1)
    shape = Shape(
        texts=tuple(range(1, texts + 1)),
        files=tuple(range(texts + 1, texts + files + 1)),
        last=texts + files,
    )
    fields = ledger_changes.begun(place.ref.id, shape) | ledger_changes.queued(shape.parts)
    fields |= ledger_changes.with_forms(composed.content.components)
    change = LedgerChange(message=message, fields=fields)
    return Order(message, AuditAction.MESSAGE_SUBMITTED, tuple(acts), (change,))
