"""Real Redis and PostgreSQL as private children of this process, for machines that have neither.

Owns their start and their end through the keeper (see keeper.py). Never opens a TCP port, never
connects to the servers but to ask whether they answer.
"""

import asyncio
import json
import logging
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gateway.embedded.binaries import Places, find_postgres, find_redis_server, usual_places
from gateway.embedded.errors import EmbeddedServerError
from gateway.embedded.folders import make_data_dir
from gateway.embedded.layout import Layout, layout_of
from gateway.embedded.lock import is_held
from gateway.embedded.postgres_program import data_major
from gateway.embedded.probes import postgres_answers, redis_answers
from gateway.embedded.processes import open_log

# More than the keeper needs for the last resort on both servers.
_STOP_TIMEOUT_S = 60.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the servers listen; None for one that was not asked for.

    `redis_url` is `unix:///dir/redis.sock`, `database_url` is
    `postgresql://gateway@/gateway?host=/dir&port=5432`, for redis-py and asyncpg as they are.
    """

    redis_url: str | None
    database_url: str | None


@asynccontextmanager
async def embedded_servers(
    data_dir: Path, *, redis: bool, postgres: bool, places: Places | None = None
) -> AsyncIterator[Endpoints]:
    """Run the servers that are asked for on `data_dir` until the block ends, or this process does.

    They answer when the block begins. The data are kept. `places` says where to look for the
    programs, by default on PATH and in the packages of the extra `embedded`.
    Raises EmbeddedServerError if a program is missing, the directory is in use or a server fails.
    """
    if not redis and not postgres:
        yield Endpoints(None, None)
        return
    layout = layout_of(data_dir)
    where = places or usual_places()
    arguments = await asyncio.to_thread(_prepared, layout, where, redis=redis, postgres=postgres)
    keeper = await _start_keeper(layout, arguments)
    try:
        await _check_started(keeper, layout)
        watch = asyncio.create_task(_report_end(keeper, layout))
        try:
            yield _endpoints(layout, redis=redis, postgres=postgres)
        finally:
            watch.cancel()
    finally:
        await _stop_keeper(keeper)


async def running_servers(data_dir: Path) -> Endpoints | None:
    """The servers that another live process runs on `data_dir`, if they answer to us."""
    return await asyncio.to_thread(_running, layout_of(data_dir))


@asynccontextmanager
async def join_or_start(
    data_dir: Path, *, redis: bool = True, postgres: bool = True
) -> AsyncIterator[Endpoints]:
    """Use the servers of a running gateway, else run them until the block ends.

    Raises EmbeddedServerError as embedded_servers does.
    """
    running = await running_servers(data_dir)
    if running and _has(running, redis=redis, postgres=postgres):
        yield running
        return
    async with embedded_servers(data_dir, redis=redis, postgres=postgres) as started:
        yield started


def _prepared(layout: Layout, places: Places, *, redis: bool, postgres: bool) -> list[str]:
    """Find the programs, make the data directory and return the keeper's arguments."""
    arguments = ["--data-dir", str(layout.data_dir), "--gateway-pid", str(os.getpid())]
    if redis:
        arguments += ["--redis-server", str(find_redis_server(places))]
    if postgres:
        binaries = find_postgres(places, data_major=data_major(layout))
        arguments += ["--postgres-bin", str(binaries.bin_dir)]
        if binaries.package:
            arguments += ["--postgres-package", str(binaries.package)]
    try:
        make_data_dir(layout.data_dir)
    except OSError as exc:
        raise _unusable(layout, exc) from exc
    return arguments


async def _start_keeper(layout: Layout, arguments: list[str]) -> Process:
    try:
        log = open_log(layout.keeper_log)
    except OSError as exc:
        raise _unusable(layout, exc) from exc
    with log:
        # A session of its own: Ctrl-C in a terminal goes to the whole process group and would stop
        # the servers before the gateway has finished with them.
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "gateway.embedded.keeper", *arguments),
            stdin=PIPE,
            stdout=PIPE,
            stderr=log,
            start_new_session=True,
        )


async def _check_started(keeper: Process, layout: Layout) -> None:
    line = await keeper.stdout.readline() if keeper.stdout else b""
    if not line:
        raise EmbeddedServerError(
            f"the keeper of the embedded servers died at start, see {layout.keeper_log}"
        )
    if error := json.loads(line).get("error"):
        raise EmbeddedServerError(error)


async def _report_end(keeper: Process, layout: Layout) -> None:
    code = await keeper.wait()
    _log.error("embedded servers ended (exit code %s), see %s", code, layout.keeper_log)


async def _stop_keeper(keeper: Process) -> None:
    if keeper.stdin:
        keeper.stdin.close()
    try:
        async with asyncio.timeout(_STOP_TIMEOUT_S):
            await keeper.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            keeper.kill()
        await keeper.wait()


def _running(layout: Layout) -> Endpoints | None:
    if not is_held(layout.lock):
        return None
    actual = layout.with_sockets_in_use()
    found = _endpoints(
        actual,
        redis=redis_answers(actual.redis_socket),
        postgres=postgres_answers(actual.postgres_socket),
    )
    return found if found.redis_url or found.database_url else None


def _endpoints(layout: Layout, *, redis: bool, postgres: bool) -> Endpoints:
    return Endpoints(
        redis_url=layout.redis_url if redis else None,
        database_url=layout.database_url if postgres else None,
    )


def _has(endpoints: Endpoints, *, redis: bool, postgres: bool) -> bool:
    return (not redis or endpoints.redis_url is not None) and (
        not postgres or endpoints.database_url is not None
    )


def _unusable(layout: Layout, exc: OSError) -> EmbeddedServerError:
    return EmbeddedServerError(f"cannot use {layout.data_dir}: {exc}: pick another --data-dir")
