"""Runs only when asked for (`-m openclaw`): it installs a gigabyte and starts two real programs."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from redis.asyncio import Redis

from tests.openclaw.install import Installed, MissingError, default_cache, installed
from tests.openclaw.stage import Stage, open_stage

MIN_FREE_BYTES = 6 * 1024**3


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker here, where it is used."""
    config.addinivalue_line("markers", "openclaw: the plugin inside of the real OpenClaw")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Stay out of a run that does not ask for these."""
    asked = "openclaw" in str(config.getoption("markexpr"))
    return None if asked or collection_path.suffix != ".py" else True


@pytest.fixture(scope="session")
def openclaw_program() -> Installed:
    """Node.js and OpenClaw, or words why not."""
    free = _free_bytes()
    if free < MIN_FREE_BYTES:
        pytest.skip(f"two OpenClaws need 6 GB of free memory, there are {free / 1024**3:.1f}")
    try:
        return installed(default_cache())
    except MissingError as exc:
        pytest.skip(f"OpenClaw is not here: {exc}")


@pytest.fixture(scope="session")
async def stage(
    redis_url: str,
    database_url: str,
    openclaw_program: Installed,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Stage]:
    """One stage for all tests: a container takes longer to start than any of them."""
    name = f"openclaw_{os.getpid()}_{uuid4().hex[:8]}"
    async with Redis.from_url(redis_url) as client:
        await client.flushall()
    server = await asyncpg.connect(database_url)
    try:
        await server.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        own = urlsplit(database_url)._replace(path=f"/{name}").geturl()
        folder = tmp_path_factory.mktemp("openclaw")
        async with open_stage(redis_url, own, openclaw_program, folder) as opened:
            yield opened
        await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await server.close()


def _free_bytes() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0
