"""How full the queues are, for metrics. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.core.deliveries import Direction
from gateway.core.ids import TenantId
from gateway.store.connection import Client, Value, run, run_all
from gateway.store.keys import Shard


@dataclass(frozen=True, slots=True)
class Depth:
    """Of one shard in one direction; `oldest_ms` is when its oldest delivery was accepted."""

    queued: int
    oldest_ms: int | None


async def depth(client: Client, shard: Shard, direction: Direction) -> Depth:
    """Count what waits or is in flight. Raises StoreError."""
    tenants = [TenantId(name.decode()) for name in await run(client, "HKEYS", shard.tenants)]
    commands: list[tuple[Value, ...]] = []
    for tenant in tenants:
        queue = shard.queue(tenant, direction)
        commands += [("XLEN", queue), ("XRANGE", queue, "-", "+", "COUNT", 1)]
    answers = await run_all(client, *commands) if commands else []
    oldest = [int(first[0][0].partition(b"-")[0]) for first in answers[1::2] if first]
    return Depth(queued=sum(answers[::2]), oldest_ms=min(oldest, default=None))


async def dead_letters(client: Client, shard: Shard) -> int:
    """Count the dead letters of a shard's tenants. Raises StoreError."""
    tenants = [TenantId(name.decode()) for name in await run(client, "HKEYS", shard.tenants)]
    commands = [("XLEN", shard.dead(tenant)) for tenant in tenants]
    return sum(await run_all(client, *commands)) if commands else 0
