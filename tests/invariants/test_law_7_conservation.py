"""Law 7: accepted = delivered + dead-lettered + in flight, countable from the audit log alone."""

from __future__ import annotations

import pytest

from gateway.core.deliveries import Direction
from gateway.demo.world import World
from gateway.sandbox.agent import Answer, Reset
from gateway.sandbox.slack import HttpStatus, ResetAfter, ResetBefore
from gateway.store.deadletters import DeadLetterStore
from gateway.store.depths import depth
from gateway.store.keys import Shard
from tests.support.evidence import Account, account, idle, records
from tests.support.waiting import eventually
from tests.support.worlds import ACME, ACME_TEAM, GLOBEX, GLOBEX_TEAM

pytestmark = pytest.mark.e2e

SHORT_LEASES = {"GATEWAY_LEASE_S": "1"}
MESSAGES = 12


def burst(world: World, prefix: str) -> None:
    """People of both teams talk at once, in channels of their own."""
    for number in range(MESSAGES):
        for team in (ACME_TEAM, GLOBEX_TEAM):
            world.slack.say(
                team, f"C0{prefix}{number}", "U0ANNA", f"{prefix}{number}", mention=True
            )


async def waiting(world: World, direction: Direction) -> int:
    """What the queues themselves say is on its way."""
    shards = range(world.settings.shards)
    return sum([(await depth(world.stores.redis, Shard(n), direction)).queued for n in shards])


async def balanced(world: World, direction: Direction) -> Account:
    """The account, which must agree with the queues at a moment when nobody works on them."""
    found = account(await records(world), direction)
    assert await waiting(world, direction) == found.on_its_way
    return found


async def test_the_log_alone_tells_where_everything_is(world: World) -> None:
    """With failing agents, a failing platform, a killed gateway and replayed dead letters."""
    for agent in (world.agents[ACME], world.agents[GLOBEX]):
        agent.fail_next(Answer(500), times=3)
        agent.fail_next(Answer(400), times=2)
        agent.fail_next(Reset(after_accepting=True))
    for fault in (ResetAfter(), ResetBefore(), HttpStatus(500)):
        world.slack.fail_next("chat.postMessage", fault)
    await world.start_gateway(SHORT_LEASES)
    burst(world, "A")
    await world.agents[ACME].wait_for(6, timeout_s=10)
    await world.gateway.kill()
    for direction in Direction:
        await balanced(world, direction)

    await world.start_gateway(SHORT_LEASES)
    for agent in (world.agents[ACME], world.agents[GLOBEX]):
        agent.fail_next(Answer(400))
    burst(world, "B")
    await world.slack.settled(timeout_s=20)
    await eventually(lambda: idle(world), timeout_s=30)
    inbound = await balanced(world, Direction.INBOUND)
    assert 4 * MESSAGES == inbound.accepted == inbound.delivered + inbound.dead
    assert 2 <= inbound.dead

    letters = DeadLetterStore(world.stores.redis, world.settings.shards)
    for tenant in (ACME, GLOBEX):
        for letter in await letters.page(tenant):
            await letters.replay(letter, actor="ann")
    await eventually(lambda: idle(world), timeout_s=30)
    assert 0 == await world.gateway.stop()

    replayed = await balanced(world, Direction.INBOUND)
    assert Account(4 * MESSAGES, inbound.dead, 4 * MESSAGES, inbound.dead) == replayed
    outbound = await balanced(world, Direction.OUTBOUND)
    posted = sum(
        len(world.slack.bot_messages(team, f"C0{prefix}{number}"))
        for team in (ACME_TEAM, GLOBEX_TEAM)
        for prefix in "AB"
        for number in range(MESSAGES)
    )
    assert 4 * MESSAGES == outbound.accepted == outbound.delivered == posted
