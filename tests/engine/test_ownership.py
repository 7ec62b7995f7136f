"""Replicas share the shards, keep what they own, and hand it over in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest

from gateway.core.clock import unix_ms
from gateway.core.errors import StoreError
from gateway.core.ids import TenantId
from gateway.engine.ownership import Ownership
from gateway.engine.worker import ShardWorker
from gateway.store.connection import run
from gateway.store.keys import Shard, replicas, shard_of
from gateway.store.leases import BRIDGE
from tests.engine.conftest import LEASE_S, Works
from tests.support.queues import ACME, Queues
from tests.support.waiting import eventually


async def owners(works: Works) -> list[str]:
    """Who owns each shard, "" for nobody."""
    keys = [Shard(number).lease(BRIDGE) for number in range(works.queues.shards)]
    tokens = [await run(works.queues.client, "GET", key) for key in keys]
    return [token.decode().rpartition(":")[0] if token else "" for token in tokens]


def owned_by(works: Works, **counts: int) -> Callable[[], object]:
    """A condition: every replica named owns so many shards."""

    async def are() -> bool:
        now = await owners(works)
        return all(now.count(name) == count for name, count in counts.items())

    return are


def with_shards(works: Works, shards: int) -> Works:
    """The same works over more shards."""
    return Works(
        Queues(works.queues.client, shards),
        Queues(works.wired.client, shards),
        works.link,
        running=works.running,
    )


async def test_one_replica_owns_all_and_delivers(works: Works) -> None:
    """From the first round on."""
    await works.queues.accept(ACME, "c1", "a1")
    owner, _ = works.owner("one")
    await eventually(lambda: works.delivered(1))

    assert ["one"] == await owners(works)
    assert owner.health() is None


async def test_a_wake_up_reaches_the_worker(works: Works) -> None:
    """Of the shard that it names; one that is not ours is nobody's business."""
    owner, _ = works.owner("one")
    await eventually(owned_by(works, one=1))
    await works.queues.accept(ACME, "c1", "a1")

    owner.wake(0)
    owner.wake(7)
    owner.wake_all()
    await eventually(lambda: works.delivered(1))


async def test_two_replicas_share_and_the_rest_is_handed_over_when_one_stops(works: Works) -> None:
    """Half each; everything to the one that is left, at once and not when leases run out."""
    many = with_shards(works, 6)
    many.owner("one")
    await eventually(owned_by(many, one=6))
    _, two = many.owner("two")
    await eventually(owned_by(many, one=3, two=3))

    two.cancel()
    await asyncio.wait([two])
    assert 0 == (await owners(many)).count("two")
    await eventually(owned_by(many, one=6))


async def test_the_shards_of_a_dead_replica_are_taken_over(works: Works) -> None:
    """When its leases have run out; what it had in flight is recovered."""
    await works.queues.accept(ACME, "c1", "a1")
    lease = await works.queues.leases("dead").acquire(Shard(0), BRIDGE)
    assert lease is not None
    await works.queues.take(lease)
    works.owner("one")
    await run(works.queues.client, "PEXPIRE", Shard(0).lease(BRIDGE), 1)

    await eventually(lambda: works.delivered(1))
    assert [("a1", 2, True)] == [(e.id, e.attempt, e.uncertain) for e in works.attempts.seen]


async def test_after_a_blip_of_the_store_work_goes_on(works: Works) -> None:
    """Without anybody's help, and health tells of it meanwhile."""
    owner, _ = works.owner("one")
    await eventually(owned_by(works, one=1))

    works.link.cut()
    await eventually(lambda: owner.health() is not None)
    await works.queues.accept(ACME, "c1", "a1")
    works.link.mend()

    await eventually(lambda: works.delivered(1))
    await eventually(lambda: owner.health() is None)


async def test_a_shard_whose_lease_was_lost_is_abandoned_and_owned_anew(works: Works) -> None:
    """Somebody took it over, as after a long pause of ours: what runs is his."""
    works.attempts.hold("a1")
    await works.queues.accept(ACME, "c1", "a1")
    works.owner("one")
    await eventually(lambda: works.attempts.names == ["a1"])
    await works.queues.client.delete(Shard(0).lease(BRIDGE))
    thief = works.queues.leases("thief")
    stolen = await thief.acquire(Shard(0), BRIDGE)
    assert stolen is not None

    await eventually(lambda: len(works.attempts.cancelled) == 1)
    assert ["thief"] == await owners(works)
    del works.attempts.answers["a1"]
    await thief.release(stolen)
    await eventually(lambda: works.delivered(1))
    assert [1, 2] == [delivery.attempt for delivery in works.attempts.of("a1")]


async def test_a_slow_hand_over_loses_no_other_lease(works: Works) -> None:
    """What is in flight takes longer than a lease lasts: nobody may do it a second time."""
    many = with_shards(works, 2)
    gates = [many.attempts.hold(name) for name in ("a1", "b1")]
    for number, name in enumerate(("a1", "b1")):
        await many.queues.accept(tenant_of(Shard(number), 2), "c1", name)
    many.owner("one", shop=many.shop(stop_deadline_s=30))
    await eventually(owned_by(many, one=2))
    await eventually(lambda: len(many.attempts.seen) == 2)
    fences = await fencing_numbers(many)

    # Another replica lives, so one of the two shards must be handed over.
    await many.queues.client.zadd(replicas(BRIDGE), {"two": 2 * unix_ms()})
    await several_renewals(many)
    assert fences == await fencing_numbers(many)
    for gate in gates:
        gate.set()

    await eventually(owned_by(many, one=1))
    assert {"a1": 1, "b1": 1} == {each.id: each.attempt for each in many.attempts.seen}
    assert [] == many.attempts.cancelled


async def test_a_slow_stop_keeps_its_leases_to_the_end(works: Works) -> None:
    """Or the next owner would send again what is just being sent."""
    gate = works.attempts.hold("a1")
    await works.queues.accept(ACME, "c1", "a1")
    _, one = works.owner("one", shop=works.shop(stop_deadline_s=30))
    await eventually(lambda: works.attempts.names == ["a1"])
    _, two = works.owner("two")

    one.cancel()
    await several_renewals(works)
    assert ["one"] == await owners(works)
    gate.set()
    await asyncio.wait([one])

    await eventually(owned_by(works, two=1))
    assert [1] == [delivery.attempt for delivery in works.attempts.of("a1")]
    assert not two.done()


async def test_a_worker_that_fails_is_replaced(works: Works) -> None:
    """Again and again: whatever it fails of may pass."""
    faults = [StoreError("once"), StoreError("twice")]
    shop = works.shop()

    class Failing(ShardWorker):
        """Fails at its start, as long as there are faults."""

        async def run(self) -> None:
            if faults:
                raise faults.pop()
            await super().run()

    await works.queues.accept(ACME, "c1", "a1")
    owner = Ownership(
        works.queues.leases("one"), lambda lease: Failing(lease, shop), works.metrics,
        role=BRIDGE, shards=1, lease_s=0.3,
    )  # fmt: skip
    works.running.append(asyncio.create_task(owner.run()))

    await eventually(lambda: works.delivered(1))


async def test_a_full_redis_is_emptied_by_those_who_own_it(works: Works) -> None:
    """Nothing can be written, but leases are kept, and what is queued is delivered and leaves."""
    gate = works.attempts.hold("a1")
    await works.queues.accept(ACME, "c1", "a1", "a2")
    works.owner("one")
    await eventually(lambda: works.attempts.names == ["a1"])
    async with full(works):
        await several_renewals(works)
        gate.set()
        await eventually(lambda: works.delivered(2))

    assert [1, 1] == [delivery.attempt for delivery in works.attempts.seen]


async def test_a_full_redis_is_emptied_by_those_who_come_to_it(works: Works) -> None:
    """Whoever owned it died of it, maybe: a successor takes over, recovers and delivers."""
    await works.queues.accept(ACME, "c1", "a1", "a2")
    lease = await works.queues.lease()
    await works.queues.take(lease)
    async with full(works):
        await works.queues.leases().release(lease)
        works.owner("one")
        await eventually(lambda: works.delivered(2))

    assert [("a1", 2), ("a2", 1)] == [(each.id, each.attempt) for each in works.attempts.seen]


@asynccontextmanager
async def full(works: Works) -> AsyncIterator[None]:
    """A Redis that takes nothing more."""
    await works.queues.client.config_set("maxmemory", "1")
    try:
        with pytest.raises(StoreError, match="used memory"):
            await works.queues.accept(ACME, "c2", "refused")
        yield
    finally:
        await works.queues.client.config_set("maxmemory", "0")


def tenant_of(shard: Shard, shards: int) -> TenantId:
    """Some tenant of that shard."""
    names = (TenantId(f"tenant-{number}") for number in range(1000))
    return next(name for name in names if shard_of(name, shards) == shard)


async def fencing_numbers(works: Works) -> list[bytes | None]:
    """How often each shard has been owned."""
    keys = [Shard(number).fence(BRIDGE) for number in range(works.queues.shards)]
    return [await run(works.queues.client, "GET", key) for key in keys]


async def several_renewals(works: Works) -> None:
    """Wait for some rounds in which every lease is kept: each time it lasts for longer again."""
    keys = [Shard(number).lease(BRIDGE) for number in range(works.queues.shards)]
    for _ in range(3):
        for key in keys:
            await run(works.queues.client, "PEXPIRE", key, _LESS_MS)
        await eventually(partial(_are_longer, works, keys))


_LESS_MS = round(LEASE_S * 500)


async def _are_longer(works: Works, keys: list[str]) -> bool:
    return all([await run(works.queues.client, "PTTL", key) > _LESS_MS for key in keys])
