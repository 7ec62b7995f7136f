"""The audit archive: decisions for good, written in batches and read by cursor.

Keeps what it is given and changes nothing; partitions.py owns how long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import asyncpg

from gateway.archive.connection import Connection, Pool, Row, archive_errors, fetch
from gateway.archive.pages import MAX_PAGE, AuditCursor, AuditFilter, AuditPage, moment, unix_ms
from gateway.archive.partitions import Month, ensure
from gateway.core.audit import AuditAction, AuditEntry, AuditRecord
from gateway.core.ids import TenantId

_TEXTS: Final = (
    "outcome",
    "reason",
    "platform",
    "workspace",
    "conversation",
    "event_id",
    "delivery_id",
    "direction",
    "agent",
)
_COLUMNS: Final = ("at", "id", "tenant_id", "action", *_TEXTS, "attempt", "detail", "trail")
_LIST: Final = ", ".join(_COLUMNS)
_INSERT: Final = (
    f"INSERT INTO audit ({_LIST}) SELECT {_LIST} FROM audit_staging"  # noqa: S608 - constants only
    " ON CONFLICT DO NOTHING"
)


class AuditArchive:
    """Audit entries in PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def write(self, entries: Sequence[AuditEntry]) -> None:
        """Store a batch, wholly or not at all. Entries that are stored already stay as they are,
        so a batch whose answer was lost can be written again. Raises StoreError.
        """
        if not entries:
            return
        rows = [_row(entry) for entry in entries]
        with archive_errors():
            try:
                await self._write(rows)
            except asyncpg.CheckViolationError:
                # The table has no other check: a month has begun that has no partition yet.
                await ensure(self._pool, {Month.of(moment(entry.at_ms)) for entry in entries})
                await self._write(rows)

    async def search(
        self, wanted: AuditFilter, *, before: AuditCursor | None = None, limit: int = 100
    ) -> AuditPage:
        """Return the newest entries older than `before`, newest first. Raises StoreError."""
        return await self._page(wanted, before, "<", limit)

    async def after(
        self, wanted: AuditFilter, *, after: AuditCursor | None = None, limit: int = 100
    ) -> AuditPage:
        """Return the oldest entries newer than `after`, oldest first. Raises StoreError."""
        return await self._page(wanted, after, ">", limit)

    async def _write(self, rows: Sequence[tuple[object, ...]]) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await _stage(connection, rows)
            await connection.execute(_INSERT)

    async def _page(
        self, wanted: AuditFilter, cursor: AuditCursor | None, side: str, limit: int
    ) -> AuditPage:
        if not 1 <= limit <= MAX_PAGE:
            raise ValueError(f"limit must be 1-{MAX_PAGE}")
        conditions, values = _conditions(wanted)
        if cursor is not None:
            values += [moment(cursor.at_ms), cursor.id]
            conditions.append(f"(at, id) {side} (${len(values) - 1}, ${len(values)})")
        order = "DESC" if side == "<" else "ASC"
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        rows = await fetch(
            self._pool,
            f"SELECT {_LIST} FROM audit {where}"  # noqa: S608 - constants and numbers only
            f" ORDER BY at {order}, id {order} LIMIT {limit + 1}",
            *values,
        )
        entries = tuple(_entry(row) for row in rows[:limit])
        return AuditPage(
            entries=entries, next=AuditCursor.of(entries[-1]) if len(rows) > limit else None
        )


async def _stage(connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
    # COPY knows no ON CONFLICT, hence the detour. The table lives as long as the connection: one
    # made for every batch would bloat the catalogue.
    await connection.execute(
        "CREATE TEMP TABLE IF NOT EXISTS audit_staging (LIKE audit) ON COMMIT DELETE ROWS"
    )
    await connection.copy_records_to_table("audit_staging", columns=_COLUMNS, records=rows)


def _conditions(wanted: AuditFilter) -> tuple[list[str], list[object]]:
    pairs = (
        ("tenant_id =", wanted.tenant),
        ("action =", None if wanted.action is None else wanted.action.value),
        ("event_id =", wanted.event_id),
        ("delivery_id =", wanted.delivery_id),
        ("at >=", wanted.since),
        ("at <", wanted.until),
    )
    given = [(condition, value) for condition, value in pairs if value is not None]
    conditions = [f"{condition} ${number}" for number, (condition, _) in enumerate(given, 1)]
    # Only with this do the partial indexes apply, which leave out the many records without an id.
    conditions += [f"{name} <> ''" for name in ("event_id", "delivery_id") if getattr(wanted, name)]
    return conditions, [value for _, value in given]


def _row(entry: AuditEntry) -> tuple[object, ...]:
    record = entry.record
    texts = [_storable(getattr(record, name)) for name in _TEXTS]
    return (
        moment(entry.at_ms),
        entry.id,
        record.tenant,
        record.action.value,
        *texts,
        record.attempt,
        _storable(record.detail),
        [_storable(step) for step in record.trail],
    )


def _storable(text: str) -> str:
    # PostgreSQL cannot hold NUL, which JSON can: one such id would block the archive for ever.
    return text.replace("\0", "\ufffd")


def _entry(row: Row) -> AuditEntry:
    return AuditEntry(
        id=row["id"],
        at_ms=unix_ms(row["at"]),
        record=AuditRecord(
            tenant=TenantId(row["tenant_id"]),
            action=AuditAction(row["action"]),
            attempt=row["attempt"],
            detail=row["detail"],
            trail=tuple(row["trail"]),
            **{name: row[name] for name in _TEXTS},
        ),
    )
