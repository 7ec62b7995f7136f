"""Percentiles and medians."""

from __future__ import annotations

import math

import pytest

from loadtests.figures import Latency, latency, median, medians, percentile, ratio


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1.0), (0.5, 50.0), (0.95, 95.0), (0.99, 99.0), (1.0, 100.0)]
)
def test_a_percentile_is_a_value_that_occurred(share: float, expected: float) -> None:
    """Nearest rank: nothing is interpolated."""
    assert expected == percentile([float(value) for value in range(100, 0, -1)], share)


def test_nothing_has_no_percentile() -> None:
    """An empty run must not look like a fast one."""
    assert math.isnan(percentile([], 0.5))
    assert math.isnan(latency([]).p95_ms)


def test_medians_are_taken_for_each_percentile_apart() -> None:
    """One bad run of three changes nothing."""
    runs = [Latency(1, 2, 9, 10), Latency(2, 8, 3, 10), Latency(9, 3, 4, 10)]
    assert Latency(2, 3, 4, 30) == medians(runs)


def test_a_run_without_a_figure_does_not_spoil_the_median() -> None:
    """NaN is left out."""
    assert 2 == median([1.0, math.nan, 2.0, 3.0])


def test_a_ratio_to_nothing_is_not_a_number() -> None:
    """No division by zero, no infinity that holds every bar."""
    assert math.isnan(ratio(1.0, 0.0))
