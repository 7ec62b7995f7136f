"""A gateway that was away for longer than Slack is patient: nothing that was said to it is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.core.ids import Platform
from gateway.demo.world import World, open_world
from gateway.store.connection import run
from gateway.store.cursors import Cursors, Place
from tests.support.evidence import metric, records
from tests.support.waiting import eventually
from tests.support.worlds import ACME, ACME_TEAM, GLOBEX, GLOBEX_TEAM, PATIENT, companies

pytestmark = pytest.mark.e2e

MARK = "gateway:listening:slack"
ANN, DIRECT, LOBBY = "U0ANN", "D0ANN", "C0LOBBY"


@pytest.fixture
async def world(clean_redis: str, fresh_database: str) -> AsyncIterator[World]:
    """A world whose Slack soon gives up."""
    rules = replace(PATIENT, redelivery_delays_s=(0.2, 0.5, 1.0))
    async with open_world(clean_redis, fresh_database, companies(), rules=rules) as opened:
        yield opened


async def be_away(world: World) -> None:
    """Kill the gateway, let people talk until Slack gives up, and let a minute have passed."""
    await world.gateway.kill()
    await world.slack.wait_for_sockets(0, 10)
    for text in ("one", "two", "three"):
        world.slack.say(ACME_TEAM, DIRECT, ANN, text)
    world.slack.say(ACME_TEAM, LOBBY, ANN, "four", mention=True)
    world.slack.say(GLOBEX_TEAM, DIRECT, ANN, "five")
    await world.slack.settled(20)
    assert len(world.slack.given_up) >= 5
    mark = int(await run(world.stores.redis, "GET", MARK))
    await run(world.stores.redis, "SET", MARK, mark - 60_000)


async def everything_is_noted(world: World) -> bool:
    """Whether it is on record how far each channel of both teams was heard."""
    cursors = Cursors(world.stores.redis, world.settings.shards)
    places = [Place(ACME, Platform.SLACK, ACME_TEAM), Place(GLOBEX, Platform.SLACK, GLOBEX_TEAM)]
    # A mention in a channel is heard in the channel and in the thread that it may begin.
    noted = [{spot.ref.channel for spot, _ in await cursors.spots(each, 10)} for each in places]
    return noted == [{DIRECT, LOBBY}] * 2


async def test_what_was_said_to_a_gateway_that_was_down_is_answered(world: World) -> None:
    """Once, in order, by the tenant's own agent, and on record as recovered."""
    await world.start_gateway()
    for team in (ACME_TEAM, GLOBEX_TEAM):
        world.slack.say(team, DIRECT, ANN, "hello")
        world.slack.say(team, LOBBY, ANN, "hello there", mention=True)
    await world.slack.settled(10)
    for tenant in (ACME, GLOBEX):
        await world.agents[tenant].wait_for(2, 20)
    # Killed, so that it has no last word: what was heard is noted every second.
    await eventually(lambda: run(world.stores.redis, "GET", MARK))
    await eventually(lambda: everything_is_noted(world))
    await be_away(world)
    gateway = await world.start_gateway()

    await world.agents[ACME].wait_for(6, 30)
    await world.agents[GLOBEX].wait_for(3, 30)
    given = {
        tenant: Counter(str(each.body["text"]) for each in world.agents[tenant].deliveries)
        for tenant in (ACME, GLOBEX)
    }
    direct = [
        each.body["text"]
        for each in world.agents[ACME].deliveries
        if each.body["text"] in {"one", "two", "three"}
    ]
    assert ["one", "two", "three"] == direct
    assert {1} == set(given[ACME].values())
    assert 1 == given[GLOBEX]["five"]
    found = [each for each in await records(world) if each.detail == "recovered"]
    assert {ACME: 4, GLOBEX: 1} == Counter(each.tenant for each in found)
    assert 5.0 == await metric(gateway, "gateway_events_recovered_total", platform="slack")


async def test_an_app_that_may_not_read_histories_is_left_alone(world: World) -> None:
    """By setting, or because workspaces install it by themselves."""
    await world.start_gateway()
    world.slack.say(ACME_TEAM, DIRECT, ANN, "hello")
    await world.agents[ACME].wait_for(1, 20)
    await eventually(lambda: run(world.stores.redis, "GET", MARK))
    await be_away(world)
    await world.start_gateway({"SLACK_RECOVERY": "off"})
    world.slack.say(ACME_TEAM, DIRECT, ANN, "six")
    await world.agents[ACME].wait_for(2, 20)
    texts = [each.body["text"] for each in world.agents[ACME].deliveries]
    assert ["hello", "six"] == texts
    assert [] == [
        each for each in world.slack.requests if each.method.startswith("conversations.hist")
    ]
