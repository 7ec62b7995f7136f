"""Moves audit records from the shards' streams into the archive. Written first, removed after: a
crash between the two writes a batch twice, and the archive keeps it once.
"""

from __future__ import annotations

import asyncio
import contextlib
import random

from gateway.archive.audit import AuditArchive
from gateway.core.clock import unix_ms
from gateway.store.auditlog import AuditLog
from gateway.store.leases import Lease
from gateway.telemetry.metrics import Metrics

BATCH = 1000
POLL_S = 0.5


class Archivist:
    """Works on the audit stream of one shard."""

    def __init__(
        self, lease: Lease, log: AuditLog, archive: AuditArchive, metrics: Metrics
    ) -> None:
        self._shard = lease.shard
        self._log = log
        self._archive = archive
        self._metrics = metrics
        self._stopping = asyncio.Event()

    def wake(self) -> None:
        """Records come all the time: there is nothing to be woken for."""

    def stop(self) -> None:
        """Move what is there, then return from `run`."""
        self._stopping.set()

    async def run(self) -> None:
        """Move records until `stop`. Raises StoreError."""
        while True:
            stopping = self._stopping.is_set()
            if await self._move() == BATCH:
                continue
            if stopping:
                return
            await self._rest()

    async def _move(self) -> int:
        entries = await self._log.read(self._shard, BATCH)
        if entries:
            self._metrics.audit_lag.set(max(unix_ms() - entries[0].at_ms, 0) / 1000)
            await self._archive.write(entries)
            await self._log.remove(self._shard, entries)
            self._metrics.audit_archived.inc(len(entries))
        return len(entries)

    async def _rest(self) -> None:
        # Spread, so that the shards of one process do not all ask at the same moment.
        rest_s = POLL_S * random.uniform(0.7, 1.3)  # noqa: S311 - only a pace
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(rest_s):
                await self._stopping.wait()
