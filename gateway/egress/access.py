"""Who may speak where (law 8): asked when a request is taken, and again at every attempt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec
import structlog

from gateway.core.audit import AuditAction, AuditRecord
from gateway.core.conversations import ConversationRef, parse_conversation_id
from gateway.core.deliveries import Deferred, Direction, Permanent, Reason
from gateway.core.errors import SendError
from gateway.core.ids import ConversationId, Platform, TenantId, WorkspaceId
from gateway.core.ports import Outlet
from gateway.core.tenants import Credential, Limits, TenantStatus
from gateway.egress.requests import Refusal
from gateway.sealing import Seal
from gateway.store.deliveries import DeliveryStore
from gateway.store.tenants import TenantLookup
from gateway.telemetry.metrics import Metrics

log = structlog.get_logger()

SUSPENDED_WAIT_S = 30.0


Refused = Callable[[Platform, WorkspaceId, Credential, SendError], None]
"""Told of every call that a platform refused, and with which credential."""


@dataclass(frozen=True, slots=True)
class Place:
    """A conversation of the tenant's that asks."""

    ref: ConversationRef
    outlet: Outlet
    limits: Limits


@dataclass(frozen=True, slots=True)
class Door:
    """The way to a platform, open for one attempt."""

    outlet: Outlet
    credential: Credential


class Access:
    """The only place in which the outbound half asks whose a workspace is."""

    def __init__(
        self,
        lookup: TenantLookup,
        seal: Seal,
        store: DeliveryStore,
        outlets: Mapping[Platform, Outlet],
        metrics: Metrics,
        refused: Refused | None = None,
    ) -> None:
        self._lookup = lookup
        self._seal = seal
        self._store = store
        self._outlets = outlets
        self._metrics = metrics
        self._refused = refused

    async def place(self, tenant: TenantId, conversation: str) -> Place | None:
        """Find a conversation of the tenant's by its id. Raises StoreError."""
        try:
            ref = parse_conversation_id(conversation)
        except ValueError:
            return None
        limits = await self._limits(tenant, ref.platform, ref.workspace, ref.id)
        outlet = self._outlets.get(ref.platform)
        if outlet is None or limits is None:
            return None
        return Place(ref, outlet, limits)

    async def owns(self, tenant: TenantId, platform: Platform, workspace: WorkspaceId) -> bool:
        """Whether the workspace is bound to the tenant. Raises StoreError."""
        return await self._limits(tenant, platform, workspace, None) is not None

    async def door(
        self, tenant: TenantId, platform: Platform, workspace: WorkspaceId
    ) -> Door | Permanent | Deferred:
        """Open the way for one attempt, or say how the attempt ends. Raises StoreError.

        Asked again at every attempt: the workspace may have changed hands since the commit.
        """
        outlet = self._outlets.get(platform)
        if outlet is None:
            return Permanent(reason=Reason.NOT_INSTALLED, detail="the platform is not configured")
        bound = await self._lookup.bound_workspace(platform, workspace)
        if bound is None:
            return Permanent(reason=Reason.NOT_INSTALLED, detail="the workspace is not bound")
        owner = bound.binding.tenant
        if owner.id != tenant:
            self._alarm(tenant, platform, workspace)
            return Permanent(reason=Reason.ISOLATION, detail="the workspace changed hands")
        if owner.status is not TenantStatus.ACTIVE:
            return Deferred(reason=Reason.TENANT_SUSPENDED, after_s=SUSPENDED_WAIT_S)
        if bound.sealed_credential is None:
            return Permanent(reason=Reason.NOT_INSTALLED, detail="the workspace has no token")
        opened = self._seal.open(bound.sealed_credential)
        return Door(outlet, msgspec.json.decode(opened, type=Credential))

    def refused(self, ref: ConversationRef, door: Door, error: SendError) -> None:
        """Pass on that the platform did not do what was asked of it through `door`."""
        if self._refused is not None:
            self._refused(ref.platform, ref.workspace, door.credential, error)

    async def _limits(
        self,
        tenant: TenantId,
        platform: Platform,
        workspace: WorkspaceId,
        conversation: ConversationId | None,
    ) -> Limits | None:
        binding = await self._lookup.resolve(platform, [workspace])
        if binding is not None and binding.tenant.id == tenant:
            return binding.tenant.limits
        # The agent is told the same in both cases, or it could find out whose a workspace is.
        action = AuditAction.CONVERSATION_REFUSED
        if binding is not None:
            action = AuditAction.ISOLATION_VIOLATION
            self._alarm(tenant, platform, workspace)
        await self._store.record(
            AuditRecord(
                tenant=tenant,
                action=action,
                outcome="refused",
                reason=Refusal.UNKNOWN_CONVERSATION,
                platform=platform,
                workspace=workspace,
                conversation=conversation or "",
                direction=Direction.OUTBOUND,
            )
        )
        return None

    def _alarm(self, tenant: TenantId, platform: Platform, workspace: WorkspaceId) -> None:
        self._metrics.isolation_violations.inc()
        log.error("isolation.violation", tenant_id=tenant, platform=platform, workspace=workspace)
