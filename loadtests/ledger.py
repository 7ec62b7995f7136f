"""The second phase: hold what arrived against what was published, id by id. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loadtests.messages import Arrival, Key


@dataclass(frozen=True, slots=True)
class Ledger:
    """What became of the messages. `strangers` arrived although nobody had published them;
    `overlapping` came while an earlier one of their conversation was not answered yet.
    """

    published: int = 0
    arrived: int = 0
    lost: int = 0
    doubled: int = 0
    out_of_order: int = 0
    wrong_tenant: int = 0
    strangers: int = 0
    overlapping: int = 0

    @property
    def clean(self) -> bool:
        """Whether every message arrived once, in order, one at a time, where it belonged."""
        faults = (self.lost, self.doubled, self.out_of_order, self.wrong_tenant)
        return not any((*faults, self.strangers, self.overlapping))

    def plus(self, other: Ledger) -> Ledger:
        """Add the counts of another run."""
        return Ledger(
            published=self.published + other.published,
            arrived=self.arrived + other.arrived,
            lost=self.lost + other.lost,
            doubled=self.doubled + other.doubled,
            out_of_order=self.out_of_order + other.out_of_order,
            wrong_tenant=self.wrong_tenant + other.wrong_tenant,
            strangers=self.strangers + other.strangers,
            overlapping=self.overlapping + other.overlapping,
        )


def verify(
    published: Iterable[Key],
    arrivals: Sequence[Arrival],
    *,
    all_due: bool = True,
    overlapping: int = 0,
) -> Ledger:
    """Compare. `arrivals` stand in the order in which the receiver saw them; what overlapped, it
    has counted itself.

    With `all_due` false the run was cut short, so what has not arrived is not lost.
    """
    expected = set(published)
    seen = Counter(arrival.message.key for arrival in arrivals)
    missing = len(expected - seen.keys())
    return Ledger(
        published=len(expected),
        arrived=len(expected & seen.keys()),
        lost=missing if all_due else 0,
        doubled=sum(times - 1 for times in seen.values()),
        out_of_order=_out_of_order(arrivals),
        wrong_tenant=sum(each.address != each.message.key.tenant for each in arrivals),
        strangers=len(seen.keys() - expected),
        overlapping=overlapping,
    )


def _out_of_order(arrivals: Sequence[Arrival]) -> int:
    """Count first arrivals that came after a later message of their conversation."""
    latest: dict[tuple[str, str], int] = {}
    seen: set[Key] = set()
    late = 0
    for arrival in arrivals:
        key = arrival.message.key
        if key in seen:
            continue
        seen.add(key)
        lane = (key.tenant, key.conversation)
        late += key.sequence < latest.get(lane, -1)
        latest[lane] = max(key.sequence, latest.get(lane, -1))
    return late
