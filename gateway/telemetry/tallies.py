"""Counters, histograms and a gauge as plain numbers. prometheus_client locks and checks at every
count, which on the hot paths costs as much as what is counted; here only the loop's thread counts.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector


class Count:
    """One counter."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def inc(self, amount: int = 1) -> None:
        """Count."""
        self.value += amount


class Spread:
    """One histogram: how many values lie at or below each bound, and their sum."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value


Child = TypeVar("Child", Count, Spread)


class _Family(Collector, Generic[Child]):
    """All of one name, by the values of its labels."""

    def __init__(
        self, name: str, text: str, labels: Sequence[str], registry: CollectorRegistry
    ) -> None:
        self._name = name
        self._text = text
        self._labels = labels
        self._known: dict[tuple[object, ...], Child] = {}
        self._children: dict[tuple[str, ...], Child] = {}
        registry.register(self)
        if not labels:
            self.labels()

    def labels(self, *values: object) -> Child:
        """Find the one with these values, in the order of the names. Raises ValueError."""
        child = self._known.get(values)
        return self._find(values) if child is None else child

    def _find(self, values: tuple[object, ...]) -> Child:
        if len(values) != len(self._labels):
            raise ValueError(f"{self._name} has the labels {self._labels}")
        # What is written alike is one, whatever type it has.
        written = tuple(str(value) for value in values)
        if written not in self._children:
            self._children[written] = self._new()
        self._known[values] = self._children[written]
        return self._children[written]

    def _new(self) -> Child:
        raise NotImplementedError


class Counts(_Family[Count]):
    """A counter that only grows."""

    def inc(self, amount: int = 1) -> None:
        """Count, where there are no labels."""
        self.labels().inc(amount)

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Give the samples of a scrape."""
        family = CounterMetricFamily(self._name, self._text, labels=self._labels)
        for values, child in self._children.items():
            family.add_metric(values, child.value)
        yield family

    def _new(self) -> Count:
        return Count()


class Levels(_Family[Count]):
    """A gauge that goes up and down by steps."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Give the samples of a scrape."""
        family = GaugeMetricFamily(self._name, self._text, labels=self._labels)
        for values, child in self._children.items():
            family.add_metric(values, child.value)
        yield family

    def _new(self) -> Count:
        return Count()


class Spreads(_Family[Spread]):
    """A histogram."""

    def __init__(
        self,
        name: str,
        text: str,
        labels: Sequence[str],
        bounds: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        self._bounds = bounds
        super().__init__(name, text, labels, registry)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Give the samples of a scrape."""
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        names = [*(str(bound) for bound in self._bounds), "+Inf"]
        for values, child in self._children.items():
            buckets = list(zip(names, accumulate(child.counts), strict=True))
            family.add_metric(values, buckets, child.total)
        yield family

    def _new(self) -> Spread:
        return Spread(self._bounds)
