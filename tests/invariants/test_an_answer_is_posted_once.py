"""An answer is never posted twice: Slack has no idempotency key, so a lost answer is looked up."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.demo.world import World
from gateway.sandbox.slack import Fault, HttpStatus, RateLimited, ResetAfter, ResetBefore, Slow
from tests.support.evidence import idle
from tests.support.link import open_link
from tests.support.waiting import eventually
from tests.support.worlds import ACME, ACME_TEAM

pytestmark = pytest.mark.e2e

POST = "chat.postMessage"


async def ask(world: World) -> None:
    """Somebody says something that the agent answers."""
    world.slack.say(ACME_TEAM, "C0GENERAL", "U0ANNA", "hello", mention=True)


async def posting(world: World) -> None:
    """Wait until the answer is on its way into Slack."""
    await eventually(lambda: any(each.method == POST for each in world.slack.requests))


async def expect_one_copy(world: World) -> None:
    """In the end there is one, and nothing is left that could make another."""
    await world.slack.wait_for_bot_messages(ACME_TEAM, "C0GENERAL", 1, timeout_s=20)
    await eventually(lambda: idle(world), timeout_s=20)
    copies = [message.text for message in world.slack.bot_messages(ACME_TEAM, "C0GENERAL")]
    assert ["*acme*: you said: hello"] == copies


@pytest.mark.parametrize(
    "faults",
    [
        [ResetAfter()],
        [ResetBefore()],
        [HttpStatus(500)],
        [RateLimited(1)],
        [ResetAfter(), HttpStatus(503), ResetAfter()],
    ],
    ids=["answer lost", "never arrived", "bad gateway", "too fast", "all at once"],
)
async def test_whatever_becomes_of_the_call_there_is_one_copy(
    world: World, faults: list[Fault]
) -> None:
    """Carried out or not: the channel shows the answer once."""
    await world.start_gateway()
    for fault in faults:
        world.slack.fail_next(POST, fault)
    await ask(world)

    await expect_one_copy(world)


async def test_a_look_up_that_fails_posts_nothing_blindly(world: World) -> None:
    """The question is asked again; only its answer allows another post."""
    await world.start_gateway()
    world.slack.fail_next(POST, ResetAfter())
    world.slack.fail_next("conversations.replies", HttpStatus(500), times=2)
    await ask(world)

    await expect_one_copy(world)
    assert 1 == len([each for each in world.slack.requests if each.method == POST])


async def test_a_gateway_killed_while_it_posts_posts_once(world: World) -> None:
    """Slack carries the post out after the gateway's death; the next one finds it."""
    lease = {"GATEWAY_LEASE_S": "3"}
    await world.start_gateway(lease)
    world.slack.fail_next(POST, Slow(1.0))
    await ask(world)
    await posting(world)

    await world.gateway.kill()
    await world.start_gateway(lease)

    await expect_one_copy(world)


async def test_a_gateway_stopped_while_it_posts_posts_once(world: World) -> None:
    """A stop waits for what has been sent."""
    await world.start_gateway()
    world.slack.fail_next(POST, Slow(1.0))
    await ask(world)
    await posting(world)

    assert 0 == await world.gateway.stop()
    assert 1 == len(world.slack.bot_messages(ACME_TEAM, "C0GENERAL"))
    await world.start_gateway()
    await expect_one_copy(world)


async def test_a_store_that_blinks_while_it_posts_makes_no_second_copy(
    world: World, clean_redis: str, tmp_path: Path
) -> None:
    """The post cannot be called back: it is waited for, not cut off and repeated."""
    async with open_link(tmp_path, clean_redis) as link:
        await world.start_gateway({"REDIS_URL": link.url})
        world.slack.fail_next(POST, Slow(1.5))
        await ask(world)
        await posting(world)

        link.cut()
        await eventually(lambda: any("Redis" in str(log) for log in world.gateway.logs))
        link.mend()

        await expect_one_copy(world)
        assert 0 == await world.gateway.stop()


async def test_the_same_answer_given_twice_is_posted_once(world: World) -> None:
    """By its idempotency key: an agent may repeat what it is not sure of."""
    await world.start_gateway()
    world.slack.add_channel(ACME_TEAM, "C0GENERAL")
    conversation = f"slack:{ACME_TEAM}:C0GENERAL"
    agent = world.agents[ACME]
    for text in ("once", "once", "another text under the same key"):
        await agent.send(conversation, text, idempotency_key="key")
    await eventually(lambda: idle(world))

    assert [202, 202, 409] == agent.reply_statuses
    assert agent.replies[0].body == agent.replies[1].body
    [message] = world.slack.bot_messages(ACME_TEAM, "C0GENERAL")
    assert "once" == message.text
