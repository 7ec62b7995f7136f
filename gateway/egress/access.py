"""Who may speak where (law 8): asked when a request is taken, and again at every attempt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from gateway.core.audit import AuditAction, AuditRecord
from gateway.core.conversations import ConversationRef, parse_conversation_id
from gateway.core.deliveries import Deferred, Direction, Permanent, Reason, Retryable
from gateway.core.errors import LeaseLostError, SendError
from gateway.core.ids import ConversationId, Platform, TenantId, WorkspaceId
from gateway.core.ports import Outlet
from gateway.core.tenants import Credential, Limits, TenantStatus
from gateway.egress.reach import Reach, Whose
from gateway.egress.requests import Refusal
from gateway.sealing import Seal
from gateway.store.deliveries import DeliveryStore
from gateway.store.tenants import BoundWorkspace, TenantLookup
from gateway.telemetry.metrics import Metrics

log = structlog.get_logger()

SUSPENDED_WAIT_S = 30.0
LONGEST_WAIT_S = 900.0
ASKED_WITHIN_S = 2.0
"""Of a platform, while an agent waits for its request to be taken."""


Refused = Callable[[Platform, WorkspaceId, Credential, SendError], None]
"""Told of every call that a platform refused, and with which credential."""


@dataclass(frozen=True, slots=True)
class Place:
    """A conversation of the tenant's that asks."""

    ref: ConversationRef
    outlet: Outlet
    limits: Limits


Sure = Callable[[], bool]
"""Whether nobody else can have begun what is attempted here."""


def always_sure() -> bool:
    """For what may be done twice, and where there is nobody else."""
    return True


@dataclass(slots=True)
class Door:
    """The way to a platform, open for one attempt. `was_used` when something may have been done."""

    outlet: Outlet
    key: Credential = field(repr=False)
    sure: Sure = always_sure
    was_used: bool = False

    @property
    def credential(self) -> Credential:
        """What every call needs, given out for one call. Raises LeaseLostError."""
        self.check()
        self.was_used = True
        return self.key

    def hand_out(self) -> Credential:
        """Give the credential out for one call of several. Raises LeaseLostError."""
        return self.credential

    def check(self) -> None:
        """Raise LeaseLostError to whoever was paused for long: a successor may have done already
        what would be done now.
        """
        if not self.sure():
            raise LeaseLostError("the lease is too old to begin a call")


class Access:
    """The only place in which the outbound half asks whose a workspace is."""

    def __init__(
        self,
        lookup: TenantLookup,
        reach: Reach,
        seal: Seal,
        store: DeliveryStore,
        outlets: Mapping[Platform, Outlet],
        metrics: Metrics,
        refused: Refused | None = None,
    ) -> None:
        self._lookup = lookup
        self._reach = reach
        self._seal = seal
        self._store = store
        self._outlets = outlets
        self._metrics = metrics
        self._refused = refused

    async def place(self, tenant: TenantId, conversation: str) -> Place | None:
        """Find a conversation of the tenant's by its id. Raises StoreError.

        Where only the platform could tell and does not, it is told at the attempt.
        """
        try:
            ref = parse_conversation_id(conversation)
        except ValueError:
            return None
        bound = await self._bound(tenant, ref.platform, ref.workspace, ref.id)
        outlet = self._outlets.get(ref.platform)
        if outlet is None or bound is None:
            return None
        door = self._opened(bound, outlet)
        if door is not None and not await self._may_reach(tenant, ref, door):
            return None
        return Place(ref, outlet, bound.binding.tenant.limits)

    async def owns(self, tenant: TenantId, platform: Platform, workspace: WorkspaceId) -> bool:
        """Whether the workspace is bound to the tenant. Raises StoreError."""
        return await self._bound(tenant, platform, workspace, None) is not None

    async def reaches(self, tenant: TenantId, ref: ConversationRef, door: Door) -> bool:
        """Whether a conversation of the tenant's workspace is nobody else's; a refusal is put on
        record. Raises SendError when the platform cannot be asked, StoreError.
        """
        # By the key itself: a question is no use of the door.
        whose = await self._reach.whose(tenant, ref, door.outlet.sender, door.key)
        if whose is Whose.OURS:
            return True
        await self._refuse(tenant, ref.platform, ref.workspace, ref.id, whose)
        return False

    async def door(
        self, tenant: TenantId, ref: ConversationRef, *, uncertain: bool = False
    ) -> Door | Permanent | Retryable | Deferred:
        """Open the way for one attempt, or say how the attempt ends. Raises StoreError.

        Asked again at every attempt: the workspace may have changed hands since the commit. Whether
        an earlier attempt came through is as `uncertain` after this one as it was before.
        """
        entrance = await self.entrance(tenant, ref.platform, ref.workspace)
        if not isinstance(entrance, Door):
            return entrance
        try:
            whose = await self._reach.whose(tenant, ref, entrance.outlet.sender, entrance.key)
        except SendError as exc:
            self.refused(ref, entrance, exc)
            return _not_asked(exc, uncertain=uncertain)
        if whose is Whose.OURS:
            return entrance
        if whose is Whose.ANOTHERS:
            self._alarm(tenant, ref.platform, ref.workspace)
        # Said of both, or the agent could find out what there is.
        return Permanent(reason=Reason.ISOLATION, detail="no such conversation of the tenant's")

    async def entrance(
        self, tenant: TenantId, platform: Platform, workspace: WorkspaceId
    ) -> Door | Permanent | Deferred:
        """Open the way into a workspace, to ask for what is in it: nothing may be said by it.
        Raises StoreError.
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
        door = self._opened(bound, outlet)
        return door or Permanent(reason=Reason.NOT_INSTALLED, detail="the workspace has no token")

    def refused(self, ref: ConversationRef, door: Door, error: SendError) -> None:
        """Pass on that the platform did not do what was asked of it through `door`."""
        if self._refused is not None:
            self._refused(ref.platform, ref.workspace, door.key, error)

    def _opened(self, bound: BoundWorkspace, outlet: Outlet) -> Door | None:
        if bound.sealed_credential is None:
            return None
        return Door(outlet, self._seal.credential(bound.sealed_credential, bound.binding))

    async def _may_reach(self, tenant: TenantId, ref: ConversationRef, door: Door) -> bool:
        try:
            async with asyncio.timeout(ASKED_WITHIN_S):
                return await self.reaches(tenant, ref, door)
        except (SendError, TimeoutError) as exc:
            log.info("place.not_asked", tenant_id=tenant, platform=ref.platform, error=str(exc))
            return True

    async def _bound(
        self,
        tenant: TenantId,
        platform: Platform,
        workspace: WorkspaceId,
        conversation: ConversationId | None,
    ) -> BoundWorkspace | None:
        bound = await self._lookup.bound_workspace(platform, workspace)
        if bound is not None and bound.binding.tenant.id == tenant:
            return bound
        whose = Whose.NOBODYS if bound is None else Whose.ANOTHERS
        await self._refuse(tenant, platform, workspace, conversation, whose)
        return None

    async def _refuse(
        self,
        tenant: TenantId,
        platform: Platform,
        workspace: WorkspaceId,
        conversation: ConversationId | None,
        whose: Whose,
    ) -> None:
        # The agent is told the same in both cases, or it could find out whose a workspace is.
        action = AuditAction.CONVERSATION_REFUSED
        if whose is Whose.ANOTHERS:
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

    def _alarm(self, tenant: TenantId, platform: Platform, workspace: WorkspaceId) -> None:
        self._metrics.isolation_violations.inc()
        log.error("isolation.violation", tenant_id=tenant, platform=platform, workspace=workspace)


def _not_asked(exc: SendError, *, uncertain: bool) -> Permanent | Retryable | Deferred:
    """How an attempt ends that never began: whose the conversation is could not be asked."""
    if exc.permanent:
        return Permanent(reason=exc.reason, detail=exc.detail)
    if exc.reason is Reason.PLATFORM_RATE_LIMITED:
        return Deferred(reason=exc.reason, after_s=min(exc.retry_after_s or 1.0, LONGEST_WAIT_S))
    return Retryable(
        reason=exc.reason, detail=exc.detail, after_s=exc.retry_after_s, uncertain=uncertain
    )
