"""Takes requests of agents for good: one commit each, and the first answer for every repeat."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import msgspec

from gateway.core.audit import AuditAction, AuditRecord
from gateway.core.deliveries import Direction, NewDelivery, Receipt
from gateway.core.errors import QueueFullError
from gateway.core.ids import ConversationId, MessageId, TenantId
from gateway.core.messages import Act
from gateway.egress.access import Place
from gateway.egress.requests import Refusal, Submitted
from gateway.store.deliveries import Commit, DeliveryStore
from gateway.store.ledger import Ledger
from gateway.store.ledger_changes import LedgerChange
from gateway.telemetry.metrics import Metrics

MAX_ACTS = 200
"""Most deliveries of one request."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """By what a repeat of a request is recognised, and a request that is none although it bears the
    same key.
    """

    tenant: TenantId
    key: str = field(repr=False)
    digest: str

    @property
    def key_digest(self) -> str:
        """The key, whatever is in it, as a safe part of a key of Redis."""
        return digest_of(self.key)


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be stored: the acts in their order, and what the ledgers shall say of them."""

    id: MessageId
    action: AuditAction
    acts: tuple[Act, ...]
    ledgers: tuple[LedgerChange, ...]


def ticket(tenant: TenantId, key: str, kind: str, *body: object) -> Ticket:
    """Make the ticket of a request; `kind` and `body` are all that makes it what it is."""
    encoded = msgspec.json.encode((kind, *body), order="deterministic")
    return Ticket(tenant, key, hashlib.sha256(encoded).hexdigest())


def digest_of(text: str) -> str:
    """Hash any text, lone surrogates too."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Acceptance:
    """The one way of the outbound half into the queue."""

    def __init__(self, store: DeliveryStore, ledger: Ledger, metrics: Metrics) -> None:
        self._store = store
        self._ledger = ledger
        self._metrics = metrics

    async def __call__(
        self, wanted: Ticket, place: Place, order: Order
    ) -> Submitted | Refusal | None:
        """Store it. None when a message that it changes has been changed meanwhile: decide again.

        Raises StoreError, QueueFullError: then nothing was stored.
        """
        count = len(order.acts)
        if count > min(place.limits.max_queued, MAX_ACTS):
            # It would find the queue full for ever.
            return Refusal.TOO_LONG
        first = _First(order.id, wanted.digest, count, place.ref.id)
        committed = await self._store.commit(
            Commit(
                tenant=wanted.tenant,
                direction=Direction.OUTBOUND,
                conversation=place.ref.id,
                deliveries=tuple(map(_delivery, order.acts)),
                audit=_record(wanted, place, order),
                limits=place.limits,
                dedupe_keys=(wanted.key_digest,),
                dedupe_value=first.encoded(),
                ledgers=order.ledgers,
            )
        )
        if committed.receipt is Receipt.FULL:
            raise QueueFullError("the tenant's outbound queue is full")
        if committed.receipt is Receipt.MOVED:
            return None
        if committed.receipt is Receipt.DUPLICATE:
            return self._repeated(wanted, committed.dedupe_value)
        return first.answer(repeated=False)

    async def earlier(self, wanted: Ticket) -> Submitted | Refusal | None:
        """Find the answer to the first request of that key, for one that could not be stored now
        because the first one was. Raises StoreError.
        """
        value = await self._ledger.first_answer(wanted.tenant, wanted.key_digest)
        return None if value is None else self._repeated(wanted, value)

    def _repeated(self, wanted: Ticket, value: str) -> Submitted | Refusal:
        self._metrics.dedupe_hits.labels(Direction.OUTBOUND).inc()
        first = _First.decoded(value)
        if first.digest != wanted.digest:
            return Refusal.KEY_REUSED
        return first.answer(repeated=True)


@dataclass(frozen=True, slots=True)
class _First:
    """What a repeat is told of the first request."""

    id: MessageId
    digest: str
    parts: int
    conversation: ConversationId

    def encoded(self) -> str:
        # Neither ids nor digests hold a space.
        return f"{self.id} {self.digest} {self.parts} {self.conversation}"

    @classmethod
    def decoded(cls, value: str) -> _First:
        message, digest, parts, conversation = value.split(" ")
        return cls(MessageId(message), digest, int(parts), ConversationId(conversation))

    def answer(self, *, repeated: bool) -> Submitted:
        return Submitted(
            id=self.id, conversation=self.conversation, parts=self.parts, repeated=repeated
        )


def _delivery(act: Act) -> NewDelivery:
    return NewDelivery(id=act.delivery_id, payload=msgspec.json.encode(act))


def _record(wanted: Ticket, place: Place, order: Order) -> AuditRecord:
    ref = place.ref
    return AuditRecord(
        tenant=wanted.tenant,
        action=order.action,
        platform=ref.platform,
        workspace=ref.workspace,
        conversation=ref.id,
        delivery_id=order.id,
        direction=Direction.OUTBOUND,
        # Counted on: this is how many deliveries were accepted (law 7).
        detail=f"{len(order.acts)} parts",
    )
