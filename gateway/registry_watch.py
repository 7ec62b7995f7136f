"""Keeps Redis's copy of the registry whole while the gateway runs."""

from __future__ import annotations

import asyncio
import time

import structlog

from gateway.provisioning.operations import Provisioning
from gateway.store.departed import DepartedTenants
from gateway.store.tenants import TenantLookup

log = structlog.get_logger()

EVERY_S = 1.0
EXPIRE_EVERY_S = 60.0


class RegistryWatch:
    """Rebuilds look-up keys that Redis has lost, ends secrets whose grace is over, and sweeps up
    after tenants that were removed.
    """

    def __init__(
        self, lookup: TenantLookup, provisioning: Provisioning, departed: DepartedTenants
    ) -> None:
        self._lookup = lookup
        self._provisioning = provisioning
        self._departed = departed

    async def run(self) -> None:
        """Watch until cancelled. Raises StoreError."""
        expired_at = 0.0
        while True:
            if await self._lookup.filled_with_shards() is None:
                counts = await self._provisioning.rebuild()
                log.warning("registry.rebuilt", tenants=counts.tenants, bindings=counts.bindings)
            if time.monotonic() - expired_at > EXPIRE_EVERY_S:
                await self._provisioning.expire()
                await self._departed.sweep()
                expired_at = time.monotonic()
            await asyncio.sleep(EVERY_S)
