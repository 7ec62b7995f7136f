"""The metrics of several processes as those of one gateway.

Counters and histograms are sums, and what a process counted stays counted after its end: a total
that fell would look to Prometheus like a restart of the whole. A gauge tells of the living alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

Across = Callable[[Iterable[float]], float]
"""Makes one value of those of several processes."""

_GAUGE = "gauge"


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """One line of a scrape."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float


class Family(msgspec.Struct, frozen=True, array_like=True):
    """A metric as one process has it."""

    name: str
    text: str
    kind: str
    samples: tuple[Sample, ...]


def snapshot(registry: CollectorRegistry) -> tuple[Family, ...]:
    """All that a process has counted."""
    return tuple(
        Family(
            each.name,
            each.documentation,
            each.type,
            tuple(Sample(one.name, tuple(one.labels.items()), one.value) for one in each.samples),
        )
        for each in registry.collect()
    )


class Totals:
    """Adds processes up. `across` names what becomes of each gauge."""

    def __init__(self, across: Mapping[str, Across]) -> None:
        self._across = across
        self._departed: tuple[Family, ...] = ()

    def keep(self, last: Iterable[Family]) -> None:
        """Keep what a process had counted before it ended."""
        counted = [each for each in last if each.kind != _GAUGE]
        self._departed = tuple(self._added([self._departed, counted]))

    def exposition(self, living: Iterable[Iterable[Family]]) -> bytes:
        """Text for a scrape of all."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collected(self._added([self._departed, *living])))
        return generate_latest(registry)

    def _added(self, processes: Iterable[Iterable[Family]]) -> Iterator[Family]:
        # By name, each in the order in which it was seen first.
        known: dict[str, Family] = {}
        values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], list[float]]] = {}
        for families in processes:
            for family in families:
                known.setdefault(family.name, family)
                lines = values.setdefault(family.name, {})
                for sample in family.samples:
                    lines.setdefault((sample.name, sample.labels), []).append(sample.value)
        for name, family in known.items():
            across = self._across.get(name, max) if family.kind == _GAUGE else sum
            samples = tuple(
                Sample(line, labels, across(several))
                for (line, labels), several in values[name].items()
            )
            yield msgspec.structs.replace(family, samples=samples)


class _Collected(Collector):
    def __init__(self, families: Iterable[Family]) -> None:
        self._families = list(families)

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            metric = Metric(family.name, family.text, family.kind)
            for sample in family.samples:
                metric.add_sample(sample.name, dict(sample.labels), sample.value)
            yield metric
