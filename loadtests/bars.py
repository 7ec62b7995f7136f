"""What the figures have to reach, always against limits measured in the same run. Pure.

Bars are promises of today; goals are where the delivery path is meant to go. Neither decides the
exit code: a slow machine is not a fault, a ledger that is not clean is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from loadtests.figures import Latency, ratio
from loadtests.results import Results, SubjectResult


@dataclass(frozen=True, slots=True)
class Bar:
    """One demand. `value` is NaN when what it needs was not measured."""

    row: str
    """The row of the table beside which it stands."""

    text: str
    value: float
    limit: float
    at_least: bool
    goal: bool = False

    @property
    def verdict(self) -> str:
        """`holds`, `missed` or `not measured`."""
        if math.isnan(self.value):
            return "not measured"
        holds = self.value >= self.limit if self.at_least else self.value <= self.limit
        return "holds" if holds else "missed"

    def __str__(self) -> str:
        if math.isnan(self.value):
            return f"{self.text}: not measured"
        return f"{self.text}: {self.value:.2f}, {self.verdict}"


def bars(results: Results) -> list[Bar]:
    """All of them, bars before goals."""
    gateway = results.subjects.get("gateway")
    if gateway is None:
        return []
    return [*_bars(results, gateway), *_goals(results, gateway)]


def _bars(results: Results, gateway: SubjectResult) -> list[Bar]:
    """Against BullMQ with its leanest client, and for the rate against the usual one too."""
    peer, usual = (results.subjects.get(name) for name in ("bullmq", "bullmq fetch"))
    found = [
        _least("drained/s", "bullmq x 1 or more", _rate(gateway, peer), 1),
        _least("drained/s", "bullmq fetch x 1 or more", _rate(gateway, usual), 1),
        _most("p95 ms", "bullmq x 1 or less", ratio(_of(gateway).p95_ms, _of(peer).p95_ms), 1),
    ]
    for row, neighbour in (("quiet: backlog", results.backlog), ("quiet: hang", results.hanging)):
        value = neighbour.ratio if neighbour else math.nan
        found.append(_most(row, "x 1.5 or less", value, 1.5))
    return found


def _goals(results: Results, gateway: SubjectResult) -> list[Bar]:
    peer, loop = results.subjects.get("bullmq"), results.subjects.get("aiohttp loop")
    slow = results.slow[-1].share if results.slow else math.nan
    resident = results.resident
    resident_mb = resident.gateway_mb if resident else math.nan
    return [
        _least("drained/s", "goal: bullmq x 3", _rate(gateway, peer), 3, goal=True),
        _least("drained/s", "goal: loop x 1.5", _rate(gateway, loop), 1.5, goal=True),
        _most("accept CPU us", "goal: 40", gateway.drain.accept_us, 40, goal=True),
        _most("p50 ms", "goal: 1", _of(gateway).p50_ms, 1, goal=True),
        _most(
            "CPU us, with Redis",
            "goal: bullmq x 0.5",
            ratio(_cpu_us(gateway), _cpu_us(peer)),
            0.5,
            goal=True,
        ),
        _least("slow agents", "goal: 90% of cap", slow, 0.9, goal=True),
        _most("resident MB", "goal: 500", resident_mb, 500, goal=True),
    ]


def _least(row: str, text: str, value: float, limit: float, *, goal: bool = False) -> Bar:
    return Bar(row, text, value, limit, at_least=True, goal=goal)


def _most(row: str, text: str, value: float, limit: float, *, goal: bool = False) -> Bar:
    return Bar(row, text, value, limit, at_least=False, goal=goal)


def _rate(gateway: SubjectResult, other: SubjectResult | None) -> float:
    return ratio(gateway.drain.per_s, other.drain.per_s) if other else math.nan


def _of(subject: SubjectResult | None) -> Latency:
    unknown = Latency(math.nan, math.nan, math.nan, 0)
    return (subject.latency if subject else None) or unknown


def _cpu_us(subject: SubjectResult | None) -> float:
    return subject.drain.worker_us + subject.drain.redis_us if subject else math.nan
