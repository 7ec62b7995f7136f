"""Bring the schema up to date: numbered SQL files, each in a transaction, one process at a time.

Never goes back and never touches a database that is newer than this code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.archive.connection import Connection, Pool, archive_errors
from gateway.archive.locks import Lock, held
from gateway.core.errors import ConfigError

_FOLDER: Final = Path(__file__).parent / "migrations"
_STATEMENT_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class Migration:
    """One file `NNNN_name.sql`; `version` is its number."""

    version: int
    name: str
    sql: str


def known_migrations(folder: Path = _FOLDER) -> list[Migration]:
    """Read the files of `folder`, oldest first."""
    return [
        Migration(int(path.stem.partition("_")[0]), path.stem, path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.sql"))
    ]


async def migrate(pool: Pool, migrations: Sequence[Migration] | None = None) -> list[str]:
    """Apply what is missing and return the names of what was applied.

    Raises ConfigError when the database is newer than the code, StoreError when PostgreSQL fails.
    """
    known = known_migrations() if migrations is None else migrations
    async with held(pool, Lock.MIGRATIONS, wait_s=_STATEMENT_TIMEOUT_S) as connection:
        with archive_errors():
            applied = await _applied(connection)
            _refuse_newer(applied, known)
            missing = [migration for migration in known if migration.version not in applied]
            for migration in missing:
                await _apply(connection, migration)
    return [migration.name for migration in missing]


async def _applied(connection: Connection) -> set[int]:
    await connection.execute(
        """CREATE TABLE IF NOT EXISTS schema_migrations (
             version int PRIMARY KEY,
             name text NOT NULL,
             applied_at timestamptz NOT NULL DEFAULT now())"""
    )
    return {
        row["version"] for row in await connection.fetch("SELECT version FROM schema_migrations")
    }


def _refuse_newer(applied: set[int], known: Sequence[Migration]) -> None:
    newest = max((migration.version for migration in known), default=0)
    found = max(applied, default=0)
    if found > newest:
        raise ConfigError(
            f"DATABASE_URL: the database has schema version {found}, this gateway knows up to "
            f"{newest}: run a gateway at least as new as the one that made it"
        )


async def _apply(connection: Connection, migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(migration.sql, timeout=_STATEMENT_TIMEOUT_S)
        await connection.execute(
            "INSERT INTO schema_migrations (version, name) VALUES ($1, $2)",
            migration.version,
            migration.name,
        )
