"""When an attempt begins: not more at once than a process may run, and none of a tenant that would
fill the loop. A backlog whose agent answers at once would be worked on without a pause, and every
event, commit and answer of others would wait behind it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from gateway.core.ids import TenantId

SHARE = 1
"""So many attempts of one tenant begin per tick while others are there."""

TICK_S = 0.001
OTHERS_S = 10.0
"""For how long a tenant that was seen counts as being there."""

Begin = Callable[[], None]


class Turnstile:
    """One for all shards of a process; tenants take turns. Who is alone has no share to keep to."""

    def __init__(self, limit: int, share: int = SHARE) -> None:
        self._limit = limit
        self._share = share
        self._running = 0
        self._waiting: dict[TenantId, deque[Begin]] = {}  # in the order of their turns
        self._begun: dict[TenantId, int] = {}
        self._last: TenantId | None = None
        self._others_until = 0.0
        self._tick: asyncio.TimerHandle | None = None
        self._turn: asyncio.Handle | None = None

    def enter(self, tenant: TenantId, begin: Begin) -> None:
        """Call `begin`, now or as soon as may be; for each call there is one of `leave`."""
        loop = asyncio.get_running_loop()
        if tenant != self._last:
            self._last = tenant
            self._others_until = loop.time() + OTHERS_S
        if tenant not in self._waiting and self._may_begin(tenant):
            self._begin(tenant, begin)
        else:
            self._waiting.setdefault(tenant, deque()).append(begin)
        if self._tick is None:
            self._tick = loop.call_later(TICK_S, self._next_tick)

    def leave(self) -> None:
        """An attempt is over."""
        self._running -= 1
        if self._waiting and self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._next_turn)

    def _may_begin(self, tenant: TenantId) -> bool:
        return self._running < self._limit and (
            self._begun.get(tenant, 0) < self._share
            or asyncio.get_running_loop().time() >= self._others_until
        )

    def _begin(self, tenant: TenantId, begin: Begin) -> None:
        self._running += 1
        self._begun[tenant] = self._begun.get(tenant, 0) + 1
        begin()

    def _next_tick(self) -> None:
        self._tick = None
        self._begun = {}
        self._next_turn()
        if self._waiting and self._tick is None:
            self._tick = asyncio.get_running_loop().call_later(TICK_S, self._next_tick)

    def _next_turn(self) -> None:
        # One of each tenant per turn of the loop, so that others come in between.
        self._turn = None
        before = self._running
        for tenant in [each for each in self._waiting if self._may_begin(each)]:
            if self._running < self._limit:
                begins = self._waiting.pop(tenant)
                self._begin(tenant, begins.popleft())
                if begins:
                    self._waiting[tenant] = begins  # behind all others
        if self._waiting and self._running > before and self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._next_turn)
