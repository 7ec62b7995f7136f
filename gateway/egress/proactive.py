"""Finds the conversation with a user, or in a named channel, that nobody has begun yet."""

from __future__ import annotations

import structlog

from gateway.core.conversations import ConversationRef
from gateway.core.deliveries import Deferred, Permanent, Reason
from gateway.core.errors import SendError
from gateway.core.ids import Platform, TenantId, WorkspaceId
from gateway.core.messages import Target
from gateway.core.ports import Addresses
from gateway.egress.access import Access
from gateway.egress.requests import Refusal

log = structlog.get_logger()


class Proactive:
    """Asks platforms for conversations, in workspaces of the tenant's only."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def address(
        self, tenant: TenantId, platform: Platform, workspace: WorkspaceId, target: Target
    ) -> ConversationRef | Refusal:
        """Find the conversation. A workspace of somebody else's and one that nobody knows are
        refused alike. Raises SendError when the platform cannot be asked, StoreError.
        """
        if not await self._access.owns(tenant, platform, workspace):
            return Refusal.TARGET_UNKNOWN
        door = await self._access.entrance(tenant, platform, workspace)
        if isinstance(door, Permanent):
            raise SendError(door.reason, door.detail, permanent=True)
        if isinstance(door, Deferred):
            raise SendError(door.reason, "not now", retry_after_s=door.after_s)
        sender = door.outlet.sender
        if not isinstance(sender, Addresses):
            return Refusal.TARGET_UNKNOWN
        found = await sender.address(workspace, target, door.credential)
        if found is None:
            return Refusal.TARGET_UNKNOWN
        if (found.platform, found.workspace) != (platform, workspace):
            log.error("address.elsewhere", tenant_id=tenant, platform=platform)
            raise SendError(Reason.ISOLATION, "the platform led elsewhere", permanent=True)
        # Refused like what is not there: in an organisation it may be another tenant's.
        ours = await self._access.reaches(tenant, found, door)
        return found if ours else Refusal.TARGET_UNKNOWN
