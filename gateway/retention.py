"""Keeps the archive's months: the coming ones made ahead, the old ones dropped whole. And sweeps
out the agents' files whose day is over.
"""

from __future__ import annotations

import asyncio

from gateway.archive.connection import Pool
from gateway.archive.files import FileStore
from gateway.archive.partitions import Month, drop_before, ensure_months
from gateway.core.clock import utc_now

EVERY_S = 3600.0


class Retention:
    """Looks after the partitions of the audit table, and after the files."""

    def __init__(self, pool: Pool, months: int) -> None:
        """`months` full months are kept besides the current one."""
        self._pool = pool
        self._months = months
        self._files = FileStore(pool)

    async def run(self) -> None:
        """Look after them until cancelled. Raises StoreError."""
        while True:
            now = utc_now()
            await ensure_months(self._pool, now)
            await drop_before(self._pool, Month.of(now).plus(-self._months))
            await self._files.sweep()
            await asyncio.sleep(EVERY_S)
