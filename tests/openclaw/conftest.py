"""Runs only when asked for (`-m openclaw`): it installs a gigabyte and starts two real programs.

Skipped with a word where that cannot be: too little memory, no npm, no registry.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import AsyncIterator
from functools import cache
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


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip from one place, so that it is said in one line, however many tests there are."""
    if "openclaw_program" in getattr(item, "fixturenames", ()):
        program = _program()
        if isinstance(program, str):
            pytest.skip(program)


@pytest.fixture(scope="session")
def openclaw_program() -> Installed:
    """Node.js and OpenClaw."""
    program = _program()
    assert not isinstance(program, str), program
    return program


@pytest.fixture(scope="session")
async def stage(
    openclaw_program: Installed,  # first: without it nothing else is started
    redis_url: str,
    database_url: str,
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


@cache
def _program() -> Installed | str:
    """Node.js and OpenClaw, or words why not."""
    free = _free_bytes()
    if free < MIN_FREE_BYTES:
        return f"two OpenClaws need 6 GB of free memory, there are {free / 1024**3:.1f} GB"
    try:
        return installed(default_cache())
    except MissingError as exc:
        return f"the real OpenClaw is not here: {exc}"


def _free_bytes() -> float:
    """What this machine, or the container around us, can still give; unknown is enough."""
    return min(_of_the_machine(), _of_the_container())


def _of_the_machine() -> float:
    free = _first_number(Path("/proc/meminfo"), "MemAvailable:")
    return math.inf if free is None else free * 1024


def _of_the_container() -> float:
    # https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files
    group = Path("/sys/fs/cgroup")
    most, used = _first_number(group / "memory.max"), _first_number(group / "memory.stat", "anon ")
    return math.inf if most is None or used is None else most - used


def _first_number(path: Path, before: str = "") -> int | None:
    with contextlib.suppress(OSError):
        if found := re.search(rf"^{before}\s*(\d+)", path.read_text(), re.MULTILINE):
            return int(found[1])
    return None
