"""The whole gateway on a cluster of Redis, before and after a primary dies."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

import pytest

from gateway.core.errors import StoreError
from gateway.demo.world import World, open_world
from gateway.sandbox.slack import SlackRules
from gateway.store.keys import shard_of
from tests.support.cluster import OwnCluster
from tests.support.conservation import FLAWLESS, verdict
from tests.support.evidence import idle
from tests.support.waiting import eventually
from tests.support.worlds import ACME, ACME_TEAM, GLOBEX, GLOBEX_TEAM, companies

pytestmark = pytest.mark.e2e

CHANNEL = "D0ANNA"
TEAMS = {ACME: ACME_TEAM, GLOBEX: GLOBEX_TEAM}
# Slack would give up after three times; here what is not acknowledged comes until it is.
STUBBORN = SlackRules(post_rate=None, redelivery_delays_s=(0.3,) * 100, ack_deadline_s=2.0)
CAREFUL = {"GATEWAY_COMMIT_REPLICAS": "1", "GATEWAY_COMMIT_WAIT_S": "0.5", "GATEWAY_LEASE_S": "2"}
EACH = 10


@pytest.fixture
async def world(own_cluster: OwnCluster, fresh_database: str) -> AsyncIterator[World]:
    """A world whose agents answer inline, so that every answer is the gateway's to keep."""
    answering = [replace(company, inline=True) for company in companies()]
    async with open_world(own_cluster.url, fresh_database, answering, rules=STUBBORN) as opened:
        yield opened


async def test_the_gateway_lives_through_the_loss_of_a_primary(
    world: World, own_cluster: OwnCluster
) -> None:
    """Messages before, during and after: all are answered, each once."""
    await world.start_gateway({**CAREFUL, "GATEWAY_SLACK_POSTS_PER_S": "100"})
    shard = shard_of(ACME, world.settings.shards)
    say(world, range(EACH))
    for team in TEAMS.values():
        await world.slack.wait_for_bot_messages(team, CHANNEL, EACH, timeout_s=10)

    victim, replica = await own_cluster.owners(shard.prefix)
    victim.kill()
    say(world, range(EACH, 2 * EACH))
    await eventually(partial(own_cluster.is_primary, replica), timeout_s=15)
    own_cluster.restart(victim)
    say(world, range(2 * EACH, 3 * EACH))

    for tenant, team in TEAMS.items():
        answers = await world.slack.wait_for_bot_messages(team, CHANNEL, 3 * EACH, timeout_s=30)
        expected = [f"*{tenant}*: you said: message {number}" for number in range(3 * EACH)]
        assert Counter(expected) == Counter(answer.text for answer in answers)
    await world.slack.settled(timeout_s=30)
    await eventually(partial(at_rest, world))
    assert FLAWLESS == await verdict(world)
    assert [] == list(world.slack.given_up)


async def at_rest(world: World) -> bool:
    """Whether nothing is on its way."""
    # Our own connections to the dead primary find out about it now.
    with contextlib.suppress(StoreError):
        return await idle(world)
    return False


def say(world: World, numbers: range) -> None:
    """Let somebody in both teams speak."""
    for number in numbers:
        for team in TEAMS.values():
            world.slack.say(team, CHANNEL, "U0ANNA", f"message {number}")
