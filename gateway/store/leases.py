"""Leases with fencing numbers: one replica at a time owns a shard's work of one role."""

from __future__ import annotations

import time
from dataclasses import dataclass

from gateway.core.deliveries import Direction
from gateway.store.connection import Client, Script, run, run_all
from gateway.store.keys import Shard, replicas

BRIDGE = "bridge"
EGRESS = "egress"
ARCHIVE = "archive"
MONITOR = "monitor"

_DIRECTIONS = {BRIDGE: Direction.INBOUND, EGRESS: Direction.OUTBOUND}


@dataclass(frozen=True, slots=True)
class Lease:
    """Proof of ownership. The token ends in the fencing number: an older one never fits again."""

    shard: Shard
    role: str
    token: str

    @property
    def direction(self) -> Direction:
        """Which queue the role works on. KeyError for a role that has none."""
        return _DIRECTIONS[self.role]


class LeaseStore:
    """Takes, keeps and hands back leases for one replica."""

    def __init__(self, client: Client, *, owner: str, ttl_s: float) -> None:
        """`owner` must be new at every start of a process, or a restart would own its past."""
        self._client = client
        self._owner = owner
        self._ttl_ms = round(ttl_s * 1000)
        self._acquire = Script(client, "acquire")
        self._renew = Script(client, "renew")
        self._release = Script(client, "release")

    async def acquire(self, shard: Shard, role: str) -> Lease | None:
        """Take the lease if it is free. Raises StoreError."""
        keys = [shard.lease(role), shard.fence(role)]
        token = await self._acquire(keys, [self._owner, self._ttl_ms])
        return None if token is None else Lease(shard, role, token.decode())

    async def renew(self, lease: Lease) -> bool:
        """Keep the lease; False when it is not ours any more. Raises StoreError."""
        return bool(await self._renew([lease.shard.lease(lease.role)], [lease.token, self._ttl_ms]))

    async def release(self, lease: Lease) -> None:
        """Hand the lease back, so that another replica need not wait for its end."""
        await self._release([lease.shard.lease(lease.role)], [lease.token])

    async def live_replicas(self, role: str) -> int:
        """Report this replica as alive and count all that are. Raises StoreError."""
        now_ms = round(time.time() * 1000)
        key = replicas(role)
        answer = await run_all(
            self._client,
            ("ZADD", key, now_ms, self._owner),
            ("ZREMRANGEBYSCORE", key, "-inf", now_ms - self._ttl_ms),
            ("ZCARD", key),
        )
        return int(answer[2])

    async def leave(self, role: str) -> None:
        """Stop counting as alive, so that the others take over at once."""
        await run(self._client, "ZREM", replicas(role), self._owner)
