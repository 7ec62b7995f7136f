"""Deadlines of all requests on one timer: a handle each would cost as much as the parsing."""

from __future__ import annotations

import asyncio
import heapq
from typing import Final, Protocol

TICK_S: Final = 0.02


class Waiter(Protocol):
    """What waits: a future, whatever comes of it."""

    def done(self) -> bool:
        """Whether it waits no longer."""

    def set_exception(self, exception: BaseException, /) -> None:
        """End the wait."""


class Timers:
    """Slots of waiters by the tick at which they fail with TimeoutError; never early, at most a
    tick late.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._slots: dict[int, set[Waiter]] = {}
        self._ticks: list[int] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, waiter: Waiter, deadline: float) -> set[Waiter]:
        """Let `waiter` fail at `deadline` (the loop's clock). Gives its slot, to take it out of."""
        tick = int(deadline / TICK_S) + 1
        slot = self._slots.get(tick)
        if slot is None:
            slot = self._slots[tick] = set()
            heapq.heappush(self._ticks, tick)
            if self._ticks[0] == tick:
                self._arm()
        slot.add(waiter)
        return slot

    def close(self) -> None:
        """Fire no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        self.close()
        self._timer = self._loop.call_at(self._ticks[0] * TICK_S, self._fire)

    def _fire(self) -> None:
        now = self._loop.time()
        while self._ticks and self._ticks[0] * TICK_S <= now:
            for waiter in self._slots.pop(heapq.heappop(self._ticks)):
                if not waiter.done():
                    waiter.set_exception(TimeoutError())
        if self._ticks:
            self._arm()
