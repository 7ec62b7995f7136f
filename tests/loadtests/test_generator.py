"""The open loop keeps its schedule, on a clock that the test turns."""

from __future__ import annotations

from itertools import pairwise

import pytest

from loadtests.generator import open_loop


class Clock:
    """Moves only when somebody sleeps or works."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now_ns += round(seconds * 1e9)


def test_messages_leave_at_equal_distances() -> None:
    """200 a second is one every 5 ms."""
    clock, moments = Clock(), list[int]()
    open_loop(
        lambda _number, _due_ns: moments.append(clock.now_ns),
        rate_per_s=200,
        count=4,
        clock_ns=clock,
        sleep_s=clock.sleep,
    )
    assert [5_000_000] * 3 == [b - a for a, b in pairwise(moments)]


def test_a_stall_moves_no_later_moment() -> None:
    """What was due during a stall leaves late under its old moment; the rest is on time again."""
    clock, sent = Clock(), list[tuple[int, int]]()

    def publish(number: int, due_ns: int) -> None:
        sent.append((due_ns, clock.now_ns))
        if number == 0:
            clock.sleep(0.012)

    worst_ms = open_loop(publish, rate_per_s=200, count=5, clock_ns=clock, sleep_s=clock.sleep)
    start_ns = sent[0][0]
    assert [0, 5, 10, 15, 20] == [(due_ns - start_ns) // 1_000_000 for due_ns, _ in sent]
    assert [0, 12, 12, 15, 20] == [(at_ns - start_ns) // 1_000_000 for _, at_ns in sent]
    assert 7 == pytest.approx(worst_ms)
