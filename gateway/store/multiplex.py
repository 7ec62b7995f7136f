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
from redis.exceptions import RedisError, ResponseError

Command: TypeAlias = tuple[Any, ...]

MOST_AT_ONCE = 128


class Multiplexer:
    """Sends commands for everybody who shares one client."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._pool: Any = client.connection_pool
        self._waiting: deque[tuple[Command, asyncio.Future[Any]]] = deque()
        self._sending: asyncio.Task[None] | None = None

    async def send(self, command: Command) -> Any:
        """Run one command. Raises what redis-py raises.

        A caller that is cancelled leaves its command to be run: it may have been sent already.
        """
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append((command, answer))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all())
        return await answer

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                most = min(len(self._waiting), MOST_AT_ONCE)
                batch = [self._waiting.popleft() for _ in range(most)]
                try:
                    _hand_out(batch, await self._answers([command for command, _ in batch]))
                finally:
                    # Cut off in the middle, at the end of the loop: nobody else would tell them.
                    _cancel(batch)
        finally:
            self._sending = None
            _cancel(self._waiting)
            self._waiting.clear()

    async def _answers(self, commands: list[Command]) -> list[Any]:
        try:
            connection: Connection = await self._pool.get_connection()
        except (RedisError, OSError, TimeoutError) as exc:
            return [exc] * len(commands)
        try:
            # hiredis packs a command in a microsecond; redis-py's own packer takes forty.
            packed = b"".join(hiredis.pack_command(command) for command in commands)
            await connection.send_packed_command(packed)
            return [await self._answer(connection, command) for command in commands]
        except (RedisError, OSError, TimeoutError) as exc:
            await connection.disconnect(nowait=True)
            return [exc] * len(commands)
        except BaseException:
            # Cut off between two answers, it would give the next caller those of this one.
            await connection.disconnect(nowait=True)
            raise
        finally:
            await self._pool.release(connection)

    async def _answer(self, connection: Connection, command: Command) -> Any:
        try:
            return await self._client.parse_response(connection, str(command[0]))
        except ResponseError as exc:
            return exc


def _cancel(unanswered: Iterable[tuple[Command, asyncio.Future[Any]]]) -> None:
    for _, future in unanswered:
        future.cancel()


def _hand_out(batch: Sequence[tuple[Command, asyncio.Future[Any]]], answers: Sequence[Any]) -> None:
    for (_, future), answer in zip(batch, answers, strict=True):
        if future.done():
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
