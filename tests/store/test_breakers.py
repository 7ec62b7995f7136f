"""Breakers: opened by settles, closed by health or an operator, one for all replicas."""

from __future__ import annotations

import msgspec

from gateway.core.breaker import BreakerPolicy, BreakerState, Sign
from gateway.core.deliveries import Direction
from gateway.store.breakers import BreakerStore
from gateway.store.connection import run
from gateway.store.deliveries import DeliveryStore
from gateway.store.keys import Shard
from gateway.store.leases import EGRESS, Lease
from tests.support.queues import ACME, DONE, GLOBEX, Queues, again, settled

POLICY = BreakerPolicy(window_s=30, least=4, percent=50)


async def attempts(queues: Queues, lease: Lease, signs: list[Sign]) -> list[str]:
    """Deliver one message per sign; return whose breaker opened."""
    store = DeliveryStore(queues.client, queues.shards, breaker=POLICY)
    opened: list[str] = []
    for number, sign in enumerate(signs):
        await queues.accept(ACME, f"c{number}", f"d{number}")
        [delivery] = (await store.take(lease, 1)).deliveries
        each = msgspec.structs.replace(settled(delivery, DONE), sign=sign)
        opened += (await store.settle(lease, [each])).broken
    return opened


async def test_it_opens_at_the_rate_once_enough_was_tried(queues: Queues) -> None:
    """One failure of one is no rate; two of four are half."""
    lease = await queues.lease()
    await queues.admit(ACME)

    assert [] == await attempts(queues, lease, [Sign.ILL, Sign.WELL, Sign.ILL])
    assert [ACME] == await attempts(queues, lease, [Sign.WELL])
    breaker = await BreakerStore(queues.client, 1).of(ACME)
    assert breaker is not None
    assert BreakerState.OPEN is breaker.state
    assert ("breaker.opened", "") in await queues.outcomes()


async def test_below_the_rate_it_stays_closed(queues: Queues) -> None:
    """A container that fails now and then goes on being tried."""
    lease = await queues.lease()
    await queues.admit(ACME)

    assert [] == await attempts(queues, lease, [Sign.WELL] * 3 + [Sign.ILL, Sign.NONE] * 2)


async def test_open_means_nothing_is_handed_out_and_no_attempt_counted(queues: Queues) -> None:
    """What waits is deferred; the neighbours go on; closing lets it go where it stood."""
    lease = await queues.lease()
    await queues.admit(ACME, GLOBEX)
    await attempts(queues, lease, [Sign.ILL] * 4)
    await queues.accept(ACME, "c", "waits")
    await queues.accept(GLOBEX, "c", "goes")

    assert ["goes"] == [each.id for each in await queues.take(lease)]
    assert await BreakerStore(queues.client, 1).close(ACME, why="well again")
    [delivery] = await queues.take(lease)
    assert ("waits", 1) == (delivery.id, delivery.attempt)


async def test_a_retry_that_falls_due_waits_for_the_breaker(queues: Queues) -> None:
    """Neither the schedule nor a new commit gets around it."""
    lease = await queues.lease()
    await queues.admit(ACME)
    await queues.accept(ACME, "retried", "first")
    [first] = await queues.take(lease)
    await attempts(queues, lease, [Sign.ILL] * 4)
    await queues.settle(lease, first, again(0.0))

    assert [] == await queues.take(lease)
    await BreakerStore(queues.client, 1).close(ACME, why="well again")
    assert ["first"] == [each.id for each in await queues.take(lease)]


async def test_outbound_does_not_care(queues: Queues) -> None:
    """A container that is ill may still speak."""
    lease, egress = await queues.lease(), await queues.lease(EGRESS)
    await queues.admit(ACME)
    await attempts(queues, lease, [Sign.ILL] * 4)
    await queues.commit(ACME, "c", "answer", direction=Direction.OUTBOUND)

    assert ["answer"] == [each.id for each in await queues.take(egress)]


async def test_an_endpoint_that_says_410_is_disabled_at_once(queues: Queues) -> None:
    """It is told apart from an open breaker, for it does not close by itself."""
    lease = await queues.lease()
    await queues.admit(ACME)

    assert [ACME] == await attempts(queues, lease, [Sign.GONE])
    breakers = await BreakerStore(queues.client, 1).not_closed(Shard(0))
    assert BreakerState.GONE is breakers[ACME].state
    assert ("endpoint.disabled", "") in await queues.outcomes()


async def test_an_endpoint_is_disabled_once(queues: Queues) -> None:
    """What was in flight when it went says 410 too, and is no news."""
    lease = await queues.lease()
    await queues.admit(ACME)
    for number in range(2):
        await queues.accept(ACME, f"c{number}", f"d{number}")
    gone = [
        msgspec.structs.replace(settled(each, DONE), sign=Sign.GONE)
        for each in await queues.take(lease)
    ]

    opened = [(await queues.store.settle(lease, [each])).broken for each in gone]

    assert [[ACME], []] == opened
    assert 1 == (await queues.outcomes()).count(("endpoint.disabled", ""))


async def test_closing_is_recorded_once(queues: Queues) -> None:
    """Two that close at once leave one record."""
    lease = await queues.lease()
    await queues.admit(ACME)
    await attempts(queues, lease, [Sign.GONE])
    store = BreakerStore(queues.client, 1)

    assert [True, False] == [await store.close(ACME, why="a"), await store.close(ACME, why="b")]
    assert 1 == (await queues.outcomes()).count(("breaker.closed", ""))
    assert await store.of(ACME) is None


async def test_what_failed_long_ago_does_not_count(queues: Queues) -> None:
    """Four failures in a day are no rate either: each window has its end, and what comes after
    counts anew.
    """
    lease = await queues.lease()
    await queues.admit(ACME)
    await attempts(queues, lease, [Sign.ILL] * 2)
    window = f"{Shard(0).tenant(ACME)}window"
    await run(queues.client, "PEXPIRE", window, 20_000)
    await attempts(queues, lease, [Sign.ILL])
    assert 0 < await run(queues.client, "PTTL", window) <= 20_000
    await run(queues.client, "PEXPIRE", window, 0)

    assert [] == await attempts(queues, lease, [Sign.ILL] * 3)
    assert 20_000 < await run(queues.client, "PTTL", window) <= 1000 * POLICY.window_s
    assert [ACME] == await attempts(queues, lease, [Sign.ILL])
