"""Small statistics. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles in milliseconds, and of how many samples."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    samples: int


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed; NaN of nothing."""
    if not values:
        return math.nan
    rank = max(math.ceil(share * len(values)), 1)
    return sorted(values)[rank - 1]


def latency(values_ms: Sequence[float]) -> Latency:
    """Sum up one run."""
    p50, p95, p99 = (percentile(values_ms, share) for share in (0.50, 0.95, 0.99))
    return Latency(p50, p95, p99, len(values_ms))


def medians(runs: Sequence[Latency]) -> Latency:
    """The median of each percentile over several runs."""
    return Latency(
        median(run.p50_ms for run in runs),
        median(run.p95_ms for run in runs),
        median(run.p99_ms for run in runs),
        sum(run.samples for run in runs),
    )


def median(values: Iterable[float]) -> float:
    """The median; NaN of nothing."""
    known = [value for value in values if not math.isnan(value)]
    return statistics.median(known) if known else math.nan


def ratio(value: float, base: float) -> float:
    """`value / base`; NaN when there is no base."""
    return value / base if base else math.nan
