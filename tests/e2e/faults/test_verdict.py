"""The judge of all other tests here is not blind: what is wrong with a world, it finds."""

from __future__ import annotations

from dataclasses import fields, replace

import msgspec
import pytest

from gateway.core.audit import AuditAction
from gateway.core.deliveries import Direction
from gateway.demo.world import World
from gateway.sandbox.agent import AgentSandbox
from gateway.store.connection import run
from gateway.store.deliveries import DeliveryStore
from gateway.store.keys import shard_of
from tests.e2e.faults.load import ACME, GLOBEX, SHORT, Load
from tests.support.conservation import FLAWLESS, Verdict, at_rest, verdict
from tests.support.evidence import records

pytestmark = pytest.mark.e2e


def faults(found: Verdict) -> set[str]:
    """The names of what is wrong."""
    return {each.name for each in fields(found) if getattr(found, each.name)}


async def test_a_world_in_order_is_flawless_and_any_fault_is_found(world: World) -> None:
    """Each fault is made by hand, judged, and mended before the next."""
    gateway = await world.start_gateway(SHORT)
    load, acme = Load(world), world.agents[ACME]
    for _ in range(6):
        for tenant in (ACME, GLOBEX):
            load.say(tenant)
    await at_rest(world)
    assert 0 == await gateway.stop()
    assert FLAWLESS == await verdict(world)
    assert 24 == [r.action for r in await records(world)].count(AuditAction.DELIVERY_DELIVERED)

    acme.deliveries.reverse()
    assert {"out_of_order"} == faults(await verdict(world))
    acme.deliveries.reverse()

    first = acme.deliveries[0]
    acme.deliveries.append(replace(first, delivery_id="another"))
    assert {"doubled", "misrouted", "out_of_order"} >= faults(await verdict(world)) > {"doubled"}
    acme.deliveries.pop()

    world.agents[GLOBEX].deliveries.append(first)
    assert "misrouted" in faults(await verdict(world))
    world.agents[GLOBEX].deliveries.pop()

    deaf = AgentSandbox(secrets=[], api_key="")
    world.agents[ACME] = deaf
    assert "lost" in faults(await verdict(world))
    world.agents[ACME] = acme

    await _record_late_answer(world)
    assert {"out_of_order"} == faults(await verdict(world))


async def test_what_is_queued_but_not_accepted_is_found(world: World) -> None:
    """The books must balance."""
    queue = shard_of(ACME, world.settings.shards).queue(ACME, Direction.INBOUND)
    await run(world.stores.redis, "XADD", queue, "*", "i", "stray")
    assert {"unbalanced"} == faults(await verdict(world))
    await run(world.stores.redis, "DEL", queue)
    assert FLAWLESS == await verdict(world)


async def _record_late_answer(world: World) -> None:
    """Say that the conversation's first answer was committed after its last."""
    trail = await records(world)
    answers = [each for each in trail if each.action is AuditAction.MESSAGE_SUBMITTED]
    posts = [
        each
        for each in trail
        if each.action is AuditAction.DELIVERY_DELIVERED
        and (each.direction, each.conversation) == (Direction.OUTBOUND, answers[0].conversation)
    ]
    late = msgspec.structs.replace(answers[0], delivery_id="msg_late")
    post = msgspec.structs.replace(
        min(posts, key=lambda each: each.detail), delivery_id="msg_late-1"
    )
    store = DeliveryStore(world.stores.redis, world.settings.shards)
    for record in (late, post):
        await store.record(record)
