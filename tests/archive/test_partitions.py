"""Months of the audit archive: there before they are needed, gone when retention says so."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from gateway.archive.audit import AuditArchive
from gateway.archive.connection import Pool
from gateway.archive.pages import AuditFilter, unix_ms
from gateway.archive.partitions import Month, drop_before, ensure_months, partitioned_months
from tests.archive.test_audit import entry

NOVEMBER = datetime(2025, 11, 30, 23, tzinfo=UTC)


async def test_makes_this_month_and_the_next_ones_over_the_end_of_the_year(pool: Pool) -> None:
    """Started again it finds them there."""
    months = [Month(2025, 11), Month(2025, 12), Month(2026, 1)]

    assert months == await ensure_months(pool, NOVEMBER)
    assert [] == await ensure_months(pool, NOVEMBER)
    assert months == await partitioned_months(pool)


async def test_several_processes_can_make_the_same_month(pool: Pool) -> None:
    """Replicas reach the turn of a month together."""
    made = await asyncio.gather(*(ensure_months(pool, NOVEMBER, ahead=0) for _ in range(3)))

    assert [Month(2025, 11)] == [month for some in made for month in some]


async def test_retention_drops_whole_months_and_nothing_else(
    pool: Pool, archive: AuditArchive
) -> None:
    """The month that retention names stays."""
    for number in (1, 2, 3):
        at_ms = unix_ms(datetime(2025, number, 10, tzinfo=UTC))
        await archive.write([entry(f"e{number}", at_ms)])

    assert [Month(2025, 1), Month(2025, 2)] == await drop_before(pool, Month(2025, 3))
    page = await archive.search(AuditFilter())
    assert ["e3"] == [found.id for found in page.entries]


@pytest.mark.parametrize(
    ("month", "months", "expected"),
    [
        (Month(2025, 12), 1, Month(2026, 1)),
        (Month(2025, 1), -1, Month(2024, 12)),
        (Month(2025, 6), -13, Month(2024, 5)),
    ],
)
def test_months_are_counted_over_years(month: Month, months: int, expected: Month) -> None:
    """Twelve months a year, in both directions."""
    assert expected == month.plus(months)


def test_the_month_of_a_moment_is_that_of_utc() -> None:
    """Else a record would lie in another partition than its time says."""
    moment = datetime(2025, 2, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))

    assert Month(2025, 1) == Month.of(moment)
