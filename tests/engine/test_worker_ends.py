"""How a worker ends: told to, out of time, without its lease, without its store."""

from __future__ import annotations

import asyncio

import pytest

from gateway.core.deliveries import (
    Delivery,
    Outcome,
    Reason,
    Retryable,
)
from gateway.core.errors import StoreError
from tests.engine.conftest import Works
from tests.support.queues import ACME, GLOBEX
from tests.support.waiting import eventually


async def test_stopping_settles_what_runs_and_takes_nothing_more(works: Works) -> None:
    """What is queued waits for the next owner."""
    gate = works.attempts.hold("a1")
    await works.queues.accept(ACME, "c1", "a1", "a2")
    worker = works.worker(await works.queues.lease())
    await eventually(lambda: works.attempts.names == ["a1"])

    worker.stop()
    await works.queues.accept(ACME, "c2", "b1")
    gate.set()
    await works.running[0]

    assert ["a1"] == works.attempts.names
    assert await works.delivered(1)
    assert 0 == await works.queues.store.recover(await works.usurp())


async def test_stopping_while_it_waits_for_capacity_takes_nothing_more(works: Works) -> None:
    """All capacity is another shard's; when it comes free, nothing new begins."""
    shop = works.shop(capacity=1)
    assert [1, 1] == [shop.capacity.ask(print) for _ in range(2)]
    await works.queues.accept(ACME, "c1", "a1")
    worker = works.worker(await works.queues.lease(), shop)
    await eventually(lambda: shop.capacity.asking == 1)

    worker.stop()
    await works.running[0]

    assert [] == works.attempts.names
    shop.capacity.release(1)
    assert (1, 0) == (shop.capacity.free, shop.capacity.asking)


async def test_attempts_that_hold_all_capacity_do_not_outlast_a_stop(works: Works) -> None:
    """The deadline counts from the stop, not from when the next attempt happens to end."""
    works.attempts.hold("a1")
    await works.queues.accept(ACME, "c1", "a1")
    await works.queues.accept(ACME, "c2", "b1")
    shop = works.shop(capacity=1, stop_deadline_s=0.01)
    worker = works.worker(await works.queues.lease(), shop)
    await eventually(lambda: shop.capacity.asking == 1)

    worker.stop()
    await works.running[0]

    # What was taken ahead has not been tried, and is as if it had not been taken.
    assert ["a1"] == works.attempts.names
    assert ["event.routed", "event.routed", "delivery.retried"] == await works.actions()
    taken = await works.queues.take(await works.usurp())
    assert {("a1", 2, True), ("b1", 1, False)} == {
        (each.id, each.attempt, each.uncertain) for each in taken
    }
    assert 2 == shop.capacity.free


async def test_what_waits_behind_another_shards_attempts_does_not_hold_a_stop_up(
    works: Works,
) -> None:
    """It was taken ahead, and nothing of it has been tried: it goes back untouched."""
    shop = works.shop(capacity=1, stop_deadline_s=0.01)
    shop.capacity.turnstile.enter(GLOBEX, lambda: None)
    await works.queues.accept(ACME, "c1", "a1")
    worker = works.worker(await works.queues.lease(), shop)
    await eventually(lambda: works.in_flight(1))

    worker.stop()
    await works.running[0]

    assert [] == works.attempts.names
    [delivery] = await works.queues.take(await works.usurp())
    assert (1, False) == (delivery.attempt, delivery.uncertain)


async def test_what_does_not_end_in_time_is_interrupted_and_retried_in_doubt(works: Works) -> None:
    """The far side may have it: the next owner must know."""
    works.attempts.hold("a1")
    await works.queues.accept(ACME, "c1", "a1")
    worker = works.worker(await works.queues.lease(), works.shop(stop_deadline_s=0.01))
    await eventually(lambda: works.attempts.names == ["a1"])

    worker.stop()
    await works.running[0]

    assert ["event.routed", "delivery.retried"] == await works.actions()
    [delivery] = await works.queues.take(await works.usurp())
    assert (2, True) == (delivery.attempt, delivery.uncertain)


async def test_a_lost_lease_ends_the_work_at_once(works: Works) -> None:
    """What runs is the new owner's now: it is abandoned and not settled."""
    works.attempts.hold("a1")
    shop = works.shop(capacity=5)
    free = shop.capacity.free
    await works.queues.accept(ACME, "c1", "a1", "a2")
    lease = await works.queues.lease()
    worker = works.worker(lease, shop)
    await eventually(lambda: works.attempts.names == ["a1"])

    newer = await works.usurp()
    worker.wake()
    with pytest.raises(StoreError):
        await works.running[0]

    assert ["a1"] == [delivery.id for delivery in works.attempts.cancelled]
    assert 1 == await works.queues.store.recover(newer)
    assert free == shop.capacity.free


async def test_a_lease_lost_before_the_settlement_leaves_it_to_the_new_owner(works: Works) -> None:
    """It is attempted again, in doubt, rather than settled by somebody who owns nothing."""
    gate = works.attempts.hold("a1")
    await works.queues.accept(ACME, "c1", "a1")
    works.worker(await works.queues.lease())
    await eventually(lambda: works.attempts.names == ["a1"])
    newer = await works.usurp()
    await works.queues.store.recover(newer)
    [theirs] = await works.queues.take(newer)

    gate.set()
    with pytest.raises(StoreError):
        await works.running[0]

    assert "delivery.delivered" not in await works.actions()
    assert (2, True) == (theirs.attempt, theirs.uncertain)
    assert await works.queues.settle(newer, theirs)


async def test_a_blip_of_the_store_cuts_no_attempt_off(works: Works) -> None:
    """A post that is cut off is carried out all the same, and once more by the next owner."""
    gate = works.attempts.hold("a1")
    await works.queues.accept(ACME, "c1", "a1")
    worker = works.worker(await works.queues.lease())
    await eventually(lambda: works.attempts.names == ["a1"])

    works.link.cut()
    worker.wake()
    await eventually(lambda: worker.stopping)
    works.link.mend()
    gate.set()
    with pytest.raises(StoreError):
        await works.running[0]

    assert [] == works.attempts.cancelled
    assert await works.delivered(1)


async def test_a_retry_whose_answer_was_lost_takes_nothing_from_the_next_attempt(
    works: Works,
) -> None:
    """It was stored, and is due: said again, it would end an attempt that is just being made."""
    gate = asyncio.Event()

    async def fail(_delivery: Delivery) -> Outcome:
        await gate.wait()
        return Retryable(reason=Reason.AGENT_ERROR)

    works.attempts.answers["a1"] = fail
    await works.queues.accept(ACME, "c1", "a1")
    lease = await works.queues.lease()
    worker = works.worker(lease)
    await eventually(lambda: works.attempts.names == ["a1"])

    # It takes nothing more itself: the test takes in its place, under the same lease.
    worker.stop()
    works.link.mute()
    gate.set()
    [next_one] = await eventually(lambda: works.queues.take(lease))
    works.link.cut()
    works.link.mend()
    with pytest.raises(StoreError):
        await works.running[0]

    assert 2 == next_one.attempt
    assert await works.queues.settle(lease, next_one)


async def test_a_cancelled_worker_gives_its_capacity_back(works: Works) -> None:
    """Or every lost lease would make the process a little slower, for ever."""
    works.attempts.hold("a1")
    shop = works.shop(capacity=5)
    free = shop.capacity.free
    await works.queues.accept(ACME, "c1", "a1")
    await works.queues.accept(ACME, "c2", "b1")
    works.worker(await works.queues.lease(), shop)
    await eventually(lambda: "a1" in works.attempts.names)

    works.running[0].cancel()
    await asyncio.wait(works.running)

    assert free == shop.capacity.free
