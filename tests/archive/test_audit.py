"""The audit archive: nothing twice, nothing lost, every page exactly once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.archive.audit import AuditArchive
from gateway.archive.connection import Pool, fetch
from gateway.archive.pages import AuditCursor, AuditFilter, moment, unix_ms
from gateway.archive.partitions import Month, partitioned_months
from gateway.core.audit import AuditAction, AuditEntry, AuditRecord
from gateway.core.ids import UNROUTED, TenantId

ACME = TenantId("acme")
GLOBEX = TenantId("globex")
NOON_MS = unix_ms(datetime(2025, 1, 15, 12, tzinfo=UTC))
EVERYTHING = AuditFilter()


def entry(
    entry_id: str,
    at_ms: int = NOON_MS,
    *,
    tenant: TenantId = ACME,
    action: AuditAction = AuditAction.EVENT_ROUTED,
    event_id: str = "",
    delivery_id: str = "",
) -> AuditEntry:
    record = AuditRecord(tenant=tenant, action=action, event_id=event_id, delivery_id=delivery_id)
    return AuditEntry(id=entry_id, at_ms=at_ms, record=record)


def ids(entries: tuple[AuditEntry, ...]) -> list[str]:
    return [found.id for found in entries]


async def test_an_entry_comes_back_as_it_was_written(archive: AuditArchive) -> None:
    """Every field has a column, and the millisecond stays."""
    record = AuditRecord(
        tenant=ACME,
        action=AuditAction.DELIVERY_RETRIED,
        outcome="retryable",
        reason="agent_busy",
        platform="slack",
        workspace="T0AAAAAAAAA",
        conversation="slack:T0AAAAAAAAA:C0AAAAAAAAA",
        event_id="Ev0AAAAAAAAA",
        delivery_id="dlv_0",
        direction="in",
        agent="main",
        attempt=3,
        detail="503 \N{SNOWMAN}, 'quoted', \\N and\ttabs",
        trail=("bound", "mentioned"),
    )
    written = AuditEntry(id="s7-1-0", at_ms=NOON_MS + 123, record=record)
    await archive.write([written])

    page = await archive.search(EVERYTHING)
    assert (written,) == page.entries
    assert page.next is None


async def test_a_batch_written_twice_is_stored_once(archive: AuditArchive) -> None:
    """A batch whose answer was lost is written again by its sender."""
    batch = [entry(f"e{number}") for number in range(5)]
    await archive.write(batch)
    await archive.write([*batch, entry("e5"), entry("e5")])

    page = await archive.search(EVERYTHING)
    assert [f"e{number}" for number in (5, 4, 3, 2, 1, 0)] == ids(page.entries)


async def test_an_empty_batch_is_fine(archive: AuditArchive) -> None:
    """A shard may have nothing to archive."""
    await archive.write([])

    assert () == (await archive.search(EVERYTHING)).entries


async def test_a_character_that_the_database_cannot_hold_does_not_block_the_archive(
    archive: AuditArchive,
) -> None:
    """JSON can carry NUL; one such id would otherwise stop every later record."""
    await archive.write([entry("e0", event_id="a\0b")])

    assert "a\ufffdb" == (await archive.search(EVERYTHING)).entries[0].record.event_id


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_pages_hold_every_entry_once_even_at_equal_timestamps(
    archive: AuditArchive, limit: int
) -> None:
    """Many decisions share a millisecond, so the time alone cannot say where a page ended."""
    batch = [entry(f"e{number}", NOON_MS + number // 4) for number in range(10)]
    await archive.write(batch)

    found: list[str] = []
    before = None
    while True:
        page = await archive.search(EVERYTHING, before=before, limit=limit)
        found += ids(page.entries)
        if page.next is None:
            break
        before = AuditCursor.parse(str(page.next))
    assert [f"e{number}" for number in reversed(range(10))] == found


async def test_after_goes_forward_from_a_cursor(archive: AuditArchive) -> None:
    """Somebody who watches reads in the order of time."""
    await archive.write([entry(f"e{number}") for number in range(5)])

    page = await archive.after(EVERYTHING, after=AuditCursor(NOON_MS, "e1"), limit=2)
    assert ["e2", "e3"] == ids(page.entries)
    assert AuditCursor(NOON_MS, "e3") == page.next


async def test_a_tenant_sees_its_own_records_only(archive: AuditArchive) -> None:
    """The archive serves several tenants from one table."""
    await archive.write(
        [entry("a", tenant=ACME), entry("b", tenant=GLOBEX), entry("c", tenant=UNROUTED)]
    )

    for tenant, expected in ((ACME, "a"), (GLOBEX, "b"), (UNROUTED, "c")):
        page = await archive.search(AuditFilter(tenant=tenant))
        assert [expected] == ids(page.entries)


async def test_all_that_is_asked_for_must_hold(archive: AuditArchive) -> None:
    """Filters narrow each other down; `since` is included and `until` is not."""
    await archive.write(
        [
            entry("a", NOON_MS, event_id="Ev1"),
            entry("b", NOON_MS + 1, event_id="Ev1", action=AuditAction.EVENT_DROPPED),
            entry("c", NOON_MS + 2, delivery_id="dlv_1"),
        ]
    )
    cases = {
        "ba": AuditFilter(event_id="Ev1"),
        "a": AuditFilter(event_id="Ev1", action=AuditAction.EVENT_ROUTED, tenant=ACME),
        "c": AuditFilter(delivery_id="dlv_1"),
        "cb": AuditFilter(since=moment(NOON_MS + 1)),
        "b": AuditFilter(since=moment(NOON_MS + 1), until=moment(NOON_MS + 2)),
        "": AuditFilter(tenant=GLOBEX, event_id="Ev1"),
    }

    for expected, wanted in cases.items():
        assert expected == "".join(ids((await archive.search(wanted)).entries))


async def test_a_batch_over_the_turn_of_a_month_makes_the_month_it_needs(
    archive: AuditArchive, pool: Pool
) -> None:
    """Nobody has to be there at midnight, and the first millisecond belongs to the new month."""
    turn_ms = unix_ms(datetime(2025, 2, 1, tzinfo=UTC))
    await archive.write([entry("january", turn_ms - 1), entry("february", turn_ms)])

    assert [Month(2025, 1), Month(2025, 2)] == await partitioned_months(pool)
    rows = await fetch(pool, "SELECT id FROM audit_2025_02")
    assert ["february"] == [row["id"] for row in rows]


async def test_a_limit_outside_of_its_bounds_is_refused(archive: AuditArchive) -> None:
    """A page must fit into memory."""
    for limit in (0, 1001):
        with pytest.raises(ValueError, match="limit"):
            await archive.search(EVERYTHING, limit=limit)


@given(st.builds(AuditCursor, st.integers(0, 10**14), st.text(min_size=1)))
def test_a_cursor_survives_its_text_form(cursor: AuditCursor) -> None:
    """It travels through command lines and URLs."""
    assert cursor == AuditCursor.parse(str(cursor))


@pytest.mark.parametrize("text", ["", ":", "1:", ":a", "-1:a", "x:a", "999999999999999:a", "²:a"])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    """A mistyped cursor is the caller's fault, not the database's."""
    with pytest.raises(ValueError, match="cursor"):
        AuditCursor.parse(text)
