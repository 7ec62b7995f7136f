"""One ordered path to one server: commands of the same moment leave as one write, and none waits
for the answer to another.

A command alone costs its caller as much as a dozen that travel together, and over a pool of
connections they would overtake each other. Here they leave in the order in which they were given.
Nothing that blocks the server may travel this way: everybody would wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeAlias

import hiredis
from redis.asyncio import Redis
from redis.asyncio.connection import Connection
from redis.exceptions import ConnectionError as LostError
from redis.exceptions import ResponseError

from gateway.store.link import Link, is_demoted, refuse

Command: TypeAlias = Sequence[Any]


class Multiplexer:
    """Sends commands for everybody who shares one client."""

    def __init__(self, client: Redis, *, timeout_s: float | None) -> None:
        """`timeout_s` is how long the server may be silent while commands wait for it."""
        self._client = client
        self._pool: Any = client.connection_pool
        self._timeout_s = timeout_s
        # A plain dict: redis-py's own makes every name upper-case at every look.
        self._convert: dict[Any, Callable[..., Any]] = dict(client.response_callbacks)
        self._waiting: list[tuple[bytes, asyncio.Future[Any]]] = []
        self._link: Link | None = None
        self._open_links: set[Link] = set()  # with those that only wait for their last answers
        self._opening: asyncio.Task[None] | None = None
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def send(self, command: Command) -> Any:
        """Run one command. Raises what redis-py raises.

        A caller that is cancelled leaves its command to be run: it may have been sent already.
        """
        return self._converted(command[0], await self.post(command))

    async def ask_all(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands that leave together; errors of Redis are answers. Raises what redis-py
        raises when they were not answered.
        """
        waited = [(command[0], self.post(command)) for command in commands]
        answers: list[Any] = []
        for name, each in waited:
            try:
                answers.append(self._converted(name, await each))
            except ResponseError as exc:
                answers.append(exc)
        return answers

    def post(self, command: Command) -> asyncio.Future[Any]:
        """Send a command, at once; its bare answer comes true later."""
        if self._closed:
            raise LostError("the client is closed")
        # hiredis packs a command in a microsecond; redis-py's own packer takes forty.
        packed = hiredis.pack_command(tuple(command))
        if self._link is not None and self._link.usable:
            return self._link.write(packed)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((packed, answer))
        if self._opening is None:
            self._opening = self._start(self._open())
        return answer

    async def together(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands on one connection that nobody else has meanwhile; errors of Redis are
        answers. Raises what redis-py raises when they were not answered.
        """
        connection: Connection = await self._pool.get_connection()
        try:
            packed = b"".join(hiredis.pack_command(tuple(command)) for command in commands)
            await connection.send_packed_command(packed)
            answers = [await self._answer(connection, command) for command in commands]
            if any(map(is_demoted, answers)):
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

        Before the pool is closed: a connection that comes after would be open for nobody.
        """
        self._closed = True
        closed = LostError("the client was closed")
        self._fail_waiting(closed)
        for link in self._open_links:
            link.lose(closed)
        if self._opening is not None:
            self._opening.cancel()
        # The loop closes sockets in its next turn, and that is what gives connections back.
        while self._open_links or self._tasks:  # noqa: ASYNC110
            await asyncio.sleep(0)

    def _converted(self, name: str, answer: Any) -> Any:
        convert = self._convert.get(name)
        return answer if convert is None else convert(answer)

    async def _open(self) -> None:
        try:
            connection = await self._pool.get_connection()
        except Exception as exc:  # whatever it is, it is for the callers, who wait for an answer
            self._fail_waiting(exc)
        else:
            self._link = Link(connection, timeout_s=self._timeout_s, gone=self._give_back)
            self._open_links.add(self._link)
            if self._closed:  # its cancel came too late, or redis-py lost it
                self._link.lose(LostError("the client was closed"))
            for packed, answer in self._waiting:
                _ = self._link.write(packed, answer)
            self._waiting = []
        self._opening = None

    def _give_back(self, link: Link) -> None:
        self._open_links.discard(link)
        _ = self._start(self._release(link.connection))

    async def _release(self, connection: Connection) -> None:
        await connection.disconnect(nowait=True)
        await self._pool.release(connection)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _fail_waiting(self, fault: Exception) -> None:
        waiting, self._waiting = self._waiting, []
        for _, answer in waiting:
            refuse(answer, fault)

    async def _answer(self, connection: Connection, command: Command) -> Any:
        try:
            return await self._client.parse_response(connection, str(command[0]))
        except ResponseError as exc:
            return exc
