"""Law 5: a delivery keeps its id over retries and crashes; the attempt is a number of its own."""

from __future__ import annotations

import pytest

from gateway.core.audit import AuditAction
from gateway.demo.world import World
from gateway.sandbox.agent import Answer, Hang
from tests.support.evidence import idle, queued, records
from tests.support.waiting import eventually
from tests.support.worlds import ACME, ACME_TEAM

pytestmark = pytest.mark.e2e

SHORT_LEASES = {"GATEWAY_LEASE_S": "1"}


async def test_a_retry_has_the_same_id_and_the_next_number(world: World) -> None:
    """The agent can tell that it has seen it."""
    agent = world.agents[ACME]
    agent.fail_next(Answer(500), times=2)
    await world.start_gateway()
    world.slack.say(ACME_TEAM, "C0GENERAL", "U0ANNA", "hello", mention=True)
    await world.slack.wait_for_bot_messages(ACME_TEAM, "C0GENERAL", 1, timeout_s=10)

    assert [1, 2, 3] == [delivery.attempt for delivery in agent.deliveries]
    assert 1 == len({delivery.delivery_id for delivery in agent.deliveries})


async def test_a_gateway_killed_in_mid_delivery_and_before_it_loses_nothing(world: World) -> None:
    """One message is in the agent's hands, one is committed and waits: both come after kill -9."""
    agent = world.agents[ACME]
    agent.fail_next(Hang(60))
    await world.start_gateway(SHORT_LEASES)
    root = world.slack.say(ACME_TEAM, "C0GENERAL", "U0ANNA", "first", mention=True)
    [hanging] = await agent.wait_for(1, timeout_s=10)
    # In the same conversation, so that it waits behind the first and cannot have been delivered.
    world.slack.say(ACME_TEAM, "C0GENERAL", "U0ANNA", "second", thread_ts=root, mention=True)
    await world.slack.settled(timeout_s=10)
    assert 2 == await queued(world)

    await world.gateway.kill()
    await world.start_gateway(SHORT_LEASES)
    await world.slack.wait_for_bot_messages(ACME_TEAM, "C0GENERAL", 2, timeout_s=20)

    first, again, second = agent.deliveries
    assert hanging == first
    assert (first.delivery_id, 2) == (again.delivery_id, again.attempt)
    assert 1 == second.attempt
    assert ["first", "first", "second"] == [each.body["text"] for each in agent.deliveries]
    log = [each for each in await records(world) if each.action is AuditAction.EVENT_ROUTED]
    assert {first.delivery_id, second.delivery_id} == {
        each.delivery_id for each in log if each.outcome == "accepted"
    }


async def test_a_gateway_that_is_told_to_stop_leaves_what_it_cannot_finish(world: World) -> None:
    """The agent takes longer than the stop: the next gateway delivers it, under the same id."""
    agent = world.agents[ACME]
    agent.fail_next(Hang(60))
    await world.start_gateway({"GATEWAY_STOP_DEADLINE_S": "0.2"})
    world.slack.say(ACME_TEAM, "C0GENERAL", "U0ANNA", "first", mention=True)
    await agent.wait_for(1, timeout_s=10)

    assert 0 == await world.gateway.stop()
    await world.start_gateway()
    await world.slack.wait_for_bot_messages(ACME_TEAM, "C0GENERAL", 1, timeout_s=20)

    first, again = agent.deliveries
    assert (first.delivery_id, 2) == (again.delivery_id, again.attempt)
    await eventually(lambda: idle(world))
