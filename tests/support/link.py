"""A wire to Redis that a test can cut: clients see what they see when a network goes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import uuid4


class Link:
    """Listens on a socket of its own and passes everything on, as long as it is whole."""

    def __init__(self, path: Path, redis_url: str) -> None:
        self._path = path
        self._target = unquote(urlsplit(redis_url).path)
        self._whole = True
        self._mute = False
        self.lost = 0
        """Answers that were lost, in pieces."""
        self._needle: bytes | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """What a client connects to."""
        return f"unix://{self._path}"

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_unix_server(self._serve, self._path)

    def lead_to(self, redis_url: str) -> None:
        """Pass new connections on to another Redis; those there are stay where they are."""
        self._target = unquote(urlsplit(redis_url).path)

    def cut(self) -> None:
        """End every connection; new ones end at once."""
        self._whole = False
        for writer in self._open:
            writer.transport.abort()

    def mute(self) -> None:
        """Lose every answer from now on; what is asked is still done."""
        self._mute = True

    def hold_at(self, needle: bytes) -> None:
        """Keep every answer back from when somebody asks for this, until `release`."""
        self._needle = needle

    @property
    def is_holding(self) -> bool:
        """Whether somebody has asked for it."""
        return not self._flowing.is_set()

    async def release(self) -> None:
        """Let the answers go that were kept back; returns when they have gone."""
        self._needle = None
        self._flowing.set()
        # Whoever waits goes on before the caller does.
        await asyncio.sleep(0)

    def mend(self) -> None:
        """Let new connections through."""
        self._whole, self._mute = True, False

    async def close(self) -> None:
        """Listen no more."""
        self.cut()
        if self._server is not None:
            self._server.close()

    async def _asked(self, data: bytes) -> bool:
        if self._needle is not None and self._needle in data:
            self._flowing.clear()
        return True

    async def _answered(self, _data: bytes) -> bool:
        await self._flowing.wait()
        self.lost += self._mute
        return not self._mute

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(self._target)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._whole:
            writer.transport.abort()
            return
        try:
            there_reader, there_writer = await self._reach()
        except OSError:
            # As nobody listens there, nobody does here.
            writer.transport.abort()
            return
        self._open |= {writer, there_writer}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pass_on(reader, there_writer, self._asked))
                group.create_task(_pass_on(there_reader, writer, self._answered))
        finally:
            self._open -= {writer, there_writer}


async def _pass_on(
    source: asyncio.StreamReader,
    target: asyncio.StreamWriter,
    lets_through: Callable[[bytes], Awaitable[bool]],
) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(1 << 16):
            if await lets_through(data):
                target.write(data)
                await target.drain()
    # The other direction ends with this one.
    target.transport.abort()


@asynccontextmanager
async def open_link(folder: Path, redis_url: str) -> AsyncIterator[Link]:
    """Open a link to the Redis at `redis_url` (unix://)."""
    # More than one may share a folder.
    link = Link(folder / f"{uuid4().hex[:8]}.sock", redis_url)
    await link.start()
    try:
        yield link
    finally:
        await link.close()
