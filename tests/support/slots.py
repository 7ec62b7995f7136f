"""A slot of a cluster on its way from one node to another, as an operator moves it.

https://redis.io/docs/latest/commands/cluster-setslot/
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.crc import key_slot

from tests.support.cluster import HOST, ClusterNode, OwnCluster


@dataclass(frozen=True)
class Move:
    """One slot and the two nodes it is between."""

    cluster: OwnCluster
    slot: int
    source: ClusterNode
    target: ClusterNode

    async def begin(self) -> None:
        """From now on new keys of the slot belong to the target."""
        await self._set(self.target, "IMPORTING", self.source)
        await self._set(self.source, "MIGRATING", self.target)

    async def carry(self, *keys: str) -> None:
        """Move these keys."""
        for key in keys:
            await self.cluster.ask(self.source, "MIGRATE", HOST, self.target.port, key, 0, 1000)

    async def carry_all(self) -> None:
        """Move what is left."""
        while keys := await self.cluster.ask(
            self.source, "CLUSTER", "GETKEYSINSLOT", self.slot, 100
        ):
            await self.carry(*(key.decode() for key in keys))

    async def end(self) -> None:
        """The slot is the target's; every primary is told, as redis-cli does."""
        for node in (self.target, self.source, *await self.cluster.primaries()):
            await self._set(node, "NODE", self.target)

    async def _set(self, node: ClusterNode, state: str, other: ClusterNode) -> None:
        name = (await self.cluster.ask(other, "CLUSTER", "MYID")).decode()
        await self.cluster.ask(node, "CLUSTER", "SETSLOT", self.slot, state, name)


@asynccontextmanager
async def moving(cluster: OwnCluster, key: str) -> AsyncIterator[Move]:
    """A move of the key's slot that has begun, and that is undone at the end of the block."""
    source = (await cluster.owners(key))[0]
    target = next(node for node in await cluster.primaries() if node is not source)
    there = Move(cluster, key_slot(key.encode()), source, target)
    back = Move(cluster, there.slot, target, source)
    await there.begin()
    try:
        yield there
    finally:
        for way in (there, back):
            with contextlib.suppress(Exception):
                await way.begin()
            await way.carry_all()
            await way.end()
