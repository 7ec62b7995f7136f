"""Step 1: whose event is this? Fails closed: what is bound to nobody goes nowhere (law 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gateway.core.decisions import Dropped, DropReason
from gateway.core.events import InboundEvent
from gateway.core.ids import Platform, WorkspaceId
from gateway.core.tenants import Binding


class Resolve(Protocol):
    """Look a workspace up. Raises StoreError when nobody can know (law 9)."""

    async def __call__(
        self, platform: Platform, candidates: Sequence[WorkspaceId]
    ) -> Binding | None: ...


async def resolve_tenant(event: InboundEvent, resolve: Resolve) -> Binding | Dropped:
    """Find the binding of the event's workspace, else of its organisation."""
    workspace = event.conversation.workspace
    candidates = [workspace]
    if event.enterprise is not None and event.enterprise != workspace:
        candidates.append(event.enterprise)
    binding = await resolve(event.conversation.platform, candidates)
    if binding is None:
        return Dropped(reason=DropReason.UNBOUND_WORKSPACE, trail=("tenant: unbound_workspace",))
    return binding
