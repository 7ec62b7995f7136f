"""One attempt to post an outbound message: still ours? in pace? posted already? then send."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import structlog

from gateway.core.deliveries import (
    Deferred,
    Delivered,
    Delivery,
    Outcome,
    Permanent,
    Reason,
    Retryable,
)
from gateway.core.errors import SendError
from gateway.core.ids import Platform
from gateway.core.messages import OutboundMessage
from gateway.core.ports import Outlet, Readback
from gateway.core.tenants import Credential, Endpoint, TenantStatus
from gateway.egress.pace import Pace
from gateway.sealing import Seal
from gateway.store.tenants import TenantLookup
from gateway.telemetry.metrics import Metrics

log = structlog.get_logger()

SUSPENDED_WAIT_S = 30.0
LONGEST_HOLD_S = 900.0
UNCERTAIN_WAIT_S = 2.0
"""Before a lost answer is looked up: the platform's own copy needs a moment to become visible."""


class Outbox:
    """Attempts outbound deliveries. The worker settles what comes out of it."""

    def __init__(
        self,
        lookup: TenantLookup,
        seal: Seal,
        outlets: Mapping[Platform, Outlet],
        pace: Pace,
        metrics: Metrics,
    ) -> None:
        self._lookup = lookup
        self._seal = seal
        self._outlets = outlets
        self._pace = pace
        self._metrics = metrics

    async def attempt(self, delivery: Delivery, _endpoint: Endpoint | None) -> Outcome:
        """Post one message. Raises StoreError when its workspace cannot be looked up."""
        message = msgspec.json.decode(delivery.payload, type=OutboundMessage)
        outlet = self._outlets.get(message.conversation.platform)
        if outlet is None:
            return Permanent(reason=Reason.NOT_INSTALLED, detail="the platform is not configured")
        credential = await self._credential(delivery, message)
        if not isinstance(credential, Credential):
            return credential
        ref = message.conversation
        wait_s = self._pace.wait_s((ref.platform, ref.workspace, ref.channel), delivery.id)
        if wait_s > 0:
            return Deferred(reason=Reason.PLATFORM_RATE_LIMITED, after_s=wait_s)
        try:
            return await self._post(delivery, message, outlet, credential)
        except SendError as exc:
            return self._outcome_of(exc, message)

    async def _credential(
        self, delivery: Delivery, message: OutboundMessage
    ) -> Credential | Outcome:
        # Asked again at every attempt: the workspace may have changed hands since the commit.
        ref = message.conversation
        bound = await self._lookup.bound_workspace(ref.platform, ref.workspace)
        if bound is None:
            return Permanent(reason=Reason.NOT_INSTALLED, detail="the workspace is not bound")
        tenant = bound.binding.tenant
        if tenant.id != delivery.tenant:
            self._metrics.isolation_violations.inc()
            log.error("isolation.violation", tenant_id=delivery.tenant, conversation=ref.id)
            return Permanent(reason=Reason.ISOLATION, detail="the workspace changed hands")
        if tenant.status is not TenantStatus.ACTIVE:
            return Deferred(reason=Reason.TENANT_SUSPENDED, after_s=SUSPENDED_WAIT_S)
        if bound.sealed_credential is None:
            return Permanent(reason=Reason.NOT_INSTALLED, detail="the workspace has no token")
        opened = self._seal.open(bound.sealed_credential)
        return msgspec.json.decode(opened, type=Credential)

    async def _post(
        self, delivery: Delivery, message: OutboundMessage, outlet: Outlet, credential: Credential
    ) -> Outcome:
        if delivery.uncertain:
            if not isinstance(outlet.sender, Readback):
                detail = "an earlier attempt may have posted it, and the platform cannot tell"
                return Permanent(reason=Reason.OUTCOME_UNKNOWN, detail=detail)
            found = await _find(outlet.sender, message, credential)
            if found is not None:
                self._count(message, "found")
                return Delivered(receipt=found)
        sent = await outlet.sender.send(message, credential)
        self._count(message, "sent")
        return Delivered(receipt=sent.id)

    def _outcome_of(self, exc: SendError, message: OutboundMessage) -> Outcome:
        self._count(message, exc.reason.value)
        ref = message.conversation
        if exc.reason is Reason.PLATFORM_RATE_LIMITED:
            # Clamped: one absurd answer must not silence a channel for days.
            after_s = min(exc.retry_after_s or 1.0, LONGEST_HOLD_S)
            self._metrics.platform_rate_limited.labels(ref.platform).inc()
            self._pace.hold((ref.platform, ref.workspace, ref.channel), after_s)
            return Deferred(reason=exc.reason, after_s=after_s)
        if exc.permanent:
            return Permanent(reason=exc.reason, detail=exc.detail)
        return Retryable(
            reason=exc.reason,
            detail=exc.detail,
            after_s=UNCERTAIN_WAIT_S if exc.ambiguous else exc.retry_after_s,
            uncertain=exc.ambiguous,
        )

    def _count(self, message: OutboundMessage, outcome: str) -> None:
        self._metrics.platform_requests.labels(message.conversation.platform, outcome).inc()


async def _find(readback: Readback, message: OutboundMessage, credential: Credential) -> str | None:
    try:
        found = await readback.find_sent(message, credential)
    except SendError as exc:
        # Whether it was posted is still not known, whatever became of the question.
        exc.ambiguous = True
        raise
    return None if found is None else found.id
