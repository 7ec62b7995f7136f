"""What the bench found out. Plain data, on its way to the table and to `--json`."""

from __future__ import annotations

from dataclasses import dataclass, field

from loadtests.figures import Latency
from loadtests.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Drain:
    """One full queue, emptied. CPU is per message."""

    messages: int
    per_s: float
    worker_us: float
    redis_us: float
    ledger: Ledger
    accept_per_s: float
    accept_us: float
    """CPU of the subject's process for taking one message in, so many at a time as the cap."""


@dataclass(frozen=True, slots=True)
class SubjectResult:
    """Medians over the repetitions; the ledger is their sum. `latency` is that of the open loop."""

    name: str
    drain: Drain
    latency: Latency | None
    peak_rss_mb: float
    body_bytes: float
    burst: Ledger
    """Many messages in few conversations, where order is hard to keep."""

    drained_each: tuple[float, ...]
    worst_lateness_ms: float = 0.0
    """How late the generator itself was at worst: latencies hold it."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A quiet tenant, alone and beside a tenant that would disturb it."""

    alone: Latency
    beside: Latency
    ratio: float
    ledger: Ledger


@dataclass(frozen=True, slots=True)
class Slow:
    """Agents that take their time: what was delivered, of what the cap allows at most."""

    in_flight: int
    per_s: float
    share: float
    ledger: Ledger


@dataclass(frozen=True, slots=True)
class Resident:
    """Memory of the gateway and its Redis with many tenants and conversations."""

    tenants: int
    conversations: int
    idle_mb: float
    gateway_mb: float
    redis_mb: float
    ledger: Ledger


@dataclass(slots=True)
class Results:
    """Everything; what was not run stays empty."""

    profile: str
    in_flight: int
    rate_per_s: float
    subjects: dict[str, SubjectResult] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    backlog: Neighbour | None = None
    hanging: Neighbour | None = None
    slow: list[Slow] = field(default_factory=list)
    resident: Resident | None = None
    took_s: float = 0.0
    load_before: float = 0.0
    """Load average of the last minute when the bench began, a core."""

    def gateway_ledgers(self) -> list[Ledger]:
        """Every ledger of the gateway: one that is not clean fails the bench."""
        subject = self.subjects.get("gateway")
        found = [subject.drain.ledger, subject.burst] if subject else []
        found += [each.ledger for each in (self.backlog, self.hanging, self.resident) if each]
        return found + [each.ledger for each in self.slow]
