"""One keep-alive connection with at most one request on it. It never sends a request again."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from plugin_bridge.classify import Answer
from plugin_bridge.lean.reading import BadAnswerError, Reading
from plugin_bridge.transport import ConnectionLostError


class Home(Protocol):
    """Who lends the connection."""

    def release(self, connection: Connection) -> None:
        """It has its answer and can take another request."""

    def forget(self, connection: Connection) -> None:
        """It is closed."""


class Connection(asyncio.Protocol):
    """Open from `connection_made` on; `usable` says whether it still is, as far as we heard."""

    def __init__(self, home: Home, loop: asyncio.AbstractEventLoop) -> None:
        self.idle_until = 0.0
        self._home = home
        self._loop = loop
        self._reading = Reading()
        self._waiter: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport | None = None

    @property
    def usable(self) -> bool:
        """Whether a request may be written to it now."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, request: bytes) -> asyncio.Future[Answer]:
        """Write a request; gives where its answer comes, or ConnectionLostError.

        Whoever waits for it calls `give_up` when no longer interested.
        """
        assert self._transport is not None, "asked of a usable connection only"  # noqa: S101
        self._waiter = waiter = self._loop.create_future()
        self._transport.write(request)
        return waiter

    def give_up(self, waiter: asyncio.Future[Answer]) -> None:
        """Close if `waiter` has no answer yet: a late one would be taken for that of the next."""
        if self._waiter is waiter:
            self._waiter = None
            self.abort()

    def abort(self) -> None:
        """Close at once; TLS would wait for a goodbye that a hung server never says."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop, as all that follow."""
        # uvloop's transports do not inherit from asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Part of an answer; or what nobody asked for, which ends the connection."""
        if self._waiter is None:
            self.abort()
            return
        try:
            self._reading.feed(data)
        except BadAnswerError as exc:
            self._fail(f"no readable answer: {exc}")
            self.abort()
            return
        if self._reading.complete:
            self._finish(self._waiter)

    def eof_received(self) -> None:
        """The server says no more; the loop closes the connection after this."""
        self._reading.end()
        if self._waiter is not None and self._reading.complete:
            self._finish(self._waiter)
        self._fail("closed before the answer was complete")
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Closed, by whom ever."""
        self._transport = None
        self._fail(type(exc).__name__ if exc else "closed before the answer was complete")
        self._home.forget(self)

    def _finish(self, waiter: asyncio.Future[Answer]) -> None:
        self._waiter = None
        if not waiter.done():
            waiter.set_result(self._reading.answer())
        # An answer that came before the request was out: the rest of it would begin the next one.
        if self._reading.reusable and self._written:
            self._reading.start()
            self._home.release(self)
        else:
            self.abort()

    @property
    def _written(self) -> bool:
        return self._transport is not None and self._transport.get_write_buffer_size() == 0

    def _fail(self, why: str) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(ConnectionLostError(why))
