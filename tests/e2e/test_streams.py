"""Answers that grow, over the whole road: what a workspace allows, and what its users want."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp
import pytest

from adapters.slack.tiers import TIER_2
from gateway.demo.world import World, open_world
from gateway.sandbox.slack.rules import TIERS
from plugin_bridge.client import AgentClient, RefusedError
from tests.support.waiting import eventually
from tests.support.worlds import ACME, ACME_TEAM, PATIENT, companies

pytestmark = pytest.mark.e2e

CHANNEL, ANNA = "C0GENERAL", "U0ANNA"


@asynccontextmanager
async def _at_work(redis_url: str, database_url: str) -> AsyncIterator[tuple[World, AgentClient]]:
    """Acme's agent in a workspace that allows as much as Slack's documents say."""
    quiet = [replace(each, reply=lambda _: None) for each in companies()]
    rules = replace(PATIENT, method_rates=TIERS)
    async with (
        open_world(redis_url, database_url, quiet, rules=rules) as world,
        aiohttp.ClientSession() as session,
    ):
        gateway = await world.start_gateway()
        yield world, AgentClient(gateway.agent_api, world.keys[ACME], session)


def _asked(world: World) -> str:
    root = world.slack.say(ACME_TEAM, CHANNEL, ANNA, "a question", mention=True)
    return f"slack:{ACME_TEAM}:{CHANNEL}:{root}"


def _texts(world: World) -> list[str]:
    return [each.text for each in world.slack.bot_messages(ACME_TEAM, CHANNEL)]


async def test_a_user_stops_an_answer(clean_redis: str, fresh_database: str) -> None:
    """The agent is told once, whoever found out first, and its answer ends there."""
    async with _at_work(clean_redis, fresh_database) as (world, agent):
        place = _asked(world)

        async def talk() -> None:
            async with agent.stream(place, ANNA) as stream:
                await stream.append("It is")
                await eventually(lambda: _texts(world) == ["It is"])
                [message] = world.slack.bot_messages(ACME_TEAM, CHANNEL)
                thread = str(message.thread_ts)
                world.slack.stop_agent(ACME_TEAM, CHANNEL, ANNA, thread, streaming=[message.ts])
                while True:
                    await stream.append(".")
                    await asyncio.sleep(0)

        with pytest.raises(RefusedError) as caught:
            await talk()
        await world.slack.settled(10)

        def heard() -> list[object]:
            bodies = [each.body for each in world.agents[ACME].deliveries]
            return [each for each in bodies if each["type"] == "agent.stopped"]

        [stopped] = await eventually(heard)
        assert isinstance(stopped, dict)
        assert "stream_closed" == caught.value.code
        assert (place, ANNA) == (stopped["conversation"]["id"], stopped["sender"]["id"])
        assert ["It is"] == _texts(world)


async def test_more_answers_than_may_grow_arrive_all_the_same(
    clean_redis: str, fresh_database: str
) -> None:
    """Some grow and some are edited; each is seen before its end, and stands there once."""
    async with _at_work(clean_redis, fresh_database) as (world, agent):

        async def talk(number: int) -> None:
            async with agent.stream(_asked(world), ANNA) as stream:
                await stream.append(f"Answer {number} ")
                await eventually(
                    lambda: f"Answer {number}" in " ".join(_texts(world)), timeout_s=30
                )
                await stream.append("is here.")

        await asyncio.gather(*(talk(number) for number in range(7)))
        wanted = [f"Answer {number} is here." for number in range(7)]
        await eventually(lambda: sorted(_texts(world)) == wanted, timeout_s=30)
        asked = Counter(each.method for each in world.slack.requests)

    assert TIER_2.burst <= asked["chat.startStream"] <= 7
    assert asked["chat.startStream"] + asked["chat.postMessage"] == 7
