"""How many attempts one process runs at the same moment, over all its shards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Capacity:
    """A counter that takers wait on. Handed out in portions, so that one shard can't have all."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self.waiting = 0
        self._freed = asyncio.Event()
        self._freed.set()

    async def reserve(self, most: int, wanted: Callable[[], bool] = lambda: True) -> int:
        """Wait until something is free, then take between 1 and `most` of it; 0 when it is not
        `wanted` any more.
        """
        while self._free == 0 and wanted():
            self._freed.clear()
            self.waiting += 1
            try:
                await self._freed.wait()
            finally:
                self.waiting -= 1
        granted = min(most, self._free) if wanted() else 0
        self._free -= granted
        return granted

    def ask_again(self) -> None:
        """Let those who wait find out that they need nothing any more."""
        self._freed.set()

    def release(self, count: int) -> None:
        """Give back what was reserved."""
        if count:
            self._free += count
            self._freed.set()
