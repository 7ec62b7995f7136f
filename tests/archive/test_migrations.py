"""The schema: brought up to date once, by one process, and never backwards."""

from __future__ import annotations

import asyncio

import pytest

from gateway.archive.connection import Pool, fetch
from gateway.archive.migrations import Migration, known_migrations, migrate
from gateway.core.errors import ConfigError, StoreError


async def test_applies_every_file_once(empty_pool: Pool) -> None:
    """A second start finds nothing to do."""
    names = [migration.name for migration in known_migrations()]

    assert names == await migrate(empty_pool)
    assert [] == await migrate(empty_pool)


async def test_several_processes_that_start_together_apply_each_file_once(empty_pool: Pool) -> None:
    """Replicas start at the same moment after a roll-out."""
    applied = await asyncio.gather(*(migrate(empty_pool) for _ in range(3)))

    names = [migration.name for migration in known_migrations()]
    assert names == [name for some in applied for name in some]


async def test_refuses_a_database_that_is_newer(pool: Pool) -> None:
    """After a roll-back old code must not write into a schema that it does not know."""
    await fetch(pool, "INSERT INTO schema_migrations (version, name) VALUES (999, 'later')")

    with pytest.raises(ConfigError, match="schema version 999"):
        await migrate(pool)


async def test_a_file_that_fails_leaves_nothing_behind(pool: Pool) -> None:
    """Each file is a transaction, so it can be mended and tried again."""
    broken = Migration(900, "0900_broken", "CREATE TABLE half (id int); SELECT no_such_thing()")

    with pytest.raises(StoreError, match="no_such_thing"):
        await migrate(pool, [*known_migrations(), broken])

    rows = await fetch(pool, "SELECT to_regclass('half') IS NULL AS gone")
    assert rows[0]["gone"]
    assert [] == await migrate(pool)
