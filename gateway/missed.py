"""What was said and not heard: read by the workspace's own credential, less what is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gateway.attention import Attention
from gateway.core.events import InboundEvent
from gateway.core.ids import Platform
from gateway.core.ports import Recalls, Spot
from gateway.ingress import scoped_keys
from gateway.sealing import Seal
from gateway.store.cursors import Cursors, Place
from gateway.store.tenants import BoundWorkspace, TenantLookup
from routing.pipeline import as_bound


@dataclass(frozen=True, slots=True)
class Memory:
    """Where it is kept who heard what, and whose it is."""

    lookup: TenantLookup
    seal: Seal
    cursors: Cursors
    attention: Attention = field(default_factory=Attention)


class Missed:
    """Reads, and changes nothing."""

    def __init__(self, memory: Memory, recalls: Mapping[Platform, Recalls]) -> None:
        self._memory = memory
        self._recalls = recalls

    async def bound(self, place: Place) -> BoundWorkspace | None:
        """Look up whose the place is now; None when it is not the same tenant's any more.

        Raises StoreError.
        """
        lookup = self._memory.lookup
        bound = await lookup.bound_workspace(place.platform, place.workspace)
        if bound is None and place.enterprise is not None:
            bound = await lookup.bound_workspace(place.platform, place.enterprise)
        if bound is None or bound.binding.tenant.id != place.tenant:
            return None
        return bound

    async def said(self, bound: BoundWorkspace, spot: Spot, since: datetime) -> list[InboundEvent]:
        """Read what was said there after `since` and not heard, oldest first.

        Raises SendError, StoreError.
        """
        if bound.sealed_credential is None:
            return []
        credential = self._memory.seal.credential(bound.sealed_credential, bound.binding)
        said = await self._recalls[spot.ref.platform].said_since(spot, since, credential)
        said = [event for event in said if not self._memory.attention.has_heard(event)]
        names = [scoped_keys(as_bound(event, bound.binding)) for event in said]
        known = await self._memory.cursors.known(bound.binding.tenant.id, names)
        return [event for event, is_known in zip(said, known, strict=True) if not is_known]
