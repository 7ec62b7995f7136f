"""One tenant's look-up keys in Redis, written from what PostgreSQL holds. Decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from gateway.archive.records import Belongings
from gateway.core.clock import unix_ms
from gateway.core.ids import Platform, TenantId, WorkspaceId
from gateway.store.tenants import KeyHolder, TenantLookup

_BATCH = 500


class RebuildCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What a rebuild wrote, and how many keys it found that are nobody's."""

    tenants: int
    bindings: int
    agent_keys: int
    pruned: int


class WriteThrough:
    """Writes the keys of `Belongings`. Every write may be repeated."""

    def __init__(self, lookup: TenantLookup) -> None:
        self._lookup = lookup

    async def publish(self, belongings: Belongings) -> None:
        """Write everything that is the tenant's. Raises StoreError."""
        tenant = belongings.record.tenant
        # First the endpoint: a binding whose tenant has no endpoint yet would make dead letters.
        await self._lookup.put_endpoint(belongings.endpoint)
        for bound in belongings.bindings:
            sealed = bound.sealed_credential
            await self._lookup.put_binding(
                bound.binding(tenant), None if sealed is None else sealed.encode()
            )
        for key in belongings.agent_keys:
            holder = KeyHolder(tenant=key.tenant, may_speak=not tenant.require_reply_token)
            await self._lookup.put_agent_key(
                key.digest, holder, expires_at_ms=_unix_ms(key.expires_at)
            )

    async def withdraw(self, belongings: Belongings) -> None:
        """Remove everything that was the tenant's. Raises StoreError."""
        for bound in belongings.bindings:
            await self.withdraw_binding(bound.platform, bound.workspace)
        await self.withdraw_agent_keys([key.digest for key in belongings.agent_keys])
        await self._lookup.remove_endpoint(belongings.record.spec.id, departed_ms=unix_ms())

    async def withdraw_binding(self, platform: Platform, workspace: WorkspaceId) -> None:
        """Forget whose a workspace was. Raises StoreError."""
        await self._lookup.remove_binding(platform, workspace)

    async def withdraw_agent_keys(self, digests: Sequence[str]) -> None:
        """Make bearer keys invalid at once. Raises StoreError."""
        for digest in digests:
            await self._lookup.remove_agent_key(digest)

    def keys_of(self, belongings: Belongings) -> set[str]:
        """Name the look-up keys that the tenant has by right."""
        names = {
            self._lookup.workspace_key(bound.platform, bound.workspace)
            for bound in belongings.bindings
        }
        return names | {self._lookup.agent_key_name(key.digest) for key in belongings.agent_keys}

    async def prune(self, known: set[str], tenants: set[TenantId]) -> int:
        """Remove every look-up key that is not `known`, and the endpoints of all but `tenants`;
        return how many keys there were. Raises StoreError.
        """
        # Collected first: a scan may lose its place when keys go while it runs.
        unknown = {key async for key in self._lookup.look_up_keys()} - known
        await self._lookup.forget(sorted(unknown))
        for tenant in await self._lookup.tenants_with_endpoints() - tenants:
            await self._lookup.remove_endpoint(tenant)
        return len(unknown)

    async def finish(self) -> None:
        """Mark the keys as complete: from now on a missing one means that nobody has it."""
        await self._lookup.mark_filled()


def batches(tenants: Sequence[TenantId]) -> list[Sequence[TenantId]]:
    """Split so that a large registry is never in memory as a whole."""
    return [tenants[start : start + _BATCH] for start in range(0, len(tenants), _BATCH)]


def _unix_ms(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)
