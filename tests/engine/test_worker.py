"""A worker brings what is queued to the far side and settles it, whatever happens on the way."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gateway.core.deliveries import (
    Deferred,
    Delivery,
    Direction,
    Outcome,
    Permanent,
    Reason,
    Retryable,
)
from gateway.core.errors import StoreError
from gateway.core.retry import RetryPolicy
from gateway.engine.capacity import Capacity
from gateway.store.depths import depth
from gateway.store.keys import Shard
from tests.engine.conftest import Answer, Works
from tests.support.queues import ACME, GLOBEX
from tests.support.waiting import eventually


async def empty(works: Works) -> bool:
    """Whether nothing is queued or in flight."""
    return (await depth(works.queues.client, Shard(0), Direction.INBOUND)).queued == 0


async def test_what_is_queued_is_delivered_in_order(works: Works) -> None:
    """What was there before and what comes later, each conversation for itself."""
    await works.queues.accept(ACME, "c1", "a1", "a2")
    worker = works.worker(await works.queues.lease())
    await eventually(lambda: works.delivered(2))
    await works.queues.accept(ACME, "c1", "a3")
    worker.wake()
    await eventually(lambda: works.delivered(3))

    assert ["a1", "a2", "a3"] == works.attempts.names
    assert await empty(works)


async def test_work_that_nobody_told_of_is_found(works: Works) -> None:
    """A wake message may be lost; then it costs a moment."""
    works.worker(await works.queues.lease())
    await works.queues.accept(ACME, "c1", "a1")

    await eventually(lambda: works.delivered(1))


async def test_who_commits_beside_the_worker_wakes_it(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a call, with nothing published, however many come while it looks for the first."""
    monkeypatch.setattr("gateway.engine.worker.POLL_S", 1000.0)
    works.worker(await works.queues.lease())
    for number in range(3):
        await works.wired.accept(ACME, f"c{number}", f"a{number}")
        await eventually(lambda: works.delivered(len(works.attempts.names)))
    accepts = (works.wired.accept(GLOBEX, f"c{number}", f"g{number}") for number in range(50))
    await asyncio.gather(*accepts)

    await eventually(lambda: works.delivered(53))


async def test_a_slow_conversation_does_not_stop_others(works: Works) -> None:
    """Nor the tenant's other conversations, nor other tenants."""
    gate = works.attempts.hold("slow")
    await works.queues.accept(ACME, "c1", "slow", "after-slow")
    await works.queues.accept(ACME, "c2", "b1", "b2")
    await works.queues.accept(GLOBEX, "c1", "g1", "g2")
    works.worker(await works.queues.lease())

    await eventually(lambda: works.delivered(4))
    assert "after-slow" not in works.attempts.names
    gate.set()
    await eventually(lambda: works.delivered(6))


async def test_attempts_that_end_together_are_settled_together(works: Works) -> None:
    """One call for many: a call for each would be the first thing to grow slow."""
    gate = works.attempts.hold("d0")
    for number in range(1, 30):
        works.attempts.answers[f"d{number}"] = works.attempts.answers["d0"]
    for number in range(30):
        await works.queues.accept(ACME if number % 2 else GLOBEX, f"c{number}", f"d{number}")
    works.worker(await works.queues.lease())
    await eventually(lambda: len(works.attempts.seen) == 30)
    before = await scripts_run(works)

    gate.set()
    await eventually(lambda: works.delivered(30))

    assert await scripts_run(works) - before < 10


async def scripts_run(works: Works) -> int:
    """How many scripts Redis has run."""
    stats = await works.queues.client.info("commandstats")
    return int(stats["cmdstat_evalsha"]["calls"])


async def test_capacity_bounds_what_runs_at_once(works: Works) -> None:
    """Over all tenants; what waits is taken when something ends."""
    gate = works.attempts.hold("d0")
    for number in range(1, 9):
        works.attempts.answers[f"d{number}"] = works.attempts.answers["d0"]
    for number in range(9):
        await works.queues.accept(ACME, f"c{number}", f"d{number}")
    works.worker(await works.queues.lease(), works.shop(capacity=3))

    await eventually(lambda: len(works.attempts.seen) == 3)
    gate.set()
    await eventually(lambda: works.delivered(9))


async def test_a_retry_is_attempted_again_with_its_number(works: Works) -> None:
    """The id stays, the number grows, the doubt is told."""
    works.attempts.first_fails(
        "a1", answering(Retryable(reason=Reason.AGENT_TIMEOUT, uncertain=True))
    )
    await works.queues.accept(ACME, "c1", "a1", "a2")
    works.worker(await works.queues.lease())

    await eventually(lambda: works.delivered(2))
    assert [("a1", 1, False), ("a1", 2, True), ("a2", 1, False)] == [
        (each.id, each.attempt, each.uncertain) for each in works.attempts.seen
    ]


async def test_what_will_never_work_is_a_dead_letter(works: Works) -> None:
    """And the conversation goes on."""
    works.attempts.first_fails(
        "a1", answering(Permanent(reason=Reason.AGENT_REJECTED, detail="HTTP 400"))
    )
    await works.queues.accept(ACME, "c1", "a1", "a2")
    works.worker(await works.queues.lease())

    await eventually(lambda: works.delivered(1))
    [letter] = await works.queues.dead.page(ACME)
    assert ("a1", Reason.AGENT_REJECTED) == (letter.id, letter.reason)


async def test_a_deferral_costs_no_attempt(works: Works) -> None:
    """A rate wait is nobody's failure."""
    works.attempts.first_fails(
        "a1", answering(Deferred(reason=Reason.PLATFORM_RATE_LIMITED, after_s=0.0))
    )
    await works.queues.accept(ACME, "c1", "a1")
    works.worker(await works.queues.lease())

    await eventually(lambda: works.delivered(1))
    assert [1, 1] == [each.attempt for each in works.attempts.seen]
    assert ["event.routed", "delivery.delivered"] == await works.actions()


async def test_a_store_fault_in_an_attempt_defers_it(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The far side has not been asked: no attempt was made."""
    monkeypatch.setattr("gateway.engine.attempts.GATEWAY_FAULT_WAIT_S", 0.0)

    async def fail(_delivery: Delivery) -> Outcome:
        raise StoreError("Redis: away")

    works.attempts.first_fails("a1", fail)
    await works.queues.accept(ACME, "c1", "a1")
    works.worker(await works.queues.lease())

    await eventually(lambda: works.delivered(1))
    assert [(1, False), (1, False)] == [(e.attempt, e.uncertain) for e in works.attempts.seen]


async def test_a_fault_in_an_attempt_retries_it(works: Works) -> None:
    """A mistake of ours must not take the message with it, and may come after it was sent."""

    async def fail(_delivery: Delivery) -> Outcome:
        raise ZeroDivisionError

    works.attempts.first_fails("a1", fail)
    await works.queues.accept(ACME, "c1", "a1")
    works.worker(await works.queues.lease())

    await eventually(lambda: works.delivered(1))
    assert [(1, False), (2, True)] == [(e.attempt, e.uncertain) for e in works.attempts.seen]


async def test_what_was_in_flight_before_is_recovered_first(works: Works) -> None:
    """The last owner died: its attempts count, and are in doubt."""
    await works.queues.accept(ACME, "c1", "a1")
    await works.queues.take(await works.queues.lease())
    works.worker(await works.usurp())

    await eventually(lambda: works.delivered(1))
    assert [("a1", 2, True)] == [(e.id, e.attempt, e.uncertain) for e in works.attempts.seen]


async def test_a_message_that_kills_its_workers_is_given_up(works: Works) -> None:
    """Nobody is left to settle it: only the count of its attempts can end it."""
    await works.queues.admit(ACME, retry=RetryPolicy(base_s=0.0, cap_s=0.0, max_attempts=3))
    await works.queues.accept(ACME, "c1", "poison", "next")
    for _ in range(3):
        lease = await works.queues.lease()
        await works.queues.store.recover(lease)
        await works.queues.take(lease)
        await works.queues.leases().release(lease)
    works.worker(await works.queues.lease())

    await eventually(lambda: works.delivered(1))
    [letter] = await works.queues.dead.page(ACME)
    assert ("poison", Reason.INTERRUPTED) == (letter.id, letter.reason)
    assert ["next"] == works.attempts.names


async def test_a_delivery_without_an_endpoint_is_attempted_by_the_default_policy(
    works: Works,
) -> None:
    """The attempt decides what that means."""
    await works.queues.client.delete(Shard(0).profiles)
    await works.queues.accept(ACME, "c1", "a1")
    works.worker(await works.queues.lease())

    await eventually(lambda: works.delivered(1))


async def test_a_role_may_have_a_policy_of_its_own(works: Works) -> None:
    """What a tenant sets for its container does not decide how a platform is treated."""
    await works.queues.admit(ACME, retry=RetryPolicy(max_attempts=1))
    await works.queues.accept(ACME, "c1", "a1")
    works.attempts.first_fails("a1", answering(Retryable(reason=Reason.PLATFORM_ERROR)))
    shop = replace(works.shop(), retry=RetryPolicy(base_s=0.0, cap_s=0.0, max_attempts=2))
    works.worker(await works.queues.lease(), shop)

    await eventually(lambda: works.delivered(1))
    assert ["a1", "a1"] == works.attempts.names


async def test_capacity_is_shared_in_portions() -> None:
    """Nobody gets more than there is, and whoever waits gets what comes free."""
    capacity = Capacity(8)
    first: list[int] = []
    second: list[int] = []
    # As many more as may run, to be taken ahead.
    assert [2] * 8 == [capacity.ask(first.append) for _ in range(8)]
    assert [0, 0, 0] == [capacity.ask(each) for each in (first.append, second.append, first.append)]
    capacity.release(1)
    capacity.release(2)
    # In one portion, to who asked first; nobody overtakes those who wait.
    assert 0 == capacity.ask(print)
    await eventually(lambda: capacity.free == 0)

    assert ([2], [1]) == (first, second)
    assert 1 == capacity.asking


def answering(outcome: Outcome) -> Answer:
    """An attempt that ends so."""

    async def answer(_delivery: Delivery) -> Outcome:
        return outcome

    return answer
