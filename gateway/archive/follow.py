"""Entries as they reach the archive, for somebody who watches.

For eyes only: an entry that is archived later than `_LATE_MS` after a newer one is not shown.
Whoever needs every entry searches.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from gateway.archive.audit import AuditArchive
from gateway.archive.pages import MAX_PAGE, AuditCursor, AuditFilter
from gateway.core.audit import AuditEntry

# Each shard is archived by batches of its own, so an older entry can arrive after a newer one. The
# watcher reads this far back again, and knows what it has seen.
_LATE_MS = 10_000


async def latest(archive: AuditArchive, wanted: AuditFilter, count: int) -> list[AuditEntry]:
    """Return the newest entries, oldest of them first. Raises StoreError."""
    page = await archive.search(wanted, limit=count)
    return list(reversed(page.entries))


async def follow(
    archive: AuditArchive, wanted: AuditFilter, *, count: int = 20, poll_s: float = 1.0
) -> AsyncGenerator[AuditEntry, None]:
    """Yield the newest `count` entries, oldest first, then every new one, for ever.

    Raises StoreError.
    """
    shown = await latest(archive, wanted, count)
    for entry in shown:
        yield entry
    seen = {entry.id: entry.at_ms for entry in shown}
    # The first round meets entries older than the ones that were asked for; it keeps quiet of them.
    quiet_until = AuditCursor.of(shown[-1]) if shown else None
    while True:
        start = _late(max(seen.values())) if seen else None
        async for entry in _since(archive, wanted, start):
            if entry.id in seen:
                continue
            seen[entry.id] = entry.at_ms
            if quiet_until is None or AuditCursor.of(entry) > quiet_until:
                yield entry
        quiet_until = None
        oldest_ms = start.at_ms if start else 0
        seen = {entry_id: at_ms for entry_id, at_ms in seen.items() if at_ms >= oldest_ms}
        await asyncio.sleep(poll_s)


def _late(newest_ms: int) -> AuditCursor:
    return AuditCursor(max(newest_ms - _LATE_MS, 0), "")


async def _since(
    archive: AuditArchive, wanted: AuditFilter, start: AuditCursor | None
) -> AsyncIterator[AuditEntry]:
    cursor = start
    while True:
        page = await archive.after(wanted, after=cursor, limit=MAX_PAGE)
        for entry in page.entries:
            yield entry
        if page.next is None:
            return
        cursor = page.next
