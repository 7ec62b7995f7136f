"""Watching the archive: the last few, then everything new, once."""

from __future__ import annotations

import asyncio

from gateway.archive.audit import AuditArchive
from gateway.archive.follow import follow
from gateway.archive.pages import AuditFilter
from tests.archive.test_audit import NOON_MS, entry


async def test_shows_the_last_ones_and_then_what_arrives_even_late(archive: AuditArchive) -> None:
    """Shards are archived one by one, so an older record may arrive after a newer one."""
    await archive.write(
        [entry("e1", NOON_MS + 1), entry("e2", NOON_MS + 2), entry("e3", NOON_MS + 9)]
    )
    seen = []
    watching = follow(archive, AuditFilter(), count=2, poll_s=0.01)
    async for found in watching:
        seen.append(found.id)
        if found.id == "e3":
            await archive.write([entry("new", NOON_MS + 20)])
        if found.id == "new":
            await archive.write([entry("late", NOON_MS + 5), entry("newer", NOON_MS + 30)])
        if found.id == "newer":
            break
    await watching.aclose()

    assert ["e2", "e3", "new", "late", "newer"] == seen


async def test_an_empty_archive_is_watched_too(archive: AuditArchive) -> None:
    """The first record of a new gateway is shown as well."""
    watching = follow(archive, AuditFilter(), poll_s=0.01)
    first = asyncio.ensure_future(anext(watching))
    await archive.write([entry("first")])

    assert "first" == (await first).id
    await watching.aclose()
