"""A Redis or a PostgreSQL of a test's own, which it may pause, kill and start again."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest

from gateway.embedded import embedded_servers
from gateway.embedded.processes import command_line
from tests.support.servers import reachable_temp_dir
from tests.support.waiting import eventually

Kind = Literal["redis", "postgres"]

_PID_FILES: dict[Kind, str] = {
    "redis": "redis/redis.pid",
    "postgres": "postgres/data/postmaster.pid",
}


class OwnServer:
    """One real server; its data and its URL outlive every fault."""

    def __init__(self, kind: Kind, data_dir: Path) -> None:
        self.url = ""
        self._kind = kind
        self._data_dir = data_dir
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        """Start it, or start it again after `kill`."""
        await self._stack.aclose()
        endpoints = await self._stack.enter_async_context(
            embedded_servers(
                self._data_dir, redis=self._kind == "redis", postgres=self._kind == "postgres"
            )
        )
        self.url = endpoints.redis_url or endpoints.database_url or ""

    async def close(self) -> None:
        """End it."""
        await self._stack.aclose()

    def pause(self) -> None:
        """It takes connections and answers nothing."""
        os.kill(self._pid(), signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after `pause`."""
        os.kill(self._pid(), signal.SIGCONT)

    async def kill(self) -> None:
        """End it as a power cut would, and wait until it is gone."""
        pid = self._pid()
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: not command_line(pid))

    def forget(self) -> None:
        """Remove all that a Redis has on disk; to be called between `kill` and `start`."""
        for path in (self._data_dir / "redis").glob("appendonly*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _pid(self) -> int:
        return int((self._data_dir / _PID_FILES[self._kind]).read_text().splitlines()[0])


@asynccontextmanager
async def own_server(kind: Kind) -> AsyncIterator[OwnServer]:
    """Start one that nobody else uses."""
    with reachable_temp_dir() as path:
        server = OwnServer(kind, path / "data")
        await server.start()
        try:
            yield server
        finally:
            await server.close()


@pytest.fixture
async def own_redis() -> AsyncIterator[OwnServer]:
    """A Redis that no other test uses."""
    async with own_server("redis") as server:
        yield server


@pytest.fixture
async def own_postgres() -> AsyncIterator[OwnServer]:
    """A PostgreSQL that no other test uses."""
    async with own_server("postgres") as server:
        yield server
