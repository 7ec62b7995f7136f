"""Dead letters sent again: which ones, in which order, how fast, and until when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from gateway.core.clock import unix_ms
from gateway.core.deliveries import Direction, Fault, Reason
from gateway.core.retry import Dead
from gateway.redrive import LetterFilter, Redrive, Redriven
from gateway.store.leases import BRIDGE, EGRESS
from tests.support.queues import ACME, TENANTS, Queues, open_queues

ALL = LetterFilter()
AT_ONCE = 1000.0


@pytest.fixture
async def queues(clean_redis: str) -> AsyncIterator[Queues]:
    """One shard, three tenants, nothing queued."""
    async with open_queues(clean_redis) as opened:
        await opened.admit(*TENANTS)
        yield opened


async def bury(
    queues: Queues,
    conversation: str,
    *names: str,
    reason: Reason = Reason.AGENT_REJECTED,
    direction: Direction = Direction.INBOUND,
) -> None:
    """Accept deliveries and give them up."""
    role = BRIDGE if direction is Direction.INBOUND else EGRESS
    lease = await queues.lease(role)
    for name in names:
        await queues.commit(ACME, conversation, name, direction=direction)
        [delivery] = await queues.take(lease)
        await queues.settle(lease, delivery, Dead(reason=reason, detail="no"))
    await queues.leases().release(lease)


async def matching(queues: Queues, wanted: LetterFilter) -> list[str]:
    """The ids of those that are meant, in the order in which they would go."""
    return [letter.id async for letter in Redrive(queues.dead).matching(ACME, wanted)]


async def replay(
    queues: Queues,
    wanted: LetterFilter = ALL,
    *,
    stop: asyncio.Event | None = None,
    stop_after: int | None = None,
    per_s: float = AT_ONCE,
) -> Redriven:
    """Send again, and stop after so many."""
    stopping = stop or asyncio.Event()

    def progress(count: int) -> None:
        if count == stop_after:
            stopping.set()

    return await Redrive(queues.dead).replay(
        ACME, wanted, actor="ann", per_s=per_s, stop=stopping, progress=progress
    )


async def taken(queues: Queues) -> list[str]:
    """All that is queued, in the order of its lanes, delivered one after the other."""
    lease, found = await queues.lease(), []
    while deliveries := await queues.take(lease):
        for delivery in deliveries:
            found.append(f"{delivery.conversation}/{delivery.id}")
            await queues.settle(lease, delivery)
    return found


async def test_letters_go_again_in_the_order_in_which_they_died(queues: Queues) -> None:
    """Within each conversation, and after what has come in meanwhile."""
    await bury(queues, "c1", "a1", "a2")
    await bury(queues, "c2", "b1")
    await bury(queues, "c1", "a3")
    await queues.accept(ACME, "c1", "a4")

    assert Redriven(replayed=4, gone=0, stopped=False) == await replay(queues)

    order = await taken(queues)
    assert ["c1/a4", "c1/a1", "c1/a2", "c1/a3"] == [name for name in order if "c1" in name]
    assert 5 == len(order)
    assert 0 == await queues.dead.count(ACME)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (LetterFilter(), ["a", "b", "c", "d"]),
        (LetterFilter(reason=Reason.AGENT_TIMEOUT), ["b"]),
        (LetterFilter(fault=Fault.TENANT), ["a", "b"]),
        (LetterFilter(fault=Fault.PLATFORM), ["d"]),
        (LetterFilter(fault=Fault.PIPELINE), ["c"]),
        (LetterFilter(conversation="c1"), ["a", "c"]),
        (LetterFilter(direction=Direction.OUTBOUND), ["d"]),
        (LetterFilter(conversation="c1", fault=Fault.TENANT), ["a"]),
        (LetterFilter(conversation="c1", reason=Reason.AGENT_TIMEOUT), []),
    ],
)
async def test_all_that_is_set_must_hold(
    queues: Queues, wanted: LetterFilter, expected: Sequence[str]
) -> None:
    """By reason, by whose fault, by conversation, by direction."""
    await bury(queues, "c1", "a")
    await bury(queues, "c2", "b", reason=Reason.AGENT_TIMEOUT)
    await bury(queues, "c1", "c", reason=Reason.GATEWAY_FAULT)
    await bury(queues, "c2", "d", reason=Reason.PLATFORM_ERROR, direction=Direction.OUTBOUND)

    assert expected == await matching(queues, wanted)
    assert len(expected) == await Redrive(queues.dead).count(ACME, wanted)


async def test_moments_are_of_the_death(queues: Queues) -> None:
    """`since` is included, `until` is not."""
    await bury(queues, "c1", "a")
    [letter] = await queues.dead.page(ACME)
    died = letter.died_at_ms

    assert ["a"] == await matching(queues, LetterFilter(since_ms=died, until_ms=died + 1))
    assert [] == await matching(queues, LetterFilter(since_ms=died + 1))
    assert [] == await matching(queues, LetterFilter(until_ms=died))


async def test_more_than_a_page_is_walked_through(queues: Queues) -> None:
    """None is passed over while those before it go."""
    names = [f"d{number}" for number in range(450)]
    lease = await queues.lease()
    await queues.accept(ACME, "c1", *names)
    for _ in names:
        [delivery] = await queues.take(lease)
        await queues.settle(lease, delivery, Dead(reason=Reason.AGENT_REJECTED, detail="no"))
    await queues.leases().release(lease)

    await replay(queues, per_s=1e9)

    assert [f"c1/{name}" for name in names] == await taken(queues)


async def test_what_dies_again_is_not_walked_over_for_ever(queues: Queues) -> None:
    """A walk ends with what was dead when it began."""
    await bury(queues, "c1", "a")
    walk = Redrive(queues.dead).matching(ACME, ALL)
    began_ms = unix_ms()
    first = await anext(walk)
    while unix_ms() <= began_ms:
        await bury(queues, "c2", f"at {unix_ms()}")
    await bury(queues, "c1", "later")

    rest = [letter.id async for letter in walk]
    assert "a" == first.id
    assert "later" not in rest


async def test_a_stop_ends_it_between_two_letters(queues: Queues) -> None:
    """At the slowest pace at once, and says how many went."""
    await bury(queues, "c1", "a1", "a2", "a3")

    assert Redriven(replayed=2, gone=0, stopped=True) == await replay(queues, stop_after=2)
    assert Redriven(replayed=1, gone=0, stopped=True) == await replay(
        queues, stop_after=1, per_s=0.001
    )
    assert ["c1/a1", "c1/a2", "c1/a3"] == await taken(queues)


async def test_a_stop_before_the_first_sends_nothing(queues: Queues) -> None:
    """Who interrupts while the letters are counted means it."""
    await bury(queues, "c1", "a1")
    stop = asyncio.Event()
    stop.set()

    assert Redriven(replayed=0, gone=0, stopped=True) == await replay(queues, stop=stop)
    assert 1 == await queues.dead.count(ACME)


async def test_what_somebody_else_took_is_counted_as_gone(queues: Queues) -> None:
    """Two operators replay at once: every letter goes once."""
    names = [f"d{number}" for number in range(20)]
    await bury(queues, "c1", *names)

    results = await asyncio.gather(replay(queues), replay(queues))

    assert 20 == sum(each.replayed for each in results)
    assert sorted(f"c1/{name}" for name in names) == sorted(await taken(queues))


async def test_a_walk_is_no_faster_than_asked(queues: Queues) -> None:
    """Whoever just came back from an outage is not run over."""
    await bury(queues, "c1", *(f"d{number}" for number in range(6)))
    loop = asyncio.get_running_loop()
    began_s = loop.time()

    await replay(queues, per_s=20.0)

    assert loop.time() - began_s >= 5 / 20
