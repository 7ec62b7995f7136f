"""One message a second into one channel, and nobody sleeps for it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.egress.pace import Pace

KEY: Hashable = ("slack", "T0AAAA", "C0AAAA")
OTHER: Hashable = ("slack", "T0BBBB", "C0AAAA")


@dataclass
class Clock:
    """A clock that the test moves."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """Starts somewhere, as a monotonic clock does."""
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    """Two a second: moments half a second apart."""
    return Pace(2.0, now_s=clock)


def test_the_first_goes_at_once_and_the_next_wait_their_turns(pace: Pace) -> None:
    """Half a second apart, each with a moment of its own."""
    assert [0.0, 0.5, 1.0] == [pace.wait_s(KEY, delivery) for delivery in ("d1", "d2", "d3")]


def test_channels_do_not_wait_for_each_other(pace: Pace) -> None:
    """The same channel id in another workspace is another channel (law 4)."""
    pace.wait_s(KEY, "d1")

    assert 0.0 == pace.wait_s(OTHER, "d2")


def test_one_that_waits_keeps_its_moment(pace: Pace, clock: Clock) -> None:
    """Asking early again neither loses the place nor takes a second one."""
    pace.wait_s(KEY, "d1")
    pace.wait_s(KEY, "d2")
    clock.now_s += 0.25

    assert 0.25 == pace.wait_s(KEY, "d2")
    assert 0.75 == pace.wait_s(KEY, "d3")


def test_one_whose_moment_has_come_goes_and_uses_it_up(pace: Pace, clock: Clock) -> None:
    """A retry of the same delivery waits like anybody else."""
    pace.wait_s(KEY, "d1")
    pace.wait_s(KEY, "d2")
    clock.now_s += 0.5

    assert 0.0 == pace.wait_s(KEY, "d2")
    assert 0.5 == pace.wait_s(KEY, "d2")


def test_a_newcomer_does_not_take_the_moment_of_one_that_waits(pace: Pace, clock: Clock) -> None:
    """Also when it asks at that very moment."""
    for delivery in ("d1", "d2"):
        pace.wait_s(KEY, delivery)
    clock.now_s += 0.5

    assert 0.5 == pace.wait_s(KEY, "d3")
    assert 0.0 == pace.wait_s(KEY, "d2")


def test_an_idle_channel_saves_nothing_up(pace: Pace, clock: Clock) -> None:
    """After an hour of silence the burst is still one."""
    pace.wait_s(KEY, "d1")
    clock.now_s += 3600

    assert [0.0, 0.5] == [pace.wait_s(KEY, delivery) for delivery in ("d2", "d3")]


def test_a_hold_stops_those_that_waited_too(pace: Pace, clock: Clock) -> None:
    """The platform said when: reservations from before are void, and the order is kept."""
    for delivery in ("d1", "d2", "d3"):
        pace.wait_s(KEY, delivery)
    pace.hold(KEY, 10.0)
    clock.now_s += 0.5

    assert 9.5 == pace.wait_s(KEY, "d2")
    assert 10.0 == pace.wait_s(KEY, "d3")
    assert 0.0 == pace.wait_s(OTHER, "d4")


def test_after_a_hold_they_come_back_one_by_one(pace: Pace, clock: Clock) -> None:
    """Not all together, or the platform would refuse again."""
    pace.hold(KEY, 10.0)
    waits = [pace.wait_s(KEY, delivery) for delivery in ("d1", "d2")]
    clock.now_s += 10.0

    assert [10.0, 10.5] == waits
    assert [0.0, 0.5] == [pace.wait_s(KEY, delivery) for delivery in ("d1", "d2")]


def test_a_shorter_hold_does_not_end_a_longer_one(pace: Pace, clock: Clock) -> None:
    """Two answers may cross; the stricter one counts."""
    pace.hold(KEY, 10.0)
    pace.hold(KEY, 1.0)
    clock.now_s += 2.0

    assert 8.0 == pace.wait_s(KEY, "d1")


def test_channels_long_silent_are_forgotten(pace: Pace, clock: Clock) -> None:
    """Memory follows the channels in use, not all that ever were."""
    for number in range(500):
        pace.wait_s(("slack", "T0AAAA", f"C{number}"), f"d{number}")
    clock.now_s += 120
    pace.wait_s(KEY, "last")

    assert 1 == len(pace._next_s)


@given(steps=st.lists(st.tuples(st.integers(0, 20), st.floats(0, 0.7)), max_size=60))
def test_posts_are_never_closer_than_the_gap_while_all_ask_in_time(
    steps: list[tuple[int, float]],
) -> None:
    """Whoever asks in whatever order, as long as each comes back when it was told to."""
    clock = Clock()
    pace = Pace(2.0, now_s=clock)
    due: dict[str, float] = {}
    posted: list[float] = []

    def ask(delivery: str) -> None:
        wait_s = pace.wait_s(KEY, delivery)
        if wait_s > 0:
            due[delivery] = clock.now_s + wait_s
        else:
            due.pop(delivery, None)
            posted.append(clock.now_s)

    for number, pause_s in steps:
        ask(f"d{number}")
        until_s = clock.now_s + pause_s
        while due and min(due.values()) <= until_s:
            delivery = min(due, key=lambda each: due[each])
            clock.now_s = max(clock.now_s, due[delivery])
            ask(delivery)
        clock.now_s = until_s

    gaps = [later - earlier for earlier, later in pairwise(posted)]
    assert [] == [gap for gap in gaps if gap < 0.5 - 1e-6]


def test_a_moment_that_is_not_needed_is_the_next_ones(pace: Pace) -> None:
    """Only the last one that was given out: nobody else's moves."""
    pace.wait_s(KEY, "d1")
    assert 0.5 == pace.wait_s(KEY, "d2")
    pace.give_back(KEY, "d2")
    assert 0.5 == pace.wait_s(KEY, "d3")
    assert 1.0 == pace.wait_s(KEY, "d4")
    pace.give_back(KEY, "d3")

    assert 1.5 == pace.wait_s(KEY, "d5")


def test_a_moment_that_nobody_has_cannot_be_given_back(pace: Pace) -> None:
    """One that went at once, and one that is not known."""
    pace.wait_s(KEY, "d1")
    pace.give_back(KEY, "d1")
    pace.give_back(OTHER, "d9")

    assert 0.5 == pace.wait_s(KEY, "d2")
