"""What becomes of a delivery: done, again, dead, or given back by a recovery."""

from __future__ import annotations

from gateway.core.audit import AuditAction
from gateway.core.deliveries import Direction
from gateway.store.deliveries import Settled
from gateway.store.depths import Depth, depth
from gateway.store.keys import Shard
from gateway.store.leases import Lease
from tests.support.queues import ACME, DEAD, GLOBEX, Queues, again, ids, settled
from tests.support.waiting import eventually


async def test_a_retry_comes_back_first_in_its_lane_and_blocks_only_that(
    queues: Queues, lease: Lease
) -> None:
    """Order inside the conversation; everybody else goes on."""
    await queues.accept(ACME, "c1", "a1", "a2")
    [first] = await queues.take(lease)
    await queues.settle(lease, first, again(60))
    await queues.accept(ACME, "c1", "a3")
    await queues.accept(ACME, "c2", "b1")
    await queues.accept(GLOBEX, "c1", "g1")

    assert {"b1", "g1"} == set(ids(await queues.store.take(lease, 10)))
    await queues.due_now()
    [retried] = await queues.take(lease)
    assert ("a1", 2, False) == (retried.id, retried.attempt, retried.uncertain)
    assert first.accepted_at_ms == retried.accepted_at_ms


async def test_the_schedule_tells_when_the_next_lane_is_due(queues: Queues, lease: Lease) -> None:
    """So that a worker can sleep until then, and no longer."""
    await queues.accept(ACME, "c1", "a1")
    await queues.accept(ACME, "c2", "b1")
    first, second = await queues.take(lease)
    assert (await queues.store.take(lease, 10)).due_in_s is None

    await queues.settle(lease, first, again(100))
    await queues.settle(lease, second, again(50))

    due_in_s = (await queues.store.take(lease, 10)).due_in_s
    assert due_in_s is not None
    assert 40 < due_in_s <= 50


async def test_a_retry_that_is_due_is_handed_out(queues: Queues, lease: Lease) -> None:
    """Soon after its moment, and not before."""
    await queues.accept(ACME, "c1", "a1")
    [first] = await queues.take(lease)
    await queues.settle(lease, first, again(0.05))

    assert [] == await queues.take(lease)
    [retried] = await eventually(lambda: queues.take(lease))
    assert ("a1", 2) == (retried.id, retried.attempt)


async def test_a_deferral_is_no_attempt_and_keeps_the_doubt(queues: Queues, lease: Lease) -> None:
    """A rate wait after a lost answer must not make anybody forget that the answer was lost."""
    await queues.accept(ACME, "c1", "a1")
    [first] = await queues.take(lease)
    await queues.settle(lease, first, again(uncertain=True))
    [second] = await queues.take(lease)
    await queues.settle(lease, second, again(counts=False))
    [third] = await queues.take(lease)

    assert (2, True) == (second.attempt, second.uncertain)
    assert (2, True) == (third.attempt, third.uncertain)


async def test_doubt_ends_with_an_attempt_that_is_certain(queues: Queues, lease: Lease) -> None:
    """What has been looked up and not found was not posted."""
    await queues.accept(ACME, "c1", "a1")
    for uncertain in (True, False):
        [delivery] = await queues.take(lease)
        await queues.settle(lease, delivery, again(uncertain=uncertain))

    [last] = await queues.take(lease)
    assert (3, False) == (last.attempt, last.uncertain)


async def test_a_batch_settles_each_for_itself(queues: Queues, lease: Lease) -> None:
    """One call, many ends, each with its record."""
    for name in ("done", "again", "dead", "stale"):
        await queues.accept(ACME, f"c-{name}", name, f"{name}-next")
    taken = {str(delivery.id): delivery for delivery in await queues.take(lease)}
    await queues.settle(lease, taken["stale"])

    answer = await queues.store.settle(
        lease,
        [
            settled(taken["done"]),
            settled(taken["stale"]),
            settled(taken["again"], again()),
            settled(taken["dead"], DEAD),
        ],
    )

    assert [True, False, True, True] == answer.held
    actions = [action for action, _ in await queues.outcomes()]
    assert ["delivery.delivered", "delivery.retried", "delivery.dead"] == actions[-3:]
    follow = {delivery.id: delivery.attempt for delivery in await queues.take(lease)}
    assert {"done-next": 1, "again": 2, "dead-next": 1, "stale-next": 1} == follow


async def test_a_deferral_leaves_no_record(queues: Queues, lease: Lease) -> None:
    """Nothing was decided about the delivery."""
    await queues.accept(ACME, "c1", "a1")
    [delivery] = await queues.take(lease)
    deferral = Settled(delivery=delivery, settlement=again(counts=False), audit=None)
    await queues.store.settle(lease, [deferral])

    assert [("event.routed", "accepted")] == await queues.outcomes()


async def test_recovery_gives_back_what_was_in_flight_in_its_order(
    queues: Queues, lease: Lease
) -> None:
    """Nobody knows how far the attempts came, so they count and are in doubt."""
    await queues.accept(ACME, "c1", "a1", "a2")
    await queues.accept(GLOBEX, "c1", "g1")
    await queues.take(lease)
    await queues.leases().release(lease)
    newer = await queues.lease()

    assert 2 == await queues.store.recover(newer)
    taken = {str(delivery.id): delivery for delivery in await queues.take(newer)}
    assert {"a1", "g1"} == set(taken)
    assert {(2, True)} == {(each.attempt, each.uncertain) for each in taken.values()}
    recovered = [
        (each.record.tenant, each.record.delivery_id, each.record.attempt, each.record.conversation)
        for each in await queues.audit()
        if each.record.action is AuditAction.DELIVERY_RECOVERED
    ]
    assert {(ACME, "a1", 1, "c1"), (GLOBEX, "g1", 1, "c1")} == set(recovered)
    await queues.settle(newer, taken["a1"])
    assert ["a2"] == ids(await queues.store.take(newer, 10))


async def test_recovery_with_nothing_in_flight_does_nothing(queues: Queues, lease: Lease) -> None:
    """What waits or is ready stays as it is."""
    await queues.accept(ACME, "c1", "a1")
    await queues.accept(ACME, "c2", "b1")
    [first] = await queues.take(lease, limit=1)
    await queues.settle(lease, first, again(60))
    before = await queues.everything()

    assert 0 == await queues.store.recover(lease)
    assert before == await queues.everything()


async def test_recovery_frees_the_tenants_share(queues: Queues, lease: Lease) -> None:
    """A crash must not use up what a tenant may have in flight."""
    await queues.admit(ACME, concurrency=2)
    for number in range(4):
        await queues.accept(ACME, f"c{number}", f"a{number}")
    await queues.take(lease)
    await queues.store.recover(lease)

    assert {"a0", "a1"} == set(ids(await queues.store.take(lease, 10)))


async def test_depths_count_what_waits_and_what_is_in_flight(queues: Queues, lease: Lease) -> None:
    """For the gauges: everything that is accepted and not yet delivered or given up."""
    shard = Shard(0)
    assert Depth(0, None) == await depth(queues.client, shard, Direction.INBOUND)
    await queues.accept(ACME, "c1", "a1", "a2")
    await queues.accept(GLOBEX, "c1", "g1")
    oldest = min(delivery.accepted_at_ms for delivery in await queues.take(lease))

    assert Depth(3, oldest) == await depth(queues.client, shard, Direction.INBOUND)
    assert Depth(0, None) == await depth(queues.client, shard, Direction.OUTBOUND)
