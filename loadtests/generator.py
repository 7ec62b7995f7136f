"""The open loop: every message leaves at its moment on a fixed schedule, whatever became of the
ones before. Latency is counted from that moment, so a subject that stalls cannot hide its stall
(no coordinated omission).

Runs in the bench's own process, not in the subject's: a subject that is busy does not slow it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_LEAD_NS = 5_000_000


def open_loop(
    publish: Callable[[int, int], None],
    *,
    rate_per_s: float,
    count: int,
    clock_ns: Callable[[], int] = time.monotonic_ns,
    sleep_s: Callable[[float], None] = time.sleep,
) -> float:
    """Call `publish(number, due_ns)` for `count` messages. Gives the worst lateness, in ms.

    A late message is never skipped and never moves the schedule of the others.
    """
    start_ns = clock_ns() + _LEAD_NS
    worst_ns = 0
    for number in range(count):
        due_ns = start_ns + round(number * 1e9 / rate_per_s)
        wait_ns = due_ns - clock_ns()
        if wait_ns > 0:
            sleep_s(wait_ns / 1e9)
        worst_ns = max(worst_ns, clock_ns() - due_ns)
        publish(number, due_ns)
    return worst_ns / 1e6
