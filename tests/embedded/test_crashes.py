"""The embedded servers end with the gateway however it ends, and come back with their data."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.embedded import Endpoints, embedded_servers, running_servers
from gateway.embedded.processes import command_line, run
from tests.embedded.test_servers import recall, remember
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e


@asynccontextmanager
async def gateway(data_dir: Path) -> AsyncIterator[Process]:
    """A gateway process that has been told to start its servers."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.embedded.gateway_process", str(data_dir)), stdout=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ready(process: Process) -> None:
    """Wait until the gateway's servers answer."""
    assert process.stdout
    assert b"ready\n" == await process.stdout.readline()


async def serving(data_dir: Path) -> Endpoints:
    """Where the gateway's servers listen."""
    endpoints = await running_servers(data_dir)
    assert endpoints
    return endpoints


def server_pids(data_dir: Path) -> tuple[int, int]:
    """The pids of Redis and PostgreSQL."""
    redis = (data_dir / "redis" / "redis.pid").read_text()
    postgres = (data_dir / "postgres" / "data" / "postmaster.pid").read_text()
    return int(redis), int(postgres.splitlines()[0])


def parent_of(pid: int) -> int:
    """The pid of the parent process."""
    return int(run(["ps", "-o", "ppid=", "-p", str(pid)]).stdout)


async def gone(*pids: int) -> None:
    """Wait until none of the processes runs any more."""
    await eventually(lambda: not any(command_line(pid) for pid in pids))


@pytest.mark.parametrize("fate", [signal.SIGTERM, signal.SIGKILL])
async def test_servers_end_with_the_gateway_and_lose_nothing(
    data_dir: Path, fate: signal.Signals
) -> None:
    """No signal, not even kill -9, leaves a server behind or a write forgotten."""
    async with gateway(data_dir) as process:
        await ready(process)
        pids = server_pids(data_dir)
        await remember(await serving(data_dir), fate.name)
        process.send_signal(fate)
        await process.wait()
        # At once, while the keeper still stops the servers: a supervisor restarts this fast.
        async with embedded_servers(data_dir, redis=True, postgres=True) as endpoints:
            assert (fate.name, fate.name) == await recall(endpoints)
            assert not set(pids) & set(server_pids(data_dir))
            await gone(*pids)


async def test_gateway_killed_while_it_makes_the_database_leaves_no_half_of_it(
    data_dir: Path,
) -> None:
    """A first start that is cut off must not be taken for a finished one by the second."""
    async with gateway(data_dir) as process:
        await eventually((data_dir / "postgres" / "unfinished" / "PG_VERSION").exists)
        process.kill()
        await process.wait()
    async with embedded_servers(data_dir, redis=True, postgres=True) as endpoints:
        await remember(endpoints, "whole")
        assert ("whole", "whole") == await recall(endpoints)


async def test_servers_left_over_by_a_killed_keeper_are_replaced(data_dir: Path) -> None:
    """With the keeper killed nobody stops the servers, so the next start has to."""
    async with gateway(data_dir) as process:
        await ready(process)
        pids = server_pids(data_dir)
        await remember(await serving(data_dir), "survived")
        os.kill(parent_of(pids[0]), signal.SIGKILL)
        process.kill()
        await process.wait()
    assert all(command_line(pid) for pid in pids)

    async with embedded_servers(data_dir, redis=True, postgres=True) as endpoints:
        await gone(*pids)
        assert ("survived", "survived") == await recall(endpoints)


async def test_crashed_servers_recover_though_their_old_pids_are_taken(data_dir: Path) -> None:
    """PostgreSQL replays its log, Redis its append-only file.

    Pids start again with a container: an old pid file may name any process, even this one.
    """
    async with embedded_servers(data_dir, redis=True, postgres=True) as endpoints:
        await remember(endpoints, "logged")
        pids = server_pids(data_dir)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        await gone(*pids)
    (data_dir / "redis" / "redis.pid").write_text(f"{os.getpid()}\n")
    (data_dir / "postgres" / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n")

    async with embedded_servers(data_dir, redis=True, postgres=True) as endpoints:
        assert ("logged", "logged") == await recall(endpoints)


async def test_one_server_that_dies_takes_the_other_along(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Half a pair is no use; the gateway's log names the file that says why."""
    async with embedded_servers(data_dir, redis=True, postgres=True):
        redis, postgres = server_pids(data_dir)
        os.kill(redis, signal.SIGKILL)
        await gone(postgres)
        await eventually(lambda: "embedded servers ended" in caplog.text)

    assert "redis-server ended by itself (exit code -9)" in (data_dir / "keeper.log").read_text()
