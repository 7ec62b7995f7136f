"""How much is run: two sizes, bounded so that the bench ends by itself on two cores."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """Counts and rates of one size. A drain's count is what the subject can do in `drain_s`, as
    its warm-up tells, so that slow subjects do not take all of the time.
    """

    name: str
    repetitions: int
    warm_up: int
    drain_s: float
    least_drained: int
    most_drained: int
    paced: int
    backlog: int
    neighbour_paced: int
    slow_s: float
    resident_tenants: int
    resident_conversations: int
    resident_s: float
    rate_per_s: float = 200.0
    in_flight: int = 64
    """The cap of every subject: the gateway's, the peers' concurrency, the bare loop's tasks."""

    slow_in_flight: tuple[int, ...] = (64, 512)
    """Caps for agents that take their time; the last is the gateway's default."""

    slow_ms: int = 50
    tenants: int = 64
    lanes: int = 1024
    burst: int = 600
    burst_lanes: int = 10
    burst_ms: int = 5
    """Few conversations at once, and agents that need a moment: a subject that does not wait for
    the answer before it sends the next message of a conversation shows it here.
    """

    body_bytes: int = 1024
    stall_s: float = 20.0
    """Nothing arrived for so long: what is missing is lost, not late."""

    longest_wait_s: float = 60.0
    """A run that still moves is cut here: the machine is slow, and nothing is called lost."""


FULL = Profile(
    name="full",
    repetitions=3,
    warm_up=4_000,
    drain_s=3.0,
    least_drained=2_000,
    most_drained=60_000,
    paced=800,
    backlog=100_000,
    neighbour_paced=1_000,
    slow_s=2.0,
    resident_tenants=10_000,
    resident_conversations=100_000,
    resident_s=60.0,
)

QUICK = Profile(
    name="quick",
    repetitions=3,
    warm_up=2_000,
    drain_s=0.6,
    least_drained=1_000,
    most_drained=10_000,
    paced=150,
    backlog=30_000,
    neighbour_paced=200,
    slow_s=0.5,
    resident_tenants=1_000,
    resident_conversations=2_000,
    resident_s=8.0,
)
