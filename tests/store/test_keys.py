"""Every key says whose it is (law 4), and nothing stays behind that nobody needs."""

from __future__ import annotations

from gateway.core.audit import AuditAction, AuditRecord
from gateway.core.deliveries import Direction
from gateway.core.ids import UNROUTED, DeliveryId, TenantId
from gateway.core.tenants import Limits
from gateway.store.auditlog import AuditLog
from gateway.store.keys import Shard, shard_of
from gateway.store.leases import ARCHIVE, BRIDGE, EGRESS, Lease
from tests.support.queues import ACME, DEAD, GLOBEX, INITECH, TENANTS, Queues, again

SHARDS = 16
SHARED = ("audit", "tenants", "profiles", "ring", "sched", "inflight", "active", "lease", "fence")
KEPT = {"audit", "tenants", "profiles", "lease:bridge", "lease:egress", "fence:bridge"}


async def live(queues: Queues, lease: Lease) -> None:
    """Everything that can happen to deliveries of one shard, up to all being delivered."""
    tenants = [tenant for tenant in TENANTS if shard_of(tenant, queues.shards) == lease.shard]
    for tenant in tenants:
        await talk(queues, lease, tenant)
    for settlement in (again(0.0, uncertain=True), DEAD, again(0.0, counts=False)):
        for delivery in await queues.take(lease):
            await queues.settle(lease, delivery, settlement)
    await queues.take(lease)
    await queues.store.recover(lease)
    for tenant in tenants:
        replayed, *rest = await queues.dead.page(tenant)
        await queues.dead.replay(replayed, actor="ann")
        for letter in rest:
            await queues.dead.discard(letter, actor="ann", reason="")
    while taken := await queues.take(lease):
        for delivery in taken:
            await queues.settle(lease, delivery)


async def talk(queues: Queues, lease: Lease, tenant: TenantId) -> None:
    """Three conversations, each with a message of three parts."""
    for number, conversation in enumerate(("c1", "c2", "slack:T0:C0:17.5")):
        await queues.commit(
            tenant,
            conversation,
            *(f"{lease.role}-{number}-{part}" for part in range(3)),
            keys=(f"slack:T0:{number}",),
            metered=True,
            direction=lease.direction,
        )


async def test_every_key_of_a_life_is_its_shards_and_its_tenants(queues: Queues) -> None:
    """One hash tag per shard, so that the scripts run on Redis Cluster; one prefix per tenant."""
    many = Queues(queues.client, SHARDS)
    await queues.client.flushall()
    await many.admit(*TENANTS)
    seen: set[str] = set()
    for tenant in TENANTS:
        shard = shard_of(tenant, SHARDS)
        lease = await many.lease(BRIDGE, shard=shard.number)
        await many.commit(tenant, "c9", "waits", keys=("k",), metered=True)
        seen |= set(await many.everything())
        [waits] = await many.take(lease)
        seen |= set(await many.everything())
        await many.settle(lease, waits, again(0.0, uncertain=True))
        seen |= set(await many.everything())
        await live(many, lease)
        seen |= set(await many.everything())

    prefixes = {shard_of(tenant, SHARDS).prefix for tenant in TENANTS}
    own = {shard_of(tenant, SHARDS).tenant(tenant) for tenant in TENANTS}
    strays = {
        key
        for key in seen
        if not key.startswith(tuple(own))
        and key.removeprefix(next((each for each in prefixes if key.startswith(each)), "")).split(
            ":"
        )[0]
        not in SHARED
    }
    assert set() == strays
    assert all(any(key.startswith(prefix) for key in seen) for prefix in own)


async def test_no_tenant_writes_under_the_prefix_of_another(queues: Queues) -> None:
    """Not even one whose id is the beginning of the other's."""
    prefixes = [Shard(0).tenant(tenant) for tenant in (ACME, GLOBEX, INITECH)]
    await queues.commit(ACME, "c1", "d1", keys=("k",), metered=True)

    written = set(await queues.everything())

    assert not [key for key in written if key.startswith(tuple(prefixes[1:]))]
    assert not Shard(0).tenant(ACME).startswith(Shard(0).tenant(TenantId("ac")))


async def test_nothing_is_left_of_what_was_delivered(queues: Queues) -> None:
    """But what is meant to stay: names that may come again, the quota, the log, dead letters."""
    await live(queues, await queues.lease(BRIDGE))
    await live(queues, await queues.lease(EGRESS))

    left = {key.removeprefix("{s0}:") for key in await queues.everything()}
    own = {f"t:{tenant}:" for tenant in TENANTS}
    dedupe = {
        f"{prefix}dd:{way}:slack:T0:{n}" for prefix in own for way in Direction for n in range(3)
    }
    quotas = {f"{prefix}quota" for prefix in own}
    # An empty stream keeps its last id, so that a later entry can't have an earlier one's.
    streams = {f"{prefix}{name}" for prefix in own for name in ("in", "out", "dead")}

    assert KEPT | {"fence:egress"} | dedupe | quotas | streams == left
    assert 0 == sum([await queues.client.xlen(f"{{s0}}:{stream}") for stream in streams])


async def test_dedupe_keys_and_quota_end_by_themselves(queues: Queues) -> None:
    """A day for the names, a moment for the quota."""
    limits = Limits(events_per_minute=1)
    await queues.commit(ACME, "c1", "d1", keys=("k",), metered=True, limits=limits)

    day_ms = 24 * 3600 * 1000
    assert day_ms - 10_000 < await queues.client.pttl("{s0}:t:acme:dd:in:k") <= day_ms
    assert 0 < await queues.client.pttl("{s0}:t:acme:quota") <= 61_000


async def test_records_leave_when_the_archive_has_them(queues: Queues) -> None:
    """Those that were read, no more; ids are the archive's key."""
    log, shard = AuditLog(queues.client), Shard(0)
    for number in range(5):
        await queues.commit(ACME, "c1", f"d{number}")
    await queues.store.record(
        AuditRecord(tenant=UNROUTED, action=AuditAction.EVENT_DROPPED, outcome="dropped")
    )

    first = await log.read(shard, 4)
    await log.remove(shard, first)
    rest = await log.read(shard, 4)

    assert ["d0", "d1", "d2", "d3"] == [entry.record.delivery_id for entry in first]
    assert ["d4", ""] == [entry.record.delivery_id for entry in rest]
    assert ["accepted", "dropped"] == [entry.record.outcome for entry in rest]
    assert all(entry.id.startswith("s0:") for entry in first + rest)
    assert 6 == len({entry.id for entry in first + rest})


async def test_a_broken_record_does_not_stop_the_log(queues: Queues) -> None:
    """It is told of as what it is."""
    await queues.client.xadd(Shard(0).audit, {"r": "{broken", "o": ""})
    await queues.client.xadd(Shard(0).audit, {"other": "x"})
    await queues.commit(ACME, "c1", "d1")

    actions = [entry.record.action for entry in await queues.audit()]

    assert [AuditAction.UNREADABLE] * 2 + [AuditAction.EVENT_ROUTED] == actions


async def test_a_letter_of_one_direction_is_not_of_the_other(queues: Queues) -> None:
    """Both kinds lie in one list and say where they were going."""
    for role in (BRIDGE, EGRESS):
        lease = await queues.lease(role)
        await queues.commit(ACME, "c1", role, direction=lease.direction)
        [delivery] = await queues.take(lease)
        await queues.settle(lease, delivery, DEAD)

    letters = {letter.id: letter.direction for letter in await queues.dead.page(ACME)}
    assert {
        DeliveryId(BRIDGE): Direction.INBOUND,
        DeliveryId(EGRESS): Direction.OUTBOUND,
    } == letters
    assert ARCHIVE not in letters
