"""Leases with fencing numbers: one replica at a time owns a shard's work of one role."""

from __future__ import annotations

import math
import os
import secrets
import socket
import time
from dataclasses import dataclass, field
from typing import Final

from gateway.core.deliveries import Direction
from gateway.store.connection import Client, Script, Value, run
from gateway.store.keys import Shard, replicas

BRIDGE = "bridge"
EGRESS = "egress"
ARCHIVE = "archive"
MONITOR = "monitor"

_SURE: Final = 2 / 3
"""Of a lease's time. A call that begins in it has the rest to be seen by a successor's look."""

_DIRECTIONS = {BRIDGE: Direction.INBOUND, EGRESS: Direction.OUTBOUND}


def new_owner() -> str:
    """Make a name, new at every start: a restarted process must not own what its past self held."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


@dataclass(slots=True)
class Lease:
    """Proof of ownership. The token ends in the fencing number: an older one never fits again.

    `sure_until_s` is by this process's monotonic clock, which goes on while the process is paused.
    """

    shard: Shard
    role: str
    token: str
    sure_until_s: float = field(default=math.inf, compare=False)

    def is_sure(self) -> bool:
        """Whether nobody else can own the shard yet, as far as can be told without asking: the
        lease was renewed a short while ago.
        """
        return time.monotonic() < self.sure_until_s

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
        self._live = Script(client, "live")

    async def acquire(self, shard: Shard, role: str) -> Lease | None:
        """Take the lease if it is free. Raises StoreError."""
        keys = [shard.lease(role), shard.fence(role)]
        sure_until_s = self._sure_from_now_s()
        token = await self._acquire(keys, [self._owner, self._ttl_ms])
        return None if token is None else Lease(shard, role, token.decode(), sure_until_s)

    async def renew(self, lease: Lease) -> bool:
        """Keep the lease; False when it is not ours any more. Raises StoreError."""
        sure_until_s = self._sure_from_now_s()
        renewed = await self._renew([lease.shard.lease(lease.role)], [lease.token, self._ttl_ms])
        if renewed:
            lease.sure_until_s = sure_until_s
        return bool(renewed)

    async def release(self, lease: Lease) -> None:
        """Hand the lease back, so that another replica need not wait for its end."""
        await self._release([lease.shard.lease(lease.role)], [lease.token])

    async def live_replicas(self, role: str) -> int:
        """Report this replica as alive and count all that are. Raises StoreError."""
        now_ms = round(time.time() * 1000)
        args: list[Value] = [self._owner, now_ms, now_ms - self._ttl_ms]
        return int(await self._live([replicas(role)], args))

    async def leave(self, role: str) -> None:
        """Stop counting as alive, so that the others take over at once."""
        await run(self._client, "ZREM", replicas(role), self._owner)

    def _sure_from_now_s(self) -> float:
        # From before the store is asked: its time begins later, and so ends later.
        return time.monotonic() + self._ttl_ms / 1000 * _SURE
