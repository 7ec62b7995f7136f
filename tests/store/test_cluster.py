"""What is different on a cluster: keys on many nodes, slots that move, lost nodes."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from gateway.core.audit import AuditAction, AuditRecord
from gateway.core.deliveries import Direction, Receipt
from gateway.core.errors import StoreError
from gateway.core.ids import TenantId
from gateway.store.connection import Confirmation, connect, run, run_all, run_everywhere
from gateway.store.durability import check_server
from gateway.store.keys import Pepper, Shard, shard_of
from gateway.store.tenants import TenantLookup
from gateway.store.wake import wakes
from tests.store.conftest import BOUND, SHARDS, SLACK, UNBOUND
from tests.support.cluster import PRIMARIES, ClusterNode, OwnCluster
from tests.support.queues import ACME, Queues
from tests.support.waiting import eventually

pytestmark = pytest.mark.parametrize("any_redis_url", ["cluster"], indirect=True)


async def node_of(cluster: OwnCluster, key: str) -> ClusterNode:
    """The primary that has the key."""
    return (await cluster.owners(key))[0]


async def test_commands_on_keys_of_all_nodes_are_answered_in_order(
    queues: Queues, session_cluster: OwnCluster
) -> None:
    """One round trip to each node; every answer stands where its command stood."""
    keys = [f"key{number}" for number in range(30)]
    assert PRIMARIES == len({(await node_of(session_cluster, key)).port for key in keys})
    await run_all(queues.client, *(("SET", key, key) for key in keys))

    assert [key.encode() for key in keys] == await run_all(
        queues.client, *(("GET", key) for key in keys)
    )
    with pytest.raises(StoreError, match="WRONGTYPE"):
        await run_all(queues.client, *(("LPOP", key) for key in keys))


async def test_a_workspace_is_found_whichever_nodes_its_candidates_are_on(
    lookup: TenantLookup,
) -> None:
    """The first that is bound, and None only when Redis knows none of them."""
    for unbound, bound in zip(UNBOUND, BOUND, strict=True):
        found = await lookup.resolve(SLACK, [unbound, bound])
        assert found is not None
        assert bound == found.workspace
    for first, second in pairwise(UNBOUND):
        assert await lookup.resolve(SLACK, [first, second]) is None


async def test_a_rebuild_finds_the_keys_of_all_nodes(
    lookup: TenantLookup, session_cluster: OwnCluster
) -> None:
    """Or what is nobody's would stay on those that were not asked."""
    names = {lookup.workspace_key(SLACK, workspace) for workspace in BOUND}

    assert names == {key async for key in lookup.look_up_keys()}
    assert PRIMARIES == len({(await node_of(session_cluster, name)).port for name in names})


async def test_a_node_that_came_back_empty_knows_nobody_and_says_so(
    lookup: TenantLookup, session_cluster: OwnCluster
) -> None:
    """The marks of the other nodes vouch for their own keys alone (law 9)."""
    lost = await node_of(session_cluster, lookup.workspace_key(SLACK, BOUND[0]))
    await session_cluster.ask(lost, "FLUSHALL")

    assert await lookup.filled_with_shards() is None
    for workspace in BOUND + UNBOUND:
        on_it = lost is await node_of(session_cluster, lookup.workspace_key(SLACK, workspace))
        if on_it:
            with pytest.raises(StoreError, match="lost the look-up keys"):
                await lookup.resolve(SLACK, [workspace])
        else:
            assert (workspace in BOUND) is bool(await lookup.resolve(SLACK, [workspace]))


async def test_a_node_that_lost_only_shards_is_noticed(
    lookup: TenantLookup, queues: Queues
) -> None:
    """Without its endpoints, all that comes for its tenants would be dead letters, for ever."""
    await run(queues.client, "DEL", Shard(3).mark)

    assert await lookup.filled_with_shards() is None
    await lookup.mark_filled()
    assert SHARDS == await lookup.filled_with_shards()


async def test_another_number_of_shards_is_told_even_when_a_node_was_lost(
    lookup: TenantLookup, queues: Queues
) -> None:
    """To rebuild with another number would write to the wrong shards."""
    await run(queues.client, "DEL", Shard(3).mark)

    assert SHARDS == await TenantLookup(queues.client, Pepper(b"pepper"), 8).filled_with_shards()


async def test_what_a_replica_has_is_confirmed_and_what_none_has_is_not(
    queues: Queues, session_cluster: OwnCluster
) -> None:
    """Sent again, it is a duplicate, and told of when the replica has the first."""
    careful = Queues(queues.client, confirmation=Confirmation(replicas=1, wait_s=0.5))
    impatient = Queues(queues.client, confirmation=Confirmation(replicas=1, wait_s=0.05))
    assert Receipt.ACCEPTED is (await careful.commit(ACME, "c1", "d1", keys=("k1",))).receipt
    [_, replica] = await session_cluster.owners(Shard(0).prefix)
    replica.pause()
    try:
        for _ in range(2):
            with pytest.raises(StoreError, match="0 of 1 replicas"):
                await impatient.commit(ACME, "c1", "d2", keys=("k2",))
        with pytest.raises(StoreError, match="0 of 1 replicas"):
            await impatient.store.record(AuditRecord(tenant=ACME, action=AuditAction.EVENT_DROPPED))
    finally:
        replica.resume()

    async def confirmed() -> bool:
        committed = await careful.commit(ACME, "c1", "d2", keys=("k2",))
        return committed.receipt is Receipt.DUPLICATE

    assert await confirmed()


async def test_workers_are_woken_from_every_node(queues: Queues) -> None:
    """Whichever node they listen to."""
    many = Queues(queues.client, SHARDS)
    heard: set[tuple[Direction, int]] = set()

    async def listen() -> None:
        async for each in wakes(queues.client):
            heard.add(each)

    listener = asyncio.create_task(listen())
    tenants = [TenantId(f"tenant-{number}") for number in range(60)]
    expected = {(Direction.INBOUND, shard_of(each, SHARDS).number) for each in tenants}
    assert SHARDS == len(expected)
    waiting = iter(range(10_000))

    async def all_heard() -> bool:
        # Only an idle tenant's first delivery wakes, so each round has tenants of its own.
        number = next(waiting)
        for tenant in tenants:
            await many.commit(tenant, f"c{number}", "d")
            await run(queues.client, "DEL", shard_of(tenant, SHARDS).ring(Direction.INBOUND))
        return heard == expected

    await eventually(all_heard)
    listener.cancel()
    await asyncio.wait([listener])


async def test_every_primary_is_asked_what_it_can_lose(
    queues: Queues, session_cluster: OwnCluster
) -> None:
    """One that may evict is enough to lose messages."""
    assert [True] * PRIMARIES == await run_everywhere(queues.client, "PING")
    assert ["appendonly is off"] == [
        each.partition(":")[0] for each in await check_server(queues.client, Confirmation(1))
    ]
    weak = (await session_cluster.primaries())[-1]
    await session_cluster.ask(weak, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        found = await check_server(queues.client, Confirmation(2))
    finally:
        await session_cluster.ask(weak, "CONFIG", "SET", "maxmemory-policy", "noeviction")

    assert [
        "appendonly is off",
        "GATEWAY_COMMIT_REPLICAS is 2",
        "maxmemory-policy is allkeys-lru",
    ] == sorted((each.split(",")[0].partition(":")[0] for each in found), key=str.lower)


async def test_one_living_seed_is_enough(any_redis_url: str, session_cluster: OwnCluster) -> None:
    """A gateway can start while the node that stands first is down."""
    url = f"redis+cluster://127.0.0.1:1,{session_cluster.nodes[4].name}"
    async with connect(url) as client:
        await run(client, "SET", "key", "value")
        assert b"value" == await run(client, "GET", "key")


@pytest.mark.usefixtures("any_redis_url")
async def test_no_living_seed_is_an_error() -> None:
    """In time, and nothing else."""
    async with connect("redis+cluster://127.0.0.1:1,127.0.0.1:2") as client:
        for _ in range(2):
            with pytest.raises(StoreError):
                await run(client, "GET", "key")
        with pytest.raises(StoreError):
            await anext(aiter(wakes(client)))
