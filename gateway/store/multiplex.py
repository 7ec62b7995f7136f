"""One ordered path to one server: commands that wait at the same moment leave as one write.

A command alone costs its caller as much as a dozen that travel together, and over a pool of
connections they would overtake each other. Here they leave in the order in which they were given.
Nothing that blocks the server may travel this way: everybody would wait for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import hiredis
from redis.asyncio import Redis
from redis.asyncio.connection import Connection
from redis.exceptions import ConnectionError as LostError
from redis.exceptions import ReadOnlyError, ResponseError

Command: TypeAlias = Sequence[Any]

MOST_AT_ONCE = 128


class Multiplexer:
    """Sends commands for everybody who shares one client."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._pool: Any = client.connection_pool
        self._waiting: deque[tuple[Command, asyncio.Future[Any]]] = deque()
        self._sending: asyncio.Task[None] | None = None
        self._closed = False

    async def send(self, command: Command) -> Any:
        """Run one command. Raises what redis-py raises.

        A caller that is cancelled leaves its command to be run: it may have been sent already.
        """
        if self._closed:
            raise LostError("the client is closed")
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append((command, answer))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all())
        return await answer

    async def together(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands on one connection that nobody else has meanwhile; errors of Redis are
        answers. Raises what redis-py raises when they were not answered.
        """
        connection: Connection = await self._pool.get_connection()
        try:
            # hiredis packs a command in a microsecond; redis-py's own packer takes forty.
            packed = b"".join(hiredis.pack_command(tuple(command)) for command in commands)
            await connection.send_packed_command(packed)
            answers = [await self._answer(connection, command) for command in commands]
            if any(map(_is_demoted, answers)):
                await connection.disconnect(nowait=True)
        except BaseException:
            # Cut off between two answers, it would give the next caller those of this one.
            await connection.disconnect(nowait=True)
            raise
        finally:
            await self._pool.release(connection)
        return answers

    async def close(self) -> None:
        """Send nothing more; who still waits is told so. What was sent may have been run.

        Before the pool is closed: a batch that comes after would open a connection for nobody.
        """
        self._closed = True
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait([self._sending])
        # Cancelled before it had begun, it has told nobody.
        _fail(self._waiting, LostError("the client was closed"))

    async def _send_all(self) -> None:
        batch: list[tuple[Command, asyncio.Future[Any]]] = []
        try:
            while self._waiting:
                most = min(len(self._waiting), MOST_AT_ONCE)
                batch = [self._waiting.popleft() for _ in range(most)]
                _hand_out(batch, await self.together([command for command, _ in batch]))
        except Exception as exc:  # whatever it is, it is for the callers, who wait for an answer
            # Those behind as well: each batch that waited for a server that hangs would add its
            # time-out to the wait of the next.
            _fail((*batch, *self._waiting), exc)
            self._waiting.clear()
        finally:
            self._sending = None
            # Cut off in the middle, at the end of the loop: nobody else would tell them.
            _fail((*batch, *self._waiting), LostError("the client was closed"))
            self._waiting.clear()

    async def _answer(self, connection: Connection, command: Command) -> Any:
        try:
            return await self._client.parse_response(connection, str(command[0]))
        except ResponseError as exc:
            return exc


def _is_demoted(answer: object) -> bool:
    # Where a name or a proxy leads to the new primary, only a new connection does: an old one
    # would be refused for as long as the demoted server lives. Before Redis 7 the code stands
    # within the message when a script was refused.
    return isinstance(answer, ReadOnlyError) or (
        isinstance(answer, ResponseError) and "-READONLY " in str(answer)
    )


def _fail(unanswered: Iterable[tuple[Command, asyncio.Future[Any]]], fault: BaseException) -> None:
    for _, future in unanswered:
        if not future.done():
            future.set_exception(fault)
            # Retrieved here, for a caller that was cancelled meanwhile will never do so.
            future.exception()


def _hand_out(batch: Sequence[tuple[Command, asyncio.Future[Any]]], answers: Sequence[Any]) -> None:
    for (_, future), answer in zip(batch, answers, strict=True):
        if future.done():
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
