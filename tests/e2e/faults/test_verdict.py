"""The judge of all other tests here is not blind: what is wrong with a world, it finds."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from gateway.core.audit import AuditAction
from gateway.core.deliveries import Direction
from gateway.demo.world import World
from gateway.sandbox.agent import AgentSandbox
from gateway.store.connection import run
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

    queue = shard_of(ACME, world.settings.shards).queue(ACME, Direction.INBOUND)
    await run(world.stores.redis, "XADD", queue, "*", "i", "stray")
    assert {"unbalanced"} == faults(await verdict(world))
    await run(world.stores.redis, "DEL", queue)
    assert FLAWLESS == await verdict(world)
