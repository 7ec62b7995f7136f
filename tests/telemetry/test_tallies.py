"""What is counted in plain numbers is scraped like what prometheus_client counts."""

from __future__ import annotations

from enum import StrEnum

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from gateway.telemetry.tallies import Counts, Levels, Spreads


class Kind(StrEnum):
    """A label's values are mostly of such types."""

    A = "a"


def _lines(registry: CollectorRegistry) -> list[str]:
    text = generate_latest(registry).decode()
    return [line for line in text.splitlines() if "_created" not in line]


def test_counters_are_scraped_alike() -> None:
    """With labels and without, counted or not."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    made = [Counts("x_total", "Text", ("kind", "why"), ours), Counts("y_total", "More", (), ours)]
    model = [
        Counter("x_total", "Text", ("kind", "why"), registry=theirs),
        Counter("y_total", "More", (), registry=theirs),
    ]
    for labelled, plain in (made, model):
        labelled.labels(Kind.A, "b").inc()
        labelled.labels("a", "b").inc(2)
        plain.inc()

    assert _lines(theirs) == _lines(ours)


def test_levels_are_scraped_like_gauges() -> None:
    """Up and down again."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    made = Levels("x", "Text", ("kind",), ours), Gauge("x", "Text", ("kind",), registry=theirs)
    for level in made:
        for step in (1, 1, -1):
            level.labels("a").inc(step)
        level.labels("b").inc(-1)

    assert _lines(theirs) == _lines(ours)


def test_histograms_are_scraped_alike() -> None:
    """A value on a bound lies below it; those above all bounds count as well."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    bounds = (0.005, 0.5, 1.0, 30.0)
    made = Spreads("x_seconds", "Text", ("kind",), bounds, ours)
    model = Histogram("x_seconds", "Text", ("kind",), buckets=bounds, registry=theirs)
    for value in (0.0, 0.005, 0.0051, 0.75, 30.0, 31.0):
        made.labels("a").observe(value)
        model.labels("a").observe(value)

    assert _lines(theirs) == _lines(ours)


def test_labels_are_counted() -> None:
    """One too few would count under a name that nobody looks for."""
    counts = Counts("x_total", "Text", ("kind", "why"), CollectorRegistry())
    with pytest.raises(ValueError, match="x_total"):
        counts.labels("a")
