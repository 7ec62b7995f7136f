"""Law 1: if the commit did not happen, the platform is not acked, so it sends again."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.demo.world import World, open_world
from gateway.sandbox.slack import SlackRules
from tests.support.own_servers import OwnServer
from tests.support.waiting import eventually
from tests.support.worlds import ACME, ACME_TEAM, companies

pytestmark = pytest.mark.e2e

STUBBORN = SlackRules(
    post_rate=None, ack_deadline_s=0.7, redelivery_delays_s=(0.1, 0.2, 0.5, 1.0, *(2.0,) * 10)
)


@pytest.fixture
async def world(own_redis: OwnServer, fresh_database: str) -> AsyncIterator[World]:
    """A world whose Redis may be broken."""
    async with open_world(own_redis.url, fresh_database, companies(), rules=STUBBORN) as opened:
        yield opened


async def sent_again(world: World) -> bool:
    """Whether Slack has waited for an acknowledgement in vain."""
    return any(delivery.retry_attempt > 0 for delivery in world.slack.deliveries)


async def expect_one_answer(world: World) -> None:
    """Everything is acknowledged in the end, and what was said arrived once."""
    await world.slack.wait_for_bot_messages(ACME_TEAM, "C0GENERAL", 1, timeout_s=20)
    await world.slack.settled(timeout_s=30)
    assert [] == world.slack.given_up
    agent = world.agents[ACME]
    assert 1 == len({delivery.delivery_id for delivery in agent.deliveries})
    assert 1 == len(world.slack.bot_messages(ACME_TEAM, "C0GENERAL"))


async def test_while_redis_does_not_answer_nothing_is_acked(
    world: World, own_redis: OwnServer
) -> None:
    """Whether the commit happens is not known yet: the event comes again, and counts once."""
    await world.start_gateway()

    own_redis.pause()
    world.slack.say(ACME_TEAM, "C0GENERAL", "U0ANNA", "are you there?", mention=True)
    await eventually(lambda: sent_again(world))
    acked = [delivery for delivery in world.slack.deliveries if delivery.acked]
    own_redis.resume()

    assert [] == acked
    await expect_one_answer(world)


async def test_while_redis_is_dead_nothing_is_acked(world: World, own_redis: OwnServer) -> None:
    """After its restart the gateway goes on by itself, and the event that came again arrives."""
    await world.start_gateway()

    await own_redis.kill()
    world.slack.say(ACME_TEAM, "C0GENERAL", "U0ANNA", "are you there?", mention=True)
    await eventually(lambda: sent_again(world))
    acked = [delivery for delivery in world.slack.deliveries if delivery.acked]
    await own_redis.start()

    assert [] == acked
    await expect_one_answer(world)


async def test_what_was_acked_survives_the_death_of_redis(
    world: World, own_redis: OwnServer
) -> None:
    """Acked means written to disk: the answer comes after the restart, and nothing is re-sent."""
    await world.start_gateway({"GATEWAY_LEASE_S": "1"})
    gateway = world.gateway
    agent = world.agents[ACME]
    await agent.close()
    world.slack.say(ACME_TEAM, "C0GENERAL", "U0ANNA", "remember me", mention=True)
    await world.slack.settled(timeout_s=10)
    sent = {each.event_id for each in world.slack.deliveries}
    times = len(world.slack.deliveries)

    await gateway.kill()
    await own_redis.kill()
    await own_redis.start()
    await agent.start(port=int(agent.url.split(":")[2].split("/")[0]))
    await world.start_gateway({"GATEWAY_LEASE_S": "1"})

    await world.slack.wait_for_bot_messages(ACME_TEAM, "C0GENERAL", 1, timeout_s=20)
    assert times == sum(each.event_id in sent for each in world.slack.deliveries)
