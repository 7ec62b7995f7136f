"""What operators live through: stores that are away at the start, restarts under load."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import aiohttp
import msgspec
import pytest

from gateway.core.ids import TenantId, WorkspaceId
from gateway.demo.world import APP_TOKEN, World, open_world
from gateway.embedded import embedded_servers
from gateway.embedded.layout import Layout, layout_of
from gateway.sandbox.agent import Hang
from gateway.sandbox.process import GatewayProcess
from gateway.sandbox.slack import SlackSandbox
from tests.support.servers import reachable_temp_dir
from tests.support.waiting import eventually
from tests.support.worlds import ACME, ACME_TEAM, GLOBEX, GLOBEX_TEAM, PATIENT, companies

pytestmark = pytest.mark.e2e

CHANNEL = "C0GENERAL"
TEAMS: dict[TenantId, WorkspaceId] = {ACME: ACME_TEAM, GLOBEX: GLOBEX_TEAM}
# A lease that is not handed back would hold its shard longer than any test waits.
LOADED = {"GATEWAY_SLACK_POSTS_PER_S": "100", "GATEWAY_LEASE_S": "120"}


@dataclass(frozen=True)
class Waiting:
    """A gateway that was started before its stores were there."""

    missing: str
    gateway: GatewayProcess
    layout: Layout
    slack: SlackSandbox
    ops: str

    async def get(self, path: str) -> tuple[int, bytes] | None:
        """Ask the operators' listener; None while it is not up."""
        async with aiohttp.ClientSession() as session:
            try:
                async with session.get(f"{self.ops}{path}") as answer:
                    return answer.status, await answer.read()
            except aiohttp.ClientConnectorError:
                return None

    async def names_the_product(self) -> dict[str, str]:
        """What a red /readyz says, once it names the store that is missing."""
        answer = await self.get("/readyz")
        if answer is None or answer[0] != 503:
            return {}
        trouble: dict[str, str] = msgspec.json.decode(answer[1])["not_ready"]
        return trouble if any(self.missing in reason for reason in trouble.values()) else {}

    async def is_ready(self) -> bool:
        """Whether /readyz answers 200."""
        answer = await self.get("/readyz")
        return answer is not None and answer[0] == 200


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Where the missing server will be."""
    with reachable_temp_dir() as path:
        yield path / "data"


@pytest.fixture(params=["Redis", "PostgreSQL"])
async def waiting(
    request: pytest.FixtureRequest,
    data_dir: Path,
    clean_redis: str,
    fresh_database: str,
    unused_tcp_port: int,
) -> AsyncIterator[Waiting]:
    """A gateway with one of its stores missing."""
    layout = layout_of(data_dir)
    async with SlackSandbox(app_token=APP_TOKEN) as slack:
        env = {
            "GATEWAY_DEMO": "1",
            "GATEWAY_PORT": "0",
            "GATEWAY_OPS_PORT": str(unused_tcp_port),
            "REDIS_URL": layout.redis_url if request.param == "Redis" else clean_redis,
            "DATABASE_URL": layout.database_url
            if request.param == "PostgreSQL"
            else fresh_database,
            "SLACK_APP_TOKEN": APP_TOKEN,
            "SLACK_API_BASE_URL": slack.base_url,
        }
        gateway = GatewayProcess(env)
        await gateway.start()
        try:
            yield Waiting(
                request.param, gateway, layout, slack, f"http://127.0.0.1:{unused_tcp_port}"
            )
        finally:
            await gateway.kill()


async def test_a_store_that_is_missing_at_the_start_is_waited_for(waiting: Waiting) -> None:
    """Alive, not ready, and saying which; ready by itself once the store is there."""
    trouble: dict[str, str] = await eventually(waiting.names_the_product)
    assert {"stores"} == set(trouble)
    assert (200, b'{"ok": true}') == await waiting.get("/healthz")
    assert 0 == waiting.slack.sockets_opened

    async with embedded_servers(
        waiting.layout.data_dir,
        redis=waiting.missing == "Redis",
        postgres=waiting.missing == "PostgreSQL",
    ):
        ready: bool = await eventually(waiting.is_ready, timeout_s=20)
        assert ready
        await waiting.slack.wait_for_sockets(2, timeout_s=10)
        assert 0 == await waiting.gateway.stop(timeout_s=10)

    logs = list(waiting.gateway.logs)
    unreachable = [each for each in logs if each["event"] == "stores.unreachable"]
    assert unreachable
    assert [] == [each for each in unreachable if waiting.missing not in each["error"]]
    assert [] == [each for each in logs if "exception" in each]
    assert [] == list(waiting.gateway.stray_lines)


async def test_a_gateway_that_waits_for_a_store_stops_when_asked(waiting: Waiting) -> None:
    """SIGTERM is heard while there is nothing to stop yet."""
    trouble: dict[str, str] = await eventually(waiting.names_the_product)
    assert trouble

    assert 0 == await waiting.gateway.stop(timeout_s=5)


@pytest.fixture
async def inline_world(clean_redis: str, fresh_database: str) -> AsyncIterator[World]:
    """A world whose agents answer inline, so that every answer is the gateway's to keep."""
    answering = [replace(company, inline=True) for company in companies()]
    async with open_world(clean_redis, fresh_database, answering, rules=PATIENT) as opened:
        yield opened


def _say(world: World, numbers: range) -> None:
    for number in numbers:
        for team in TEAMS.values():
            world.slack.say(team, CHANNEL, "U0ANNA", f"message {number}", mention=True)


async def _answers(world: World, team: WorkspaceId, count: int) -> list[str]:
    messages = await world.slack.wait_for_bot_messages(team, CHANNEL, count, timeout_s=30)
    return [message.text for message in messages]


async def _leases(world: World) -> list[bytes]:
    return [key async for key in world.stores.redis.scan_iter(match="*:lease:*")]


async def test_a_restart_under_load_answers_every_message_exactly_once(
    inline_world: World,
) -> None:
    """Messages before, during and after the stop; some in flight while it happens."""
    world, each = inline_world, 20
    first = await world.start_gateway(LOADED)
    world.agents[ACME].fail_next(Hang(0.5), times=3)
    _say(world, range(each))
    await world.agents[ACME].wait_for(3, timeout_s=10)

    assert 0 == await first.stop(timeout_s=20)
    left = await _leases(world)
    _say(world, range(each, 2 * each))
    await world.start_gateway(LOADED)
    _say(world, range(2 * each, 3 * each))

    assert [] == left
    for tenant, team in TEAMS.items():
        answers = await _answers(world, team, 3 * each)
        expected = [f"*{tenant}*: you said: message {number}" for number in range(3 * each)]
        assert Counter(expected) == Counter(answers)
        assert 3 * each == len(world.agents[tenant].accepted_ids)
    await world.slack.settled(timeout_s=10)
    assert [] == list(world.slack.given_up)
    assert [] == [entry for entry in first.logs if entry["level"] in {"error", "critical"}]


async def test_what_cannot_end_in_time_is_handed_over(world: World) -> None:
    """The deadline cuts an attempt off; the next gateway makes it again, under the same id."""
    impatient = {**LOADED, "GATEWAY_STOP_DEADLINE_S": "0.2"}
    first = await world.start_gateway(impatient)
    agent = world.agents[ACME]
    agent.fail_next(Hang(20.0))
    world.slack.say(ACME_TEAM, CHANNEL, "U0ANNA", "hello", mention=True)
    [cut_off] = await agent.wait_for(1, timeout_s=10)

    assert 0 == await first.stop(timeout_s=10)
    await world.start_gateway(impatient)
    _, again = await agent.wait_for(2, timeout_s=10)

    assert (cut_off.delivery_id, 1, 2) == (again.delivery_id, cut_off.attempt, again.attempt)
    assert ["*acme*: you said: hello"] == await _answers(world, ACME_TEAM, 1)


async def _is_ready(session: aiohttp.ClientSession, ops: str) -> bool:
    async with session.get(f"{ops}/readyz") as ready:
        return (200, {"ready": True, "not_ready": {}}) == (ready.status, await ready.json())


async def test_an_idle_gateway_is_ready_and_shows_the_plans_metrics(world: World) -> None:
    """After one message: counted in, counted out, nothing left behind."""
    gateway = await world.start_gateway(LOADED)
    world.slack.say(ACME_TEAM, CHANNEL, "U0ANNA", "hello", mention=True)
    await _answers(world, ACME_TEAM, 1)

    shown = {
        'gateway_connections{platform="slack"} 2.0',
        'gateway_shards_owned{role="bridge"} 16.0',
        'gateway_events_routed_total{outcome="accepted",platform="slack",reason=""} 1.0',
        "gateway_isolation_violations_total 0.0",
    }

    async def are_shown() -> bool:
        async with session.get(f"{gateway.ops}/metrics") as answer:
            return shown <= set((await answer.text()).splitlines())

    async with aiohttp.ClientSession() as session:
        await eventually(partial(_is_ready, session, gateway.ops))
        await eventually(are_shown)
