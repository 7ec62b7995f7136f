"""Workers that die are started again; stages start together and stop in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import StoreError
from gateway.pulse import Pulse
from gateway.stages import Stage, run_stages
from gateway.supervisor import LONGEST_WAIT_S, Run, Supervisor, _wait_s
from gateway.telemetry.metrics import Metrics
from tests.support.waiting import eventually


@asynccontextmanager
async def _kept(supervisor: Supervisor, name: str, run: Run) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(supervisor.keep(name, run))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_worker_that_fails_is_started_again_and_its_fault_is_shown_meanwhile() -> None:
    """Red while it is down, green once it runs again."""
    starts: list[int] = []

    async def run() -> None:
        starts.append(1)
        if len(starts) == 1:
            raise RuntimeError("no luck")
        await asyncio.Event().wait()

    supervisor = Supervisor()
    async with _kept(supervisor, "bridge", run):
        fault = await eventually(lambda: supervisor.health().get("bridge"))
        assert "RuntimeError: no luck" == fault
        await eventually(lambda: len(starts) == 2)
        assert {"bridge": None} == supervisor.health()


async def test_a_worker_that_ends_is_started_again() -> None:
    """No worker has any business ending by itself."""
    starts: list[int] = []

    async def run() -> None:
        starts.append(1)

    supervisor = Supervisor()
    async with _kept(supervisor, "pulse", run):
        await eventually(lambda: supervisor.health().get("pulse"))
        assert {"pulse": "ended"} == supervisor.health()
        await eventually(lambda: len(starts) == 2)


async def test_one_that_fails_does_not_touch_the_others() -> None:
    """No fault goes up: a broken gauge must not stop the deliveries."""

    async def fail() -> None:
        raise ExceptionGroup("many", [StoreError("Redis: away")])

    async def work() -> None:
        await asyncio.Event().wait()

    supervisor = Supervisor()
    async with _kept(supervisor, "gauges", fail) as failing, _kept(supervisor, "bridge", work):
        await eventually(lambda: supervisor.health().get("gauges"))
        assert not failing.done()
        assert None is supervisor.health()["bridge"]


async def test_a_cancel_ends_it_while_it_runs_and_while_it_waits() -> None:
    """Stopping never waits for a restart."""

    async def fail() -> None:
        raise RuntimeError("no luck")

    supervisor = Supervisor()
    async with _kept(supervisor, "bridge", fail) as task:
        await eventually(lambda: supervisor.health().get("bridge"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@given(failures=st.integers(0, 10**6))
def test_restarts_slow_down_up_to_a_limit(failures: int) -> None:
    """Never at once, never slower than the longest wait."""
    assert 0.1 <= _wait_s(failures) <= LONGEST_WAIT_S
    assert _wait_s(10) >= LONGEST_WAIT_S / 2


async def test_stages_stop_one_after_the_other() -> None:
    """What a stopping stage still hands on finds the next one at work."""
    ended: list[str] = []
    alive: set[str] = set()

    def worker(name: str) -> Run:
        async def run() -> None:
            alive.add(name)
            try:
                await asyncio.Event().wait()
            finally:
                # Ends slowly: those after it must still be there when it is done.
                await asyncio.sleep(0)
                ended.append(f"{name} before {sorted(alive - {name})}")
                alive.discard(name)

        return run

    stop = asyncio.Event()
    stages: list[Stage] = [
        {"slack": worker("slack")},
        {"bridge": worker("bridge")},
        {"archive": worker("archive")},
    ]
    running = asyncio.create_task(run_stages(stages, Supervisor(), stop))
    await eventually(lambda: len(alive) == 3)

    stop.set()
    await running

    assert [
        "slack before ['archive', 'bridge']",
        "bridge before ['archive']",
        "archive before []",
    ] == ended


async def test_no_stage_stops_before_the_last_one_is_said_to_have_ended() -> None:
    """Other processes may still hand on to the next one, though ours hands on nothing more."""
    told: list[str] = []
    others_ended = asyncio.Event()

    def worker(name: str) -> Run:
        async def run() -> None:
            told.append(f"{name} runs")
            try:
                await asyncio.Event().wait()
            finally:
                told.append(f"{name} stopped")

        return run

    async def ended() -> None:
        told.append("ended")
        await others_ended.wait()

    stop = asyncio.Event()
    stages: list[Stage] = [{"slack": worker("slack")}, {}, {"archive": worker("archive")}]
    running = asyncio.create_task(run_stages(stages, Supervisor(), stop, ended))
    await eventually(lambda: len(told) == 2)

    stop.set()
    await eventually(lambda: "ended" in told)
    assert ["slack stopped", "ended"] == told[2:]
    others_ended.set()
    await running

    assert ["slack stopped", "ended", "ended", "archive stopped", "ended"] == told[2:]


async def test_a_worker_that_fails_while_stopping_stops_the_rest_all_the_same() -> None:
    """The archive is emptied even when the intake went down badly."""
    ended: list[str] = []
    started = asyncio.Event()

    async def fails() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise RuntimeError("went down badly") from None

    async def ends() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("archive")

    stop = asyncio.Event()
    stages: list[Stage] = [{"slack": fails}, {"archive": ends}]
    running = asyncio.create_task(run_stages(stages, Supervisor(), stop))
    await started.wait()

    stop.set()
    async with asyncio.timeout(5):
        await running

    assert ["archive"] == ended


async def test_the_pulse_shows_which_store_is_away_and_when_it_is_back() -> None:
    """By name; the others stay green, and every fault is counted."""
    metrics = Metrics()
    away: list[int] = [1]
    asked: list[int] = []

    async def redis() -> None:
        asked.append(1)
        if away:
            raise StoreError("Redis: ConnectionError")

    async def postgres() -> None:
        return None

    pulse = Pulse({"redis": redis, "postgres": postgres}, metrics)
    async with _kept(Supervisor(), "pulse", pulse.run):
        await eventually(lambda: pulse.health()["redis"])
        assert {"redis": "Redis: ConnectionError", "postgres": None} == pulse.health()
        value = metrics.registry.get_sample_value
        assert 1.0 == value("gateway_store_errors_total", {"store": "redis"})
        away.clear()
        await eventually(lambda: pulse.health()["redis"] is None)
    assert 2 == len(asked)
