"""Agents that fail, hang, go away or are gone: retried, left alone, disabled; neighbours go on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from urllib.parse import urlsplit

import pytest

from gateway.core.audit import AuditAction, AuditRecord
from gateway.demo.world import World, open_world
from gateway.sandbox.agent import AgentFault, Answer, Hang, Reset
from tests.e2e.faults.load import ACME, GLOBEX, SHORT, STUBBORN, Load, company
from tests.support.commands import run_command
from tests.support.conservation import FLAWLESS, at_rest, verdict
from tests.support.evidence import metric, queued, records
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e


@pytest.fixture
async def world(clean_redis: str, fresh_database: str) -> AsyncIterator[World]:
    """ACME, whose agent has half a second to answer, and GLOBEX, its neighbour."""
    companies = [company(ACME, timeout_s=0.5), company(GLOBEX)]
    async with open_world(clean_redis, fresh_database, companies, rules=STUBBORN) as opened:
        yield opened


async def expect_conservation(world: World, load: Load) -> None:
    """All that was said arrived once, in order, and at nobody else's."""
    await at_rest(world)
    assert FLAWLESS == await verdict(world)
    assert load.everything_arrived()


async def acme_records(world: World, action: AuditAction) -> list[AuditRecord]:
    """ACME's records of one kind, oldest first."""
    return [each for each in await records(world) if (ACME, action) == (each.tenant, each.action)]


async def state_of_acme(world: World) -> Mapping[str, object]:
    """How ACME does, as `tenant show` tells an operator."""
    shown = await run_command(world.environment(), "tenant", "show", ACME)
    state: Mapping[str, object] = shown["state"]
    return state


async def go_away(world: World) -> None:
    """ACME's agent ends: connections are refused."""
    await world.agents[ACME].close()


async def come_back(world: World) -> None:
    """ACME's agent listens again where it did."""
    agent = world.agents[ACME]
    await agent.start(port=urlsplit(agent.url).port or 0)


async def test_every_failure_is_tried_again_under_the_same_id(world: World) -> None:
    """By its own reason, until the agent takes it; few failures open no breaker."""
    gateway = await world.start_gateway(SHORT)
    agent, load = world.agents[ACME], Load(world)
    faults: dict[AgentFault, str] = {
        Answer(500): "agent_error",
        Answer(503, retry_after_s=1): "agent_busy",
        Answer(429, retry_after_s=1): "agent_busy",
        Reset(): "agent_unreachable",
        Reset(after_accepting=True): "agent_unreachable",
        Hang(1.0): "agent_timeout",
    }

    for number, fault in enumerate(faults):
        agent.fail_next(fault)
        load.say(ACME)
        await agent.wait_for(2 * (number + 1), timeout_s=10)
    await expect_conservation(world, load)

    retried = await acme_records(world, AuditAction.DELIVERY_RETRIED)
    assert list(faults.values()) == [each.reason for each in retried]
    assert [1, 2] * len(faults) == [each.attempt for each in agent.deliveries]
    assert 0 == await metric(gateway, "gateway_breaker_changes_total", change="opened")


async def test_an_open_breaker_hands_nothing_out(world: World) -> None:
    """What comes while the agent is away waits untried, and goes in order when it is back."""
    gateway = await world.start_gateway(SHORT)
    agent, load = world.agents[ACME], Load(world)
    await go_away(world)
    for number in range(12):
        load.say(ACME, f"D0EARLY{number}")
    await eventually(lambda: has_changed(world, AuditAction.BREAKER_OPENED))
    open_state = await state_of_acme(world)
    for _ in range(10):
        load.say(ACME, "D0LATE")
    await world.slack.settled(timeout_s=10)
    tried = await metric(gateway, "gateway_delivery_attempts_total", direction="in")

    load.say(GLOBEX)
    await world.agents[GLOBEX].wait_for(1, timeout_s=10)
    await eventually(lambda: globex_is_settled(world))
    assert tried + 1 == await metric(gateway, "gateway_delivery_attempts_total", direction="in")

    await come_back(world)
    await expect_conservation(world, load)

    late = [each for each in agent.deliveries if "D0LATE" in str(each.body["conversation"])]
    assert [1] * 10 == [each.attempt for each in late]
    assert str(open_state["breaker"]).startswith("open since ")
    assert "closed" == (await state_of_acme(world))["breaker"]
    for action in (AuditAction.BREAKER_OPENED, AuditAction.BREAKER_CLOSED):
        assert 1 == len(await acme_records(world, action))
    for change in ("opened", "closed"):
        assert 1 == await metric(gateway, "gateway_breaker_changes_total", change=change)


async def has_changed(world: World, action: AuditAction) -> bool:
    """Whether ACME's breaker has done this."""
    return bool(await acme_records(world, action))


async def globex_is_settled(world: World) -> bool:
    """Whether what GLOBEX said has been delivered and answered."""
    done = [each for each in await records(world) if each.tenant == GLOBEX]
    return [AuditAction.DELIVERY_DELIVERED] * 2 == [
        each.action for each in done if each.action is AuditAction.DELIVERY_DELIVERED
    ]


async def test_a_breaker_that_errors_opened_closes_when_the_health_page_answers(
    world: World,
) -> None:
    """An agent that says 500 is left alone until its health page says that it is well."""
    gateway = await world.start_gateway(SHORT)
    agent, load = world.agents[ACME], Load(world)
    agent.fail_next(Answer(500), times=12)

    for number in range(24):
        load.say(ACME, f"D0ANNA{number % 6}")
    await expect_conservation(world, load)

    opened = await acme_records(world, AuditAction.BREAKER_OPENED)
    closed = await acme_records(world, AuditAction.BREAKER_CLOSED)
    assert ["the health page answers"] * len(opened) == [each.detail for each in closed]
    assert len(opened) == await metric(gateway, "gateway_breaker_changes_total", change="opened")
    assert opened


async def test_an_endpoint_that_is_gone_waits_for_an_operator(world: World) -> None:
    """410: its message is a dead letter, what comes later waits, `tenant resume` lets it go."""
    await world.start_gateway(SHORT)
    agent, load = world.agents[ACME], Load(world)
    agent.fail_next(Answer(410))
    load.say(ACME)
    await eventually(lambda: has_changed(world, AuditAction.ENDPOINT_DISABLED))
    for _ in range(5):
        load.say(ACME)
    await world.slack.settled(timeout_s=10)

    assert 5 == await queued(world)
    assert 1 == len(agent.deliveries)
    state = await state_of_acme(world)
    assert str(state["breaker"]).startswith("gone since ")
    assert 1 == state["dead letters"]
    assert FLAWLESS == await verdict(world)

    await run_command(world.environment(), "tenant", "resume", ACME)
    await at_rest(world)
    assert FLAWLESS == await verdict(world)
    assert 6 == len(agent.deliveries)
    [dead] = await acme_records(world, AuditAction.DELIVERY_DEAD)
    assert "endpoint_gone" == dead.reason
    assert "closed" == (await state_of_acme(world))["breaker"]


async def test_health_is_seen_before_anything_was_sent(world: World) -> None:
    """One endpoint is away when the gateway starts: the metric counts it, the operator sees it."""
    await go_away(world)
    gateway = await world.start_gateway(SHORT)

    async def checked() -> bool:
        found = [
            await metric(gateway, "gateway_endpoints", health=each) for each in ("ill", "well")
        ]
        return found == [1, 1]

    await eventually(checked)
    state = await state_of_acme(world)
    assert str(state["health"]).startswith("ill (ClientConnectorError, ")
    assert "closed" == state["breaker"]
    await come_back(world)


async def test_a_hanging_agent_does_not_hold_up_its_neighbour(
    clean_redis: str, fresh_database: str
) -> None:
    """All that GLOBEX said is answered while nothing of what ACME said is."""
    companies = [company(ACME), company(GLOBEX)]
    quick_stop = {**SHORT, "GATEWAY_STOP_DEADLINE_S": "0.2", "GATEWAY_IN_FLIGHT": "32"}
    async with open_world(clean_redis, fresh_database, companies, rules=STUBBORN) as world:
        await world.start_gateway(quick_stop)
        acme, load = world.agents[ACME], Load(world)
        acme.fail_next(Hang(60), times=100)
        for number in range(60):
            load.say(ACME, f"D0ANNA{number}")
        await acme.wait_for(16, timeout_s=10)

        for number in range(60):
            load.say(GLOBEX, f"D0ANNA{number % 20}")
        await world.slack.settled(timeout_s=20)
        await eventually(lambda: len(world.agents[GLOBEX].accepted_ids) == 60)
        await eventually(lambda: only_acme_waits(world))

        assert FLAWLESS == await verdict(world)
        assert (16, 0) == (len(acme.deliveries), len(acme.accepted_ids))


async def only_acme_waits(world: World) -> bool:
    """Whether ACME's sixty are all that is queued."""
    return await queued(world) == 60
