"""Several workers under one process: as good as one, killed, hung, stopped, refused."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from gateway.demo.world import APP_TOKEN, World
from gateway.embedded import running_servers
from gateway.embedded.processes import command_line, is_alive
from gateway.sandbox.agent import Hang
from gateway.sandbox.process import GatewayProcess
from gateway.sandbox.slack import SlackSandbox
from tests.e2e.faults.load import ACME, CHANNELS, SHORT, Load, held, under_load
from tests.support.conservation import FLAWLESS, at_rest, conversation_of, verdict
from tests.support.evidence import metric
from tests.support.servers import reachable_temp_dir
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e

TWO = {**SHORT, "GATEWAY_WORKERS": "2"}


def workers(gateway: GatewayProcess) -> dict[int, int]:
    """The process ids of the workers that run, by their numbers."""
    lines = {int(each.name): command_line(int(each.name)) for each in Path("/proc").glob("[0-9]*")}
    parted = {pid: line.partition(" -m gateway worker --number ")[2] for pid, line in lines.items()}
    return {
        int(rest.split()[0]): pid
        for pid, rest in parted.items()
        if rest and f"PPid:\t{gateway.pid}\n" in Path(f"/proc/{pid}/status").read_text()
    }


def signal_worker(gateway: GatewayProcess, worker: int, number: signal.Signals) -> int:
    """Send a signal to one worker; returns its process id."""
    pid = workers(gateway)[worker]
    os.kill(pid, number)
    return pid


def died(gateway: GatewayProcess, pid: int) -> bool:
    """Whether it has been said aloud that this process was killed."""
    said = (each for each in gateway.logs if each["event"] == "worker.died")
    return (pid, "SIGKILL") in {(each["pid"], each["ended"]) for each in said}


def gone(pids: list[int]) -> bool:
    """Whether none of these processes runs."""
    return not any(is_alive(pid) and command_line(pid) for pid in pids)


async def ready(gateway: GatewayProcess) -> dict[str, str]:
    """What /readyz says is not."""
    async with aiohttp.ClientSession() as session, session.get(f"{gateway.ops}/readyz") as answer:
        trouble: dict[str, str] = (await answer.json())["not_ready"]
        assert (503 if trouble else 200) == answer.status
        return trouble


async def is_ready(gateway: GatewayProcess) -> bool:
    """Whether nothing is missing."""
    return not await ready(gateway)


def said_by(gateway: GatewayProcess, event: str) -> set[int]:
    """The numbers of the workers that logged such an event."""
    return {each["worker_number"] for each in gateway.logs if each["event"] == event}


async def expect_conservation(world: World, load: Load) -> None:
    """All that was said arrived once, in order, and at nobody else's."""
    await at_rest(world)
    assert FLAWLESS == await verdict(world)
    assert [] == list(world.slack.given_up)
    assert load.everything_arrived()


def disordered(world: World) -> list[str]:
    """Conversations that an agent did not get in the order in which people wrote.

    Where nobody hears for a while, Slack itself sends the older again after the newer.
    """
    wrong = []
    for tenant, agent in world.agents.items():
        for channel in CHANNELS:
            bodies = {each.delivery_id: each.body for each in agent.deliveries}.values()
            numbers = [
                int(str(body["text"]).removeprefix("message "))
                for body in bodies
                if conversation_of(body).endswith(f":{channel}")
            ]
            if numbers != sorted(numbers):
                wrong.append(f"{tenant} {channel}")
    return wrong


async def test_two_workers_are_one_gateway(world: World) -> None:
    """One hears, both deliver and take answers; one scrape tells it all, and two sockets do."""
    gateway = await world.start_gateway(TWO)
    for agent in world.agents.values():
        agent.mode = "async"
    await eventually(partial(is_ready, gateway))

    async with under_load(world) as load:
        await load.progress()
        await eventually(lambda: {1, 2} == said_by(gateway, "delivery.attempted"), timeout_s=20)
        await load.progress()
    await at_rest(world)
    for tenant, agent in world.agents.items():
        await agent.wait_for_replies(load.said[tenant], timeout_s=20)
    await expect_conservation(world, load)

    said = load.said.total()
    assert [] == disordered(world)
    assert {202} == {status for each in world.agents.values() for status in each.reply_statuses}
    assert {1} == said_by(gateway, "event.handled")
    assert 2 == world.slack.sockets_opened
    assert 2 == await metric(gateway, "gateway_connections", platform="slack")
    assert 2 == await metric(gateway, "gateway_workers")
    for role in ("bridge", "egress", "monitor", "archive"):
        assert 16 == await metric(gateway, "gateway_shards_owned", role=role)
    assert said == await metric(gateway, "gateway_events_routed_total", outcome="accepted")
    for direction in ("in", "out"):
        done = {"direction": direction, "outcome": "delivered"}
        assert said == await metric(gateway, "gateway_delivery_attempts_total", **done)
        of = {"direction": direction}
        assert said == await metric(gateway, "gateway_end_to_end_seconds_count", **of)


async def test_killed_workers_come_back_and_nothing_is_lost(world: World) -> None:
    """First the one that only delivers, then the one that hears Slack; no total ever falls."""
    gateway = await world.start_gateway(TWO)
    totals = [0.0]

    async with under_load(world) as load:
        await load.progress()
        for ends, worker in enumerate((2, 1), start=1):
            killed = signal_worker(gateway, worker, signal.SIGKILL)
            await eventually(partial(died, gateway, killed))
            totals.append(await metric(gateway, "gateway_delivery_attempts_total"))
            await eventually(partial(is_ready, gateway), timeout_s=30)
            assert ends == await metric(gateway, "gateway_worker_ends_total")
            await load.progress()
            totals.append(await metric(gateway, "gateway_delivery_attempts_total"))
    await expect_conservation(world, load)

    assert totals == sorted(totals)
    assert gateway.returncode is None


async def test_a_stop_is_one_road_for_all_workers(world: World) -> None:
    """No worker stops delivering while another still takes in; no lease and no process is left."""
    gateway = await world.start_gateway({**TWO, "GATEWAY_LEASE_S": "120"})
    pids = [*workers(gateway).values()]

    async with under_load(world) as load:
        await load.progress()
        assert 0 == await gateway.stop(timeout_s=30)
        assert gone(pids)
        assert [] == [key async for key in world.stores.redis.scan_iter(match="*:lease:*")]
        await world.start_gateway(TWO)
        await load.progress()
    await expect_conservation(world, load)

    stopping = [each for each in gateway.logs if each["event"] == "stage.stopping"]
    stages = [each["workers"][0] for each in stopping]
    in_order = (
        "slack",
        "bridge",
        "bridge",
        "egress",
        "egress",
        "archive",
        "archive",
        "wake",
        "wake",
    )
    assert list(in_order) == stages
    assert [] == [each for each in gateway.logs if each["level"] in {"error", "critical"}]


async def test_a_second_signal_ends_all_at_once(world: World) -> None:
    """For somebody who will not wait for what is in flight; the exit code says so."""
    gateway = await world.start_gateway({**TWO, "GATEWAY_STOP_DEADLINE_S": "300"})
    pids = [*workers(gateway).values()]
    world.agents[ACME].fail_next(Hang(300))
    Load(world).say(ACME)
    await eventually(lambda: held(world, ACME))

    gateway.interrupt()
    await eventually(lambda: said_by(gateway, "stage.stopping"))
    gateway.interrupt()

    assert 1 == await gateway.ended(timeout_s=10)
    assert gone(pids)


async def test_workers_do_not_outlive_the_one_that_looks_after_them(world: World) -> None:
    """Left alone they would hold the ports, and nobody would start them again."""
    gateway = await world.start_gateway(TWO)
    pids = [*workers(gateway).values()]

    await gateway.kill()

    await eventually(lambda: gone(pids), timeout_s=20)
    assert [] == [key async for key in world.stores.redis.scan_iter(match="*:lease:*")]


async def test_a_worker_that_hangs_is_named(world: World) -> None:
    """/readyz tells, and /metrics goes on with what it said last."""
    gateway = await world.start_gateway(TWO)
    await eventually(partial(is_ready, gateway))

    signal_worker(gateway, 2, signal.SIGSTOP)
    trouble = await eventually(partial(ready, gateway), timeout_s=20)
    counted = await metric(gateway, "gateway_workers")
    signal_worker(gateway, 2, signal.SIGCONT)

    assert {"worker 2"} == set(trouble)
    assert "has not answered for" in trouble["worker 2"]
    assert 2 == counted
    await eventually(partial(is_ready, gateway))


async def test_a_platform_that_calls_waits_for_a_killed_worker(world: World) -> None:
    """The port is not the worker's: a call meets no closed door, only a wait."""
    called = {"SLACK_MODE": "http", "SLACK_SIGNING_SECRET": "s", "GATEWAY_PUBLIC_PORT": "0"}
    gateway = GatewayProcess({**world.environment(), **TWO, **called})
    world.gateways.append(gateway)
    await gateway.start()
    await gateway.listening()

    before = await _unsigned(gateway)
    killed = signal_worker(gateway, 1, signal.SIGKILL)
    await eventually(lambda: gone([killed]))

    assert [401, 401] == [before, await _unsigned(gateway)]


async def _unsigned(gateway: GatewayProcess) -> int:
    # Over a connection of its own: one that is open ends with the process that serves it.
    url = f"{gateway.public}/slack/events"
    async with aiohttp.ClientSession() as session, session.post(url, data=b"{}") as answer:
        return answer.status


async def test_settings_that_only_the_stores_can_refuse_end_it(world: World) -> None:
    """Said once, with the exit code of wrong settings, instead of starting workers for ever."""
    gateway = GatewayProcess({**world.environment(), **TWO, "GATEWAY_SHARDS": "8"})
    await gateway.start()

    assert 2 == await gateway.ended(timeout_s=30)
    said = [line for line in gateway.stray_lines if "GATEWAY_SHARDS is 8" in line]
    assert 1 == len(said)


async def test_embedded_servers_are_the_supervising_processs_own() -> None:
    """Started once, for all workers; a worker's end is not theirs, and theirs is the gateway's."""
    with reachable_temp_dir() as path:
        async with SlackSandbox(app_token=APP_TOKEN) as slack:
            gateway = GatewayProcess(
                {
                    **TWO,
                    "GATEWAY_DEMO": "1",
                    "GATEWAY_PORT": "0",
                    "GATEWAY_OPS_PORT": "0",
                    "GATEWAY_DATA_DIR": str(path / "data"),
                    "SLACK_APP_TOKEN": APP_TOKEN,
                    "SLACK_API_BASE_URL": slack.base_url,
                }
            )
            await gateway.start()
            try:
                await gateway.listening()
                before = await running_servers(path / "data")
                killed = signal_worker(gateway, 1, signal.SIGKILL)
                await eventually(partial(died, gateway, killed))
                await eventually(partial(is_ready, gateway), timeout_s=30)

                assert before is not None
                assert before == await running_servers(path / "data")
                assert 0 == await gateway.stop()
                assert None is await running_servers(path / "data")
            finally:
                await gateway.kill()
