"""One connection to Redis on which many commands are under way at once.

redis-py opens it (address, TLS, login, database); from then on it is read and written here, since
redis-py can have one batch on its way and asks six times the CPU per answer. Answers come in the
order of the commands, and that order is all that tells whose they are: nothing is ever taken back,
and a caller who goes away leaves its place in the row.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, cast

import hiredis
from redis.asyncio.connection import Connection
from redis.exceptions import ConnectionError as LostError
from redis.exceptions import InvalidResponse, ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as SilentError

_LOOKS: Final = 4
"""So many looks in the time that a server may be silent. Looks are counted, not seconds: a process
that was paused finds its timer over before it can read what has come meanwhile.
"""

_BUSY: Final = 8
"""With more commands than this on their way, those that follow leave together, at the end of a turn
of the loop: a write for each would cost more than the turn.
"""

_NOTHING_YET: Final = object()


class Link(asyncio.Protocol):
    """Taken over from redis-py. `usable` until it is lost or found to lead to a demoted server."""

    def __init__(
        self, connection: Connection, *, timeout_s: float | None, gone: Callable[[Link], None]
    ) -> None:
        """`gone` is called once, when it is closed for whatever reason."""
        self.connection = connection
        self.usable = True
        self._gone = gone
        self._unanswered: deque[asyncio.Future[Any]] = deque()
        self._unsent: list[bytes] = []
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse,
            replyError=connection._parser.parse_error,
            notEnoughData=_NOTHING_YET,
        )
        self._loop = asyncio.get_running_loop()
        self._look_s = None if timeout_s is None else timeout_s / _LOOKS
        self._looking: asyncio.TimerHandle | None = None
        self._silent_looks = 0
        # redis-py has no public way to the transport of a connection that it opened.
        self._transport = cast("asyncio.StreamWriter", connection._writer).transport
        self._before = self._transport.get_protocol()
        self._transport.set_protocol(self)

    def write(
        self, packed: bytes, answer: asyncio.Future[Any] | None = None
    ) -> asyncio.Future[Any]:
        """Send a command, behind all that were sent before; its bare answer comes true."""
        if answer is None:
            answer = self._loop.create_future()
        self._unanswered.append(answer)
        if self._unsent or len(self._unanswered) > _BUSY:
            if not self._unsent:
                self._loop.call_soon(self._flush)
            self._unsent.append(packed)
        else:
            self._transport.write(packed)
        if self._looking is None and self._look_s is not None:
            self._silent_looks = 0
            self._looking = self._loop.call_later(self._look_s, self._look)
        return answer

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        if unsent:
            self._transport.write(b"".join(unsent))

    def lose(self, fault: Exception) -> None:
        """Close; who waits for an answer gets `fault`. What was sent may have been run."""
        self.usable = False
        unanswered, self._unanswered, self._unsent = self._unanswered, deque(), []
        for future in unanswered:
            refuse(future, fault)
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Called by the loop, as all that follow."""
        self._silent_looks = 0
        self._reader.feed(data)
        try:
            while (answer := self._reader.gets()) is not _NOTHING_YET:
                if type(answer) is not hiredis.PushNotification:
                    self._hand_out(answer)
        except (InvalidResponse, IndexError) as exc:  # the latter: an answer nobody asked for
            self.lose(InvalidResponse(f"no readable answer: {exc}"))
        if not self.usable and not self._unanswered:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Closed, by whom ever."""
        # redis-py's end of the stream waits for this too.
        self._before.connection_lost(exc)
        if self._looking is not None:
            self._looking.cancel()
        self.lose(LostError("the connection was closed"))
        self._gone(self)

    def _hand_out(self, answer: Any) -> None:
        future = self._unanswered.popleft()
        if isinstance(answer, Exception):
            # Where a name or a proxy leads to the new primary, only a new connection does: an old
            # one would be refused for as long as the demoted server lives.
            self.usable = self.usable and not is_demoted(answer)
            refuse(future, answer)
        elif not future.done():
            future.set_result(answer)

    def _look(self) -> None:
        self._looking = None
        if not self._unanswered:
            return
        self._silent_looks += 1
        if self._silent_looks > _LOOKS:
            self.lose(SilentError("no answer in time"))
        elif self._look_s is not None:
            self._looking = self._loop.call_later(self._look_s, self._look)


def is_demoted(answer: object) -> bool:
    """Whether a server refused because it is a replica. Before Redis 7 the code stands within the
    message when a script was refused.
    """
    return isinstance(answer, ReadOnlyError) or (
        isinstance(answer, ResponseError) and "-READONLY " in str(answer)
    )


def refuse(future: asyncio.Future[Any], fault: Exception) -> None:
    """Let a caller have a fault instead of an answer."""
    if not future.done():
        future.set_exception(fault)
        # Retrieved here, for a caller that was cancelled meanwhile will never do so.
        future.exception()
