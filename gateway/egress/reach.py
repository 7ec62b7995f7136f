"""Whether a conversation is the tenant's where its credential reaches into workspaces of others.

Law 8 compares the workspace that a conversation's id names; but an organisation's token speaks
into all its workspaces, some of which may be bound to somebody else. Where a channel stands is
remembered for minutes; whose the workspaces are is asked of the bindings at every attempt.
"""

from __future__ import annotations

from enum import StrEnum

from gateway.core.conversations import ConversationRef
from gateway.core.ids import TenantId, WorkspaceId
from gateway.core.places import Places
from gateway.core.ports import Sender
from gateway.core.tenants import Credential
from gateway.store.places import PlaceNotes
from gateway.store.tenants import TenantLookup


class Whose(StrEnum):
    """Of whom a conversation is, as the tenant sees it. NOBODYS: there is none within its reach."""

    OURS = "ours"
    ANOTHERS = "anothers"
    NOBODYS = "nobodys"


class Reach:
    """Costs nothing but a look into memory where a credential opens one workspace."""

    def __init__(self, lookup: TenantLookup, notes: PlaceNotes) -> None:
        self._lookup = lookup
        self._notes = notes

    async def whose(
        self, tenant: TenantId, ref: ConversationRef, sender: Sender, credential: Credential
    ) -> Whose:
        """Tell whose `ref` is. Raises SendError when the platform cannot be asked, StoreError."""
        if not isinstance(sender, Places):
            return Whose.OURS
        if not await sender.reaches_further(ref.workspace, credential):
            return Whose.OURS
        workspaces = await self._notes.read(tenant, ref)
        if workspaces is None:
            workspaces = await sender.workspaces_of(ref, credential)
            await self._notes.looked_up(tenant, ref, workspaces)
        return await self._judged(tenant, ref, workspaces)

    async def _judged(
        self, tenant: TenantId, ref: ConversationRef, workspaces: frozenset[WorkspaceId]
    ) -> Whose:
        if not workspaces:
            return Whose.NOBODYS
        owners = await self._lookup.owners(ref.platform, workspaces)
        if owners - {tenant}:
            return Whose.ANOTHERS
        return Whose.OURS if ref.workspace in workspaces else Whose.NOBODYS
