"""What removed tenants have left: kept for a day, in case an operator erred, and then removed piece
by piece. What was accepted and is discarded here is on record.

Most keys end by themselves within that day; here are those that would not: dead letters, and what
is known of an agent's requests.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import structlog

from gateway.core.clock import unix_ms
from gateway.core.deliveries import Direction
from gateway.core.ids import TenantId
from gateway.store.breakers import BreakerStore
from gateway.store.connection import Client, Script, run
from gateway.store.keys import Shard, shard_of

log = structlog.get_logger()

KEPT_S: Final = 24 * 3600
PIECE: Final = 200
MOST_PIECES: Final = 500
"""In one sweep of one tenant: what is more comes with the next."""


class _Step(StrEnum):
    MORE = "more"
    WAITS = "waits"
    DONE = "done"
    BACK = "back"


class DepartedTenants:
    """Sweeps. Any number of replicas may do so at once, and a tenant may come back meanwhile."""

    def __init__(self, client: Client, shards: int, *, now_ms: Callable[[], int] = unix_ms) -> None:
        self._client = client
        self._shards = shards
        self._depart = Script(client, "depart")
        self._breakers = BreakerStore(client, shards)
        self._now_ms = now_ms

    async def sweep(self) -> None:
        """Remove what has been kept long enough. Raises StoreError."""
        until_ms = self._now_ms() - KEPT_S * 1000
        for number in range(self._shards):
            key = Shard(number).departed
            for name in await run(self._client, "ZRANGEBYSCORE", key, "-inf", until_ms):
                await self._sweep(TenantId(name.decode()))

    async def _sweep(self, tenant: TenantId) -> None:
        # Behind an open one its deliveries would wait for ever: let them die.
        await self._breakers.close(tenant, why="the tenant was removed")
        for _ in range(MOST_PIECES):
            step = await self._step(tenant)
            if step is not _Step.MORE:
                log.info("tenant.swept", tenant_id=tenant, outcome=step.value)
                return

    async def _step(self, tenant: TenantId) -> _Step:
        shard = shard_of(tenant, self._shards)
        dead = shard.dead(tenant)
        keys = [
            shard.profiles,
            shard.departed,
            dead,
            f"{dead}:ids",
            shard.queue(tenant, Direction.INBOUND),
            shard.queue(tenant, Direction.OUTBOUND),
            shard.ledgers(tenant),
            shard.open_streams(tenant),
            shard.health,
            shard.audit,
        ]
        answer = await self._depart(keys, [tenant, shard.tenant(tenant), PIECE])
        return _Step(answer.decode())
