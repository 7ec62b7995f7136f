"""The connections to one origin: kept alive, at most `limit`, lent in order of arrival."""

from __future__ import annotations

import asyncio
from collections import deque

from plugin_bridge.lean.connection import Connection
from plugin_bridge.lean.dialing import Dialer
from plugin_bridge.lean.timers import Timers
from plugin_bridge.transport import KEEPALIVE_S, NotConnectedError

Waiter = asyncio.Future[Connection | None]
"""Comes true with a connection, or with None: the right to dial one."""


class Pool:
    """A connection is idle, lent, or being dialled; those that wait get the first that is free."""

    def __init__(
        self, dialer: Dialer, timers: Timers, loop: asyncio.AbstractEventLoop, *, limit: int
    ) -> None:
        self._dialer = dialer
        self._timers = timers
        self._loop = loop
        self._limit = limit
        self._open: set[Connection] = set()
        self._idle: dict[Connection, None] = {}  # the one used last at the end
        self._dialing = 0
        self._waiters: deque[Waiter] = deque()
        self._closed = False

    @property
    def open(self) -> int:
        """How many connections are open."""
        return len(self._open)

    @property
    def size(self) -> int:
        """How many are open or being dialled."""
        return len(self._open) + self._dialing

    async def acquire(self, deadline: float) -> Connection:
        """Lend a connection. Raises NotConnectedError, at `deadline` at the latest."""
        while not self._closed:
            # Whoever finds one idle overtakes nobody: there are none while anybody waits.
            connection = self._last_used()
            if connection is not None:
                return connection
            if self.size < self._limit:
                self._dialing += 1
                return await self._dial(deadline)
            connection = await self._wait(deadline)
            if connection is None:
                return await self._dial(deadline)
            if connection.usable:
                return connection
        raise NotConnectedError("the gateway is stopping")

    def release(self, connection: Connection) -> None:
        """Lend it to who waits longest, or keep it."""
        if not self._hand(connection):
            connection.idle_until = self._loop.time() + KEEPALIVE_S
            self._idle[connection] = None

    def forget(self, connection: Connection) -> None:
        """It is closed: another may be dialled in its place."""
        self._idle.pop(connection, None)
        if connection in self._open:
            self._open.remove(connection)
            self._pass_on()

    def close_stale(self, now: float) -> None:
        """Close what has been idle for KEEPALIVE_S."""
        for connection in list(self._idle):
            if connection.idle_until > now:
                return  # those behind it were used later
            connection.abort()

    def close(self) -> None:
        """Close all. Requests on them fail with ConnectionLostError, those that wait for one with
        NotConnectedError.
        """
        self._closed = True
        for connection in list(self._open):
            connection.abort()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(NotConnectedError("the gateway is stopping"))

    def _last_used(self) -> Connection | None:
        now = self._loop.time()
        while self._idle:
            connection, _ = self._idle.popitem()
            if connection.idle_until > now and connection.usable:
                return connection
            connection.abort()
        return None

    async def _dial(self, deadline: float) -> Connection:
        """Dial in the place that was counted for it, or give that back."""
        try:
            connection = await self._dialer.dial(lambda: Connection(self, self._loop), deadline)
        except BaseException:
            self._dialing -= 1
            self._pass_on()
            raise
        self._dialing -= 1
        self._open.add(connection)
        if self._closed:
            connection.abort()
        if not connection.usable:
            self.forget(connection)
            raise NotConnectedError("closed as soon as it was open")
        return connection

    async def _wait(self, deadline: float) -> Connection | None:
        waiter: Waiter = self._loop.create_future()
        self._waiters.append(waiter)
        slot = self._timers.add(waiter, deadline)
        try:
            return await waiter
        except TimeoutError as exc:
            raise NotConnectedError("no connection became free in time") from exc
        except asyncio.CancelledError:
            self._give_back(waiter)
            raise
        finally:
            slot.discard(waiter)

    def _give_back(self, waiter: Waiter) -> None:
        # Cancelled just after it had been served: what it got must not leave the pool with it.
        if not waiter.done() or waiter.cancelled() or waiter.exception() is not None:
            return
        connection = waiter.result()
        if connection is None:
            self._dialing -= 1
            self._pass_on()
        elif connection.usable:
            self.release(connection)

    def _pass_on(self) -> None:
        """A place is free: the next in line may dial."""
        if self._hand(None):
            self._dialing += 1

    def _hand(self, connection: Connection | None) -> bool:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return True
        return False
