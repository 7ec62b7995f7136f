"""Take hands out the heads of lanes: in order, one per lane, fair between tenants."""

from __future__ import annotations

import pytest

from gateway.core.errors import LeaseLostError
from gateway.store.keys import Shard
from gateway.store.leases import BRIDGE, Lease
from tests.support.queues import ACME, GLOBEX, INITECH, Queues, again, ids, settled


async def test_a_lane_hands_out_one_delivery_at_a_time_in_order(
    queues: Queues, lease: Lease
) -> None:
    """The next one starts when the one before is settled, never earlier."""
    for name in ("d1", "d2", "d3"):
        await queues.accept(ACME, "c1", name)

    seen = []
    for _ in range(3):
        [delivery] = await queues.take(lease)
        assert [] == await queues.take(lease)
        seen.append(delivery.id)
        await queues.settle(lease, delivery)

    assert ["d1", "d2", "d3"] == seen
    assert [] == await queues.take(lease)


async def test_other_lanes_and_tenants_go_on_while_one_is_in_flight(
    queues: Queues, lease: Lease
) -> None:
    """A conversation waits for itself alone."""
    await queues.accept(ACME, "c1", "a1", "a2")
    assert ["a1"] == ids(await queues.store.take(lease, 10))

    await queues.accept(ACME, "c2", "b1")
    await queues.accept(GLOBEX, "c1", "g1")

    assert {"b1", "g1"} == set(ids(await queues.store.take(lease, 10)))


async def test_a_tenant_has_no_more_in_flight_than_it_may(queues: Queues, lease: Lease) -> None:
    """The limit is the tenant's, over all of its conversations, and others are not held up."""
    await queues.admit(ACME, concurrency=2)
    for number in range(5):
        await queues.accept(ACME, f"c{number}", f"a{number}")
    await queues.accept(GLOBEX, "c1", "g1")

    taken = await queues.take(lease)
    assert ["a0", "a1", "g1"] == sorted(delivery.id for delivery in taken)
    assert [] == await queues.take(lease)

    await queues.settle(lease, next(each for each in taken if each.tenant == ACME))
    assert ["a2"] == ids(await queues.store.take(lease, 10))


async def test_a_raised_limit_counts_from_the_next_settlement_on(
    queues: Queues, lease: Lease
) -> None:
    """Operators change limits while things run."""
    await queues.admit(ACME, concurrency=1)
    for number in range(4):
        await queues.accept(ACME, f"c{number}", f"a{number}")
    [first] = await queues.take(lease)
    await queues.admit(ACME, concurrency=3)

    await queues.settle(lease, first)

    assert ["a1", "a2", "a3"] == ids(await queues.store.take(lease, 10))


async def test_tenants_take_turns(queues: Queues, lease: Lease) -> None:
    """One lane per tenant and turn, whoever has how many."""
    for tenant, count in ((ACME, 6), (GLOBEX, 3), (INITECH, 1)):
        for number in range(count):
            await queues.accept(tenant, f"c{number}", f"{tenant}-{number}")

    taken = await queues.take(lease)

    assert [ACME, GLOBEX, INITECH, ACME, GLOBEX, ACME, GLOBEX, ACME, ACME, ACME] == [
        delivery.tenant for delivery in taken
    ]


async def test_a_thousand_waiting_deliveries_do_not_delay_another_tenants_first(
    queues: Queues, lease: Lease
) -> None:
    """It is among the next two that are handed out, whatever was there before."""
    await queues.admit(ACME, concurrency=1000)
    for number in range(1000):
        await queues.accept(ACME, f"c{number}", f"a{number}")
    await queues.take(lease, limit=10)
    await queues.accept(GLOBEX, "c1", "g1")

    assert GLOBEX in {delivery.tenant for delivery in await queues.take(lease, limit=2)}


async def test_what_could_not_be_handed_out_for_the_limit_comes_next(
    queues: Queues, lease: Lease
) -> None:
    """Nothing is forgotten between two small takes."""
    for number in range(7):
        await queues.accept(ACME, f"c{number}", f"a{number}")

    seen: list[str] = []
    while taken := await queues.take(lease, limit=3):
        assert len(taken) <= 3
        seen += [delivery.id for delivery in taken]

    assert [f"a{number}" for number in range(7)] == seen


async def test_an_endpoint_comes_with_what_is_taken(queues: Queues, lease: Lease) -> None:
    """In the same answer, so that it is as fresh as the delivery."""
    await queues.admit(ACME, url="http://127.0.0.1:2/new")
    await queues.accept(ACME, "c1", "a1")
    await queues.accept(GLOBEX, "c1", "g1")

    taken = await queues.store.take(lease, 10)

    assert {ACME: "http://127.0.0.1:2/new", GLOBEX: "http://127.0.0.1:1/"} == {
        tenant: endpoint.url for tenant, endpoint in taken.endpoints.items()
    }


async def test_a_tenant_that_nobody_knows_any_more_comes_without_an_endpoint(
    queues: Queues, lease: Lease
) -> None:
    """Its deliveries can still be settled."""
    await queues.accept(ACME, "c1", "a1")
    await queues.client.delete(Shard(0).profiles, Shard(0).tenants)

    taken = await queues.store.take(lease, 10)

    assert ["a1"] == ids(taken)
    assert {} == taken.endpoints


async def test_taking_on_a_lost_lease_changes_nothing(queues: Queues, lease: Lease) -> None:
    """The new owner finds everything as it was."""
    await queues.accept(ACME, "c1", "a1")
    await queues.leases().release(lease)
    before = await queues.everything()

    with pytest.raises(LeaseLostError):
        await queues.take(lease)

    assert before == await queues.everything()


async def test_settling_and_recovering_on_a_lost_lease_changes_nothing(
    queues: Queues, lease: Lease
) -> None:
    """Whatever came of the attempt: the new owner decides."""
    await queues.accept(ACME, "c1", "a1")
    [delivery] = await queues.take(lease)
    await queues.leases().release(lease)
    await queues.lease()
    before = await queues.everything()

    with pytest.raises(LeaseLostError):
        await queues.store.settle(lease, [settled(delivery)])
    with pytest.raises(LeaseLostError):
        await queues.store.recover(lease)

    assert before == await queues.everything()


async def test_an_old_token_never_fits_again(queues: Queues, lease: Lease) -> None:
    """Not even when the same replica owns the shard anew: what it held may be another's by now."""
    leases = queues.leases()
    await leases.release(lease)
    newer = await leases.acquire(Shard(0), BRIDGE)

    assert newer is not None
    assert newer.token != lease.token
    assert not await leases.renew(lease)
    await leases.release(lease)
    assert await leases.renew(newer)
    with pytest.raises(LeaseLostError):
        await queues.take(lease)


async def test_a_delivery_settled_twice_is_settled_once(queues: Queues, lease: Lease) -> None:
    """A repeated call says that it was not held, and takes nobody else's place."""
    await queues.accept(ACME, "c1", "a1", "a2")
    [first] = await queues.take(lease)
    await queues.settle(lease, first)
    [second] = await queues.take(lease)

    assert not await queues.settle(lease, first, again())
    assert await queues.settle(lease, second)
    assert [] == await queues.take(lease)
