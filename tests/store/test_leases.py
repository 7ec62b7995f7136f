"""One owner per shard and role, and numbers that grow."""

from __future__ import annotations

import time

from gateway.store.keys import Shard
from gateway.store.leases import ARCHIVE, BRIDGE, EGRESS
from tests.support.queues import Queues
from tests.support.waiting import eventually


async def test_a_lease_has_one_owner(queues: Queues) -> None:
    """Until it is handed back."""
    one, two = queues.leases("one"), queues.leases("two")
    lease = await one.acquire(Shard(0), BRIDGE)
    assert lease is not None

    assert await two.acquire(Shard(0), BRIDGE) is None
    assert await one.acquire(Shard(0), BRIDGE) is None
    await one.release(lease)
    assert await two.acquire(Shard(0), BRIDGE) is not None


async def test_roles_and_shards_are_owned_apart(queues: Queues) -> None:
    """Six leases, one owner each."""
    leases = queues.leases()
    owned = [
        await leases.acquire(Shard(number), role)
        for number in (0, 1)
        for role in (BRIDGE, EGRESS, ARCHIVE)
    ]

    assert None not in owned


async def test_a_lease_that_is_not_kept_ends(queues: Queues) -> None:
    """A dead replica's shards are free after its time."""
    dead, alive = queues.leases("dead", ttl_s=0.05), queues.leases("alive")
    lease = await dead.acquire(Shard(0), BRIDGE)
    assert lease is not None

    newer = await eventually(lambda: alive.acquire(Shard(0), BRIDGE))

    assert not await dead.renew(lease)
    assert await alive.renew(newer)


async def test_a_lease_that_is_kept_does_not_end(queues: Queues) -> None:
    """Renewing sets its time anew."""
    leases = queues.leases(ttl_s=10)
    lease = await leases.acquire(Shard(0), BRIDGE)
    assert lease is not None
    await queues.leases(ttl_s=60).renew(lease)

    assert 50_000 < await queues.client.pttl(Shard(0).lease(BRIDGE))


async def test_fencing_numbers_only_grow(queues: Queues) -> None:
    """Also over owners, and over leases that ended by themselves."""
    numbers = []
    for owner in ("one", "two", "one"):
        leases = queues.leases(owner)
        lease = await leases.acquire(Shard(0), BRIDGE)
        assert lease is not None
        numbers.append(int(lease.token.rpartition(":")[2]))
        await leases.release(lease)

    assert [1, 2, 3] == numbers


async def test_replicas_that_live_are_counted(queues: Queues) -> None:
    """Those that leave at once, those that die after a lease's time; each role for itself."""
    one, two = queues.leases("one"), queues.leases("two", ttl_s=30)
    assert 1 == await one.live_replicas(BRIDGE)
    assert 2 == await two.live_replicas(BRIDGE)
    assert 1 == await two.live_replicas(EGRESS)

    await one.leave(BRIDGE)
    assert 1 == await two.live_replicas(BRIDGE)


async def test_replicas_that_died_are_not_counted_for_long(queues: Queues) -> None:
    """Or the others would leave their shards to nobody."""
    await queues.leases("dead").live_replicas(BRIDGE)
    alive = queues.leases("alive", ttl_s=0.05)

    async def alone() -> bool:
        return await alive.live_replicas(BRIDGE) == 1

    await eventually(alone)


async def test_a_lease_is_sure_for_a_while_after_it_was_renewed(queues: Queues) -> None:
    """For less than it lasts; whoever was paused for longer cannot be sure, whatever he took."""
    leases = queues.leases(ttl_s=60)
    lease, old = await leases.acquire(Shard(0), BRIDGE), await leases.acquire(Shard(1), BRIDGE)
    assert lease is not None
    assert old is not None
    lease.sure_until_s = old.sure_until_s = 0.0
    begun_s = time.monotonic()

    assert not lease.is_sure()
    assert await leases.renew(lease)
    assert lease.is_sure()
    assert 40 <= lease.sure_until_s - begun_s < 60
    await leases.release(old)
    assert not await leases.renew(old)
    assert not old.is_sure()
