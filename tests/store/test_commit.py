"""A commit stores a decision with all that follows from it, or nothing."""

from __future__ import annotations

import pytest

from gateway.core.deliveries import Direction, Receipt
from gateway.core.errors import StoreError
from gateway.core.tenants import Limits, Overflow
from gateway.store.connection import connect
from gateway.store.deliveries import Committed
from gateway.store.leases import EGRESS, Lease
from tests.support.queues import ACME, GLOBEX, Queues, ids
from tests.support.waiting import eventually


async def test_an_accepted_delivery_is_queued_with_its_record(queues: Queues, lease: Lease) -> None:
    """What went in comes out, once, and the log says so."""
    committed = await queues.commit(ACME, "c1", "d1", value="d1")
    [delivery] = await queues.take(lease)

    assert Committed(Receipt.ACCEPTED, "d1") == committed
    assert ("d1", ACME, "c1", b"d1", 1, False) == (
        delivery.id,
        delivery.tenant,
        delivery.conversation,
        delivery.payload,
        delivery.attempt,
        delivery.uncertain,
    )
    assert [("event.routed", "accepted")] == await queues.outcomes()


@pytest.mark.parametrize("second", [("k1",), ("k2",), ("k2", "other"), ("other", "k1")])
async def test_a_duplicate_on_any_key_tells_the_value_of_the_first(
    queues: Queues, lease: Lease, second: tuple[str, ...]
) -> None:
    """A platform may name the same thing in several ways: one match is enough."""
    await queues.commit(ACME, "c1", "d1", keys=("k1", "k2"), value="first")
    committed = await queues.commit(ACME, "c1", "d2", keys=second, value="second")

    assert Committed(Receipt.DUPLICATE, "first") == committed
    assert ["d1"] == ids(await queues.store.take(lease, 10))
    assert ["accepted", "duplicate"] == [outcome for _, outcome in await queues.outcomes()]


async def test_a_duplicate_claims_no_keys_of_its_own(queues: Queues) -> None:
    """A new key of a duplicate still belongs to whoever uses it first."""
    await queues.commit(ACME, "c1", "d1", keys=("k1",))
    await queues.commit(ACME, "c1", "d2", keys=("k1", "new"))

    assert Receipt.ACCEPTED is (await queues.commit(ACME, "c1", "d3", keys=("new",))).receipt


async def test_the_same_key_of_another_tenant_or_direction_is_another_key(queues: Queues) -> None:
    """Two tenants may well see the same ts."""
    receipts = [
        (await queues.commit(ACME, "c1", "d1", keys=("k",))).receipt,
        (await queues.commit(GLOBEX, "c1", "d2", keys=("k",))).receipt,
        (await queues.commit(ACME, "c1", "d3", keys=("k",), direction=Direction.OUTBOUND)).receipt,
    ]

    assert [Receipt.ACCEPTED] * 3 == receipts


async def test_a_burst_passes_and_what_exceeds_it_is_recorded_only(
    queues: Queues, lease: Lease
) -> None:
    """The quota drops what is too much, and says so in the log; no key is claimed by it."""
    limits = Limits(events_per_minute=1, event_burst=3)
    receipts = [
        (
            await queues.commit(
                ACME, f"c{number}", f"d{number}", keys=(f"k{number}",), limits=limits, metered=True
            )
        ).receipt
        for number in range(5)
    ]

    assert [Receipt.ACCEPTED] * 3 + [Receipt.RATE_LIMITED] * 2 == receipts
    assert {"d0", "d1", "d2"} == set(ids(await queues.store.take(lease, 10)))
    assert 5 == len(await queues.audit())
    assert Receipt.ACCEPTED is (await queues.commit(ACME, "c4", "d4", keys=("k4",))).receipt


async def test_the_quota_of_one_tenant_is_not_used_up_by_another(queues: Queues) -> None:
    """One noisy tenant costs the others nothing."""
    limits = Limits(events_per_minute=1, event_burst=1)
    receipts = [
        (await queues.commit(tenant, "c1", "d1", limits=limits, metered=True)).receipt
        for tenant in (ACME, ACME, GLOBEX)
    ]

    assert [Receipt.ACCEPTED, Receipt.RATE_LIMITED, Receipt.ACCEPTED] == receipts


async def test_the_quota_refills_with_time(queues: Queues) -> None:
    """20 a second: the next one passes after 50 ms."""
    limits = Limits(events_per_minute=1200, event_burst=1)

    async def passes() -> bool:
        committed = await queues.commit(ACME, "c1", "d", limits=limits, metered=True)
        return committed.receipt is Receipt.ACCEPTED

    assert await passes()
    assert not await passes()
    await eventually(passes, timeout_s=5)


async def test_what_is_not_metered_uses_no_quota(queues: Queues) -> None:
    """Answers of agents are bounded by their queue, not by the quota of events."""
    limits = Limits(events_per_minute=1, event_burst=1)
    receipts = {
        (await queues.commit(ACME, "c1", f"d{number}", limits=limits)).receipt
        for number in range(4)
    }

    assert {Receipt.ACCEPTED} == receipts


async def test_a_full_queue_stores_nothing_at_all(queues: Queues, lease: Lease) -> None:
    """Not acknowledged means not stored: no dedupe key, no quota, no record."""
    limits = Limits(max_queued=2)
    await queues.commit(ACME, "c1", "d1", limits=limits)
    before = await queues.everything()

    committed = await queues.commit(
        ACME, "c2", "d2", "d3", keys=("k",), limits=limits, metered=True
    )

    assert Receipt.FULL is committed.receipt
    assert before == await queues.everything()


async def test_a_tenant_may_have_overflow_dropped_on_record(queues: Queues) -> None:
    """Acknowledged and gone, but not without a trace; an agent's message is never dropped so."""
    limits = Limits(max_queued=1, overflow=Overflow.DROP)
    await queues.commit(ACME, "c1", "d1", limits=limits)

    committed = await queues.commit(ACME, "c2", "d2", keys=("k",), limits=limits)

    assert Receipt.OVERFLOWED is committed.receipt
    assert ("event.routed", "queue_full") == (await queues.outcomes())[-1]
    out = Direction.OUTBOUND
    await queues.commit(ACME, "c1", "m1", limits=limits, direction=out)
    refused = await queues.commit(ACME, "c1", "m2", limits=limits, direction=out)
    assert Receipt.FULL is refused.receipt


async def test_a_full_queue_opens_when_something_leaves(queues: Queues, lease: Lease) -> None:
    """In flight counts as queued: what is not settled may come back."""
    limits = Limits(max_queued=1)
    await queues.commit(ACME, "c1", "d1", limits=limits)
    [delivery] = await queues.take(lease)

    assert Receipt.FULL is (await queues.commit(ACME, "c1", "d2", limits=limits)).receipt
    await queues.settle(lease, delivery)
    assert Receipt.ACCEPTED is (await queues.commit(ACME, "c1", "d2", limits=limits)).receipt


async def test_a_known_event_is_a_duplicate_even_when_the_queue_is_full(queues: Queues) -> None:
    """A re-sent event must be acknowledged, or the platform would send it for ever."""
    limits = Limits(max_queued=1)
    await queues.commit(ACME, "c1", "d1", keys=("k",), limits=limits)

    committed = await queues.commit(ACME, "c1", "d2", keys=("k",), limits=limits)

    assert Receipt.DUPLICATE is committed.receipt


async def test_several_deliveries_of_one_commit_keep_their_order(queues: Queues) -> None:
    """The parts of a long answer arrive one after the other."""
    names = [f"part-{number}" for number in range(12)]
    await queues.commit(ACME, "c1", *names, direction=Direction.OUTBOUND)
    lease = await queues.lease(EGRESS)

    seen = []
    while taken := await queues.take(lease):
        [delivery] = taken
        seen.append(delivery.id)
        await queues.settle(lease, delivery)

    assert names == seen
    assert 1 == (await queues.outcomes()).count(("event.routed", "accepted"))


async def test_the_directions_of_a_tenant_do_not_touch(queues: Queues, lease: Lease) -> None:
    """The same conversation has a lane of its own each way."""
    await queues.commit(ACME, "c1", "to-agent")
    await queues.commit(ACME, "c1", "to-slack", direction=Direction.OUTBOUND)

    assert ["to-agent"] == ids(await queues.store.take(lease, 10))
    assert ["to-slack"] == ids(await queues.store.take(await queues.lease(EGRESS), 10))


async def test_a_store_that_is_away_is_an_error() -> None:
    """Never an empty answer (law 9)."""
    async with connect("unix:///nonexistent/redis.sock") as client:
        with pytest.raises(StoreError):
            await Queues(client).commit(ACME, "c1", "d1")
