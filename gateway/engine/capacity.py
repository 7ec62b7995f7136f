"""How many attempts one process runs at the same moment, over all its shards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.engine.turnstile import Turnstile

PORTION = 32
"""Most that is handed out at once: small enough that shards of one process take turns."""

MOST_AHEAD = 128
"""Most that is taken ahead, by a process that may run so many at once. Few enough that a successor
has little to doubt: it can't tell what was begun of what it recovers.
"""

Granted = Callable[[int], None]


class Capacity:
    """Places, handed out in portions and in the order in which they were asked for, so that one
    shard cannot have all of them. There are more than may run: what is taken ahead is there to
    begin while the next take is on its way, and takes are larger for it.
    """

    def __init__(self, limit: int) -> None:
        self.turnstile = Turnstile(limit)
        self._portion = max(1, min(PORTION, limit // 4))
        self._free = limit + min(limit, MOST_AHEAD)
        self._asking: dict[Granted, None] = {}
        self._handing_out: asyncio.Handle | None = None

    @property
    def free(self) -> int:
        """How many places nobody has."""
        return self._free

    @property
    def asking(self) -> int:
        """How many wait."""
        return len(self._asking)

    def ask(self, granted: Granted) -> int:
        """Take a portion; with nothing free or others before, 0, and `granted` is called with a
        portion when it is this one's turn.
        """
        if granted in self._asking:
            return 0
        if self._asking or self._free == 0:
            self._asking[granted] = None
            return 0
        return self._take()

    def withdraw(self, granted: Granted) -> None:
        """Ask no longer."""
        self._asking.pop(granted, None)

    def release(self, count: int) -> None:
        """Give back what was granted."""
        self._free += count
        if self._asking and self._free and self._handing_out is None:
            # At the end of this turn of the loop: attempts end together, and make one portion.
            self._handing_out = asyncio.get_running_loop().call_soon(self._hand_out)

    def _hand_out(self) -> None:
        self._handing_out = None
        while self._asking and self._free:
            granted = next(iter(self._asking))
            del self._asking[granted]
            granted(self._take())

    def _take(self) -> int:
        portion = min(self._portion, self._free)
        self._free -= portion
        return portion
