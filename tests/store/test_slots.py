"""A slot moves from node to node of a cluster: its shard rests, and nothing of it is torn apart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from gateway.core.errors import StoreError
from gateway.core.ids import DeliveryId
from gateway.store.connection import run
from gateway.store.keys import Shard
from gateway.store.leases import Lease
from gateway.store.tenants import TenantLookup
from tests.store.conftest import BOUND, SLACK, UNBOUND
from tests.support.cluster import OwnCluster
from tests.support.queues import ACME, DEAD, GLOBEX, INITECH, Queues, again, ids
from tests.support.slots import moving

pytestmark = pytest.mark.parametrize("any_redis_url", ["cluster"], indirect=True)


async def test_a_slot_that_has_moved_is_followed(
    queues: Queues, lease: Lease, session_cluster: OwnCluster
) -> None:
    """Nobody notices but by a moment."""
    await queues.accept(ACME, "c1", "a1")
    async with moving(session_cluster, Shard(0).prefix) as move:
        await move.carry_all()
        await move.end()
        await queues.accept(ACME, "c1", "a2")
        [first] = await queues.take(lease)
        await queues.settle(lease, first)

    [second] = await queues.take(lease)
    assert ("a1", "a2") == (first.id, second.id)


async def test_a_shard_rests_while_its_slot_moves(
    queues: Queues, lease: Lease, session_cluster: OwnCluster
) -> None:
    """No script runs on half of its keys: each is refused before it has changed anything."""
    calls = await everything_that_writes(queues, lease)
    before = await contents(queues)
    # Tenants' keys first: scripts find them by themselves, so that Redis can't check them before.
    order = sorted([*before, Shard(0).profiles], key=lambda key: (":t:" not in key, key))
    async with moving(session_cluster, Shard(0).prefix) as move:
        for call in calls:
            with pytest.raises(StoreError):
                await call()
        for key in order:
            await move.carry(key)
            for call in calls:
                with pytest.raises(StoreError):
                    await call()
        await move.end()
        assert before == await contents(queues)
        assert ["g1"] == ids(await queues.store.take(lease, 10))


async def contents(queues: Queues) -> dict[str, bytes]:
    """Every key but a hash that is only read, and whose order is another on another node."""
    found = await queues.everything()
    assert found.pop(Shard(0).profiles)
    return found


async def everything_that_writes(
    queues: Queues, lease: Lease
) -> list[Callable[[], Awaitable[object]]]:
    """Fill a shard with lanes in all states, and say what could be done next."""
    await queues.accept(INITECH, "c1", "dead")
    [doomed] = await queues.take(lease)
    await queues.settle(lease, doomed, DEAD)
    letter = await queues.dead.get(INITECH, DeliveryId("dead"))
    await queues.accept(ACME, "c1", "a1", "a2")
    await queues.accept(ACME, "c2", "waits")
    held, waits = await queues.take(lease)
    await queues.settle(lease, waits, again(3600))
    await queues.accept(GLOBEX, "c1", "g1")
    # Every key that take and settle name exists now: nothing but they themselves stops them.
    await run(queues.client, "HSET", Shard(0).breakers, "somebody", "open 0")
    return [
        lambda: queues.commit(ACME, "c9", "new", keys=("new",), metered=True),
        lambda: queues.take(lease),
        lambda: queues.settle(lease, held),
        lambda: queues.store.recover(lease),
        lambda: queues.dead.replay(letter, actor="ann"),
    ]


async def test_workspaces_are_known_while_their_slot_moves(
    lookup: TenantLookup, session_cluster: OwnCluster
) -> None:
    """Some keys are here and some are there: a look-up asks where it is sent to."""
    bucket = lookup.workspace_key(SLACK, BOUND[0])[:6]
    here = [each for each in BOUND if lookup.workspace_key(SLACK, each).startswith(bucket)]
    nobody = [each for each in UNBOUND if lookup.workspace_key(SLACK, each).startswith(bucket)]
    assert len(here) > 1
    assert nobody
    async with moving(session_cluster, lookup.workspace_key(SLACK, BOUND[0])) as move:
        for workspace in here:
            assert all([await lookup.resolve(SLACK, [each]) for each in here])
            assert not any([await lookup.resolve(SLACK, [each]) for each in nobody])
            assert await lookup.resolve(SLACK, [nobody[0], workspace, BOUND[1]])
            await move.carry(lookup.workspace_key(SLACK, workspace))
        await move.carry_all()
        assert all([await lookup.resolve(SLACK, [each]) for each in here])
        assert not any([await lookup.resolve(SLACK, [each]) for each in nobody])
