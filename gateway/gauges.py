"""Keeps the gauges of the queues true. Every replica reports all shards: take the maximum."""

from __future__ import annotations

import asyncio

from gateway.core.clock import unix_ms
from gateway.core.deliveries import Direction
from gateway.store.connection import Client
from gateway.store.depths import dead_letters, depth
from gateway.store.keys import Shard
from gateway.telemetry.metrics import Metrics

EVERY_S = 10.0


class QueueGauges:
    """Samples depth and age of all queues."""

    def __init__(self, client: Client, shards: int, metrics: Metrics) -> None:
        self._client = client
        self._shards = [Shard(number) for number in range(shards)]
        self._metrics = metrics

    async def run(self) -> None:
        """Sample until cancelled. Raises StoreError."""
        while True:
            for direction in Direction:
                await self._sample(direction)
            dead = [await dead_letters(self._client, shard) for shard in self._shards]
            self._metrics.dead_letter_depth.set(sum(dead))
            await asyncio.sleep(EVERY_S)

    async def _sample(self, direction: Direction) -> None:
        depths = [await depth(self._client, shard, direction) for shard in self._shards]
        oldest_ms = min((each.oldest_ms for each in depths if each.oldest_ms), default=None)
        age_s = 0.0 if oldest_ms is None else max(unix_ms() - oldest_ms, 0) / 1000
        self._metrics.queue_depth.labels(direction).set(sum(each.queued for each in depths))
        self._metrics.queue_oldest_age.labels(direction).set(age_s)
