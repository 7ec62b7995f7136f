"""Several gateway processes on the same shards: killed, paused, joining, leaving, apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from gateway.core.audit import AuditAction
from gateway.core.ids import TenantId
from gateway.demo.world import World
from gateway.sandbox.agent import Hang
from gateway.sandbox.process import GatewayProcess
from gateway.store.connection import run
from gateway.store.keys import shard_of
from gateway.store.leases import BRIDGE
from tests.e2e.faults.load import ACME, SHORT, Load, held, under_load
from tests.support.conservation import FLAWLESS, at_rest, verdict
from tests.support.evidence import metric, records
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e

ROLES = ("bridge", "egress", "monitor", "archive")


async def shares(gateways: Sequence[GatewayProcess], role: str) -> list[float]:
    """How many shards each process works on."""
    return [await metric(each, "gateway_shards_owned", role=role) for each in gateways]


async def shared_fairly(world: World, gateways: Sequence[GatewayProcess]) -> bool:
    """Whether the shards of all roles have an owner, and nobody has more than a fair share."""
    fair = math.ceil(world.settings.shards / len(gateways))
    counts = [await shares(gateways, role) for role in ROLES]
    return all(sum(each) == world.settings.shards and max(each) <= fair for each in counts)


async def share(world: World, *gateways: GatewayProcess) -> None:
    """Wait until these processes share the shards fairly."""
    await eventually(lambda: shared_fairly(world, gateways), timeout_s=30)


async def owner_of(world: World, tenant: TenantId) -> GatewayProcess:
    """The process that delivers to this tenant's agent."""
    lease = shard_of(tenant, world.settings.shards).lease(BRIDGE)
    token = (await run(world.stores.redis, "GET", lease)).decode()
    [owner] = [each for each in world.gateways if f"-{each.pid}-" in token]
    return owner


async def hold_one(world: World, *, for_s: float) -> str:
    """Let ACME's agent hang on the next delivery; returns its id once the agent has it."""
    world.agents[ACME].fail_next(Hang(for_s))
    [delivery] = await eventually(lambda: held(world, ACME))
    return delivery.delivery_id


def attempts(world: World, delivery_id: str) -> list[int]:
    """The numbers of the attempts at a delivery, as ACME's agent saw them."""
    deliveries = world.agents[ACME].deliveries
    return [each.attempt for each in deliveries if each.delivery_id == delivery_id]


async def expect_conservation(world: World, load: Load) -> None:
    """All that was said arrived once, in order, and at nobody else's."""
    await at_rest(world)
    assert FLAWLESS == await verdict(world)
    assert [] == list(world.slack.given_up)
    assert load.everything_arrived()


async def test_a_killed_replica_is_taken_over(world: World) -> None:
    """What it had in flight is sent again under the same id; nothing else is."""
    first, second = await world.start_gateway(SHORT), await world.start_gateway(SHORT)
    await share(world, first, second)
    assert [[8.0, 8.0]] * 4 == [await shares([first, second], role) for role in ROLES]

    async with under_load(world) as load:
        await load.progress()
        in_flight = await hold_one(world, for_s=60)
        killed = await owner_of(world, ACME)
        await killed.kill()
        [survivor] = {first, second} - {killed}
        await share(world, survivor)
        await load.progress()
    await expect_conservation(world, load)

    assert [1, 2] == attempts(world, in_flight)
    assert survivor.returncode is None


async def test_a_paused_replica_cannot_settle_what_it_lost(world: World) -> None:
    """The agent's answer reaches it after its shards have gone to somebody else."""
    first, second = await world.start_gateway(SHORT), await world.start_gateway(SHORT)
    await share(world, first, second)

    async with under_load(world) as load:
        await load.progress()
        in_flight = await hold_one(world, for_s=0.5)
        paused = await owner_of(world, ACME)
        paused.pause()
        [other] = {first, second} - {paused}
        await share(world, other)
        await load.progress()
        paused.resume()
        await share(world, first, second)
        await load.progress()
    await expect_conservation(world, load)

    [delivered] = [
        record
        for record in await records(world)
        if (record.delivery_id, record.action) == (in_flight, AuditAction.DELIVERY_DELIVERED)
    ]
    assert ([1, 2], 2) == (attempts(world, in_flight), delivered.attempt)
    assert {"lease.lost", "shard.abandoned"} & {entry["event"] for entry in paused.logs}
    assert [None, None] == [first.returncode, second.returncode]


async def test_replicas_join_and_leave_under_load(world: World) -> None:
    """A third takes its share and the first goes: no order is lost, nothing is done twice."""
    # Nobody has to wait for the end of a lease, so that no pause of a process may end one either.
    longer = {**SHORT, "GATEWAY_LEASE_S": "6"}
    first, second = await world.start_gateway(longer), await world.start_gateway(longer)
    await share(world, first, second)

    async with under_load(world) as load:
        await load.progress()
        third = await world.start_gateway(longer)
        await share(world, first, second, third)
        await load.progress()
        assert 0 == await first.stop()
        await share(world, second, third)
        await load.progress()
    await expect_conservation(world, load)

    recovered = [r for r in await records(world) if r.action is AuditAction.DELIVERY_RECOVERED]
    assert [] == recovered
    assert [0] * 4 == [agent.duplicates for agent in world.agents.values()]


async def start_role(world: World, role: str) -> GatewayProcess:
    """Start a process that does one thing."""
    gateway = GatewayProcess({**world.environment(), **SHORT, "GATEWAY_ROLES": role})
    world.gateways.append(gateway)
    await gateway.start()
    await gateway.listening()
    return gateway


async def test_roles_can_run_apart(world: World) -> None:
    """Three processes, each with one role, are one gateway; agents answer by the API."""
    ingress, bridge, egress = [
        await start_role(world, role) for role in ("ingress", "bridge", "egress")
    ]
    await world.slack.wait_for_sockets(2, timeout_s=20)
    for agent in world.agents.values():
        agent.mode, agent.gateway_url = "async", egress.agent_api

    async with under_load(world) as load:
        await load.progress()
    await at_rest(world)
    for tenant, agent in world.agents.items():
        await agent.wait_for_replies(load.said[tenant], timeout_s=20)
    await expect_conservation(world, load)

    answers = [set(agent.reply_statuses) for agent in world.agents.values()]
    assert [{202}] * 4 == answers
    owned = [await shares([ingress, bridge, egress], role) for role in ("bridge", "egress")]
    assert [[0.0, 16.0, 0.0], [0.0, 0.0, 16.0]] == owned
    assert ["", ""] == [ingress.agent_api, bridge.agent_api]
