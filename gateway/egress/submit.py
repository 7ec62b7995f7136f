"""Takes an agent's message: does the conversation belong to its tenant? Then render and commit."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from enum import StrEnum

import msgspec
import structlog

from gateway.core.audit import AuditAction, AuditRecord
from gateway.core.clock import utc_now
from gateway.core.conversations import ConversationRef, parse_conversation_id
from gateway.core.deliveries import Direction, NewDelivery, Receipt
from gateway.core.errors import QueueFullError
from gateway.core.ids import (
    ConversationId,
    DeliveryId,
    MessageId,
    Platform,
    TenantId,
    new_message_id,
)
from gateway.core.messages import OutboundMessage
from gateway.core.ports import Outlet, Renderer
from gateway.core.tenants import Limits
from gateway.store.deliveries import Commit, Committed, DeliveryStore
from gateway.telemetry.metrics import Metrics
from routing.steps.tenant import Resolve

log = structlog.get_logger()

RENDERED_AT_ONCE_CHARS = 4_000


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent wants said. `idempotency_key` is unique within the tenant."""

    tenant: TenantId
    conversation: str
    markdown: str
    idempotency_key: str


class Refusal(StrEnum):
    """Why a submission is not taken."""

    UNKNOWN_CONVERSATION = "unknown_conversation"
    BLANK_TEXT = "blank_text"
    TOO_LONG = "message_too_long"
    KEY_REUSED = "idempotency_key_reused"


class Submitted(msgspec.Struct, frozen=True, kw_only=True):
    """The message is stored and will be sent. `repeated` means that it was stored before."""

    id: MessageId
    conversation: ConversationId
    parts: int
    repeated: bool


class Submit:
    """Commits outbound messages; the egress worker sends them."""

    def __init__(
        self,
        resolve: Resolve,
        store: DeliveryStore,
        outlets: Mapping[Platform, Outlet],
        metrics: Metrics,
    ) -> None:
        self._resolve = resolve
        self._store = store
        self._outlets = outlets
        self._metrics = metrics

    async def __call__(self, submission: Submission) -> Submitted | Refusal:
        """Store the message. Raises StoreError, QueueFullError: then nothing was stored."""
        try:
            ref = parse_conversation_id(submission.conversation)
        except ValueError:
            return Refusal.UNKNOWN_CONVERSATION
        outlet = self._outlets.get(ref.platform)
        limits = await self._limits_if_owned(submission.tenant, ref)
        if outlet is None or limits is None:
            return Refusal.UNKNOWN_CONVERSATION
        texts = await _rendered(outlet.render, submission.markdown)
        if not texts:
            return Refusal.BLANK_TEXT
        if len(texts) > limits.max_queued:
            # It would find the queue full for ever.
            return Refusal.TOO_LONG
        return await self._commit(submission, ref, texts, limits)

    async def _limits_if_owned(self, tenant: TenantId, ref: ConversationRef) -> Limits | None:
        binding = await self._resolve(ref.platform, [ref.workspace])
        if binding is not None and binding.tenant.id == tenant:
            return binding.tenant.limits
        # The agent is told the same in both cases, or it could find out whose a workspace is.
        crossing = binding is not None
        if crossing:
            self._metrics.isolation_violations.inc()
            log.error("isolation.violation", tenant_id=tenant, conversation=ref.id)
        await self._store.record(
            AuditRecord(
                tenant=tenant,
                action=AuditAction.ISOLATION_VIOLATION
                if crossing
                else AuditAction.CONVERSATION_REFUSED,
                outcome="refused",
                reason=Refusal.UNKNOWN_CONVERSATION,
                platform=ref.platform,
                workspace=ref.workspace,
                conversation=ref.id,
                direction=Direction.OUTBOUND,
            )
        )
        return None

    async def _commit(
        self, submission: Submission, ref: ConversationRef, texts: list[str], limits: Limits
    ) -> Submitted | Refusal:
        message_id = new_message_id()
        digest = _digest(ref.id, submission.markdown)
        committed = await self._store.commit(
            Commit(
                tenant=submission.tenant,
                direction=Direction.OUTBOUND,
                conversation=ref.id,
                deliveries=_deliveries(message_id, ref, texts),
                audit=_record(submission.tenant, ref, message_id, len(texts)),
                limits=limits,
                dedupe_keys=(_digest(submission.idempotency_key),),
                dedupe_value=f"{message_id} {digest}",
            )
        )
        return self._answer(committed, ref, digest, len(texts))

    def _answer(
        self, committed: Committed, ref: ConversationRef, digest: str, parts: int
    ) -> Submitted | Refusal:
        if committed.receipt is Receipt.FULL:
            raise QueueFullError("the tenant's outbound queue is full")
        repeated = committed.receipt is Receipt.DUPLICATE
        first_id, _, first_digest = committed.dedupe_value.partition(" ")
        if repeated:
            self._metrics.dedupe_hits.labels(Direction.OUTBOUND).inc()
            if first_digest != digest:
                return Refusal.KEY_REUSED
        return Submitted(
            id=MessageId(first_id), conversation=ref.id, parts=parts, repeated=repeated
        )


async def _rendered(render: Renderer, markdown: str) -> list[str]:
    if len(markdown) <= RENDERED_AT_ONCE_CHARS:
        return render(markdown)
    # A long hostile table takes a second: other conversations must not wait for it.
    return await asyncio.to_thread(render, markdown)


def _deliveries(
    message_id: MessageId, ref: ConversationRef, texts: list[str]
) -> tuple[NewDelivery, ...]:
    now = utc_now()
    messages = (
        OutboundMessage(
            id=message_id,
            conversation=ref,
            text=text,
            part=number,
            parts=len(texts),
            created_at=now,
        )
        for number, text in enumerate(texts, start=1)
    )
    return tuple(
        NewDelivery(id=DeliveryId(message.marker), payload=msgspec.json.encode(message))
        for message in messages
    )


def _record(
    tenant: TenantId, ref: ConversationRef, message_id: MessageId, parts: int
) -> AuditRecord:
    return AuditRecord(
        tenant=tenant,
        action=AuditAction.MESSAGE_SUBMITTED,
        platform=ref.platform,
        workspace=ref.workspace,
        conversation=ref.id,
        delivery_id=message_id,
        direction=Direction.OUTBOUND,
        detail=f"{parts} parts",
    )


def _digest(*texts: str) -> str:
    # Hashed, so that a key of any length and content is a safe part of a Redis key.
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass"))
        digest.update(b"\x00")
    return digest.hexdigest()
