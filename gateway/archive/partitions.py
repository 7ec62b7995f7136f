"""The months of the audit archive: one partition each, made ahead and dropped whole.

Never deletes single records: retention is the end of a month's table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, NamedTuple

from gateway.archive.connection import Connection, Pool, archive_errors, fetch
from gateway.archive.locks import Lock, held

_NAME: Final = re.compile(r"audit_(\d{4})_(\d{2})")
_LOCK_TIMEOUT: Final = "5s"


class Month(NamedTuple):
    """A month of UTC. Ordered."""

    year: int
    number: int

    @classmethod
    def of(cls, moment: datetime) -> Month:
        """Return the month of an aware moment."""
        utc = moment.astimezone(UTC)
        return cls(utc.year, utc.month)

    def plus(self, months: int) -> Month:
        """Return the month so many months later, or earlier."""
        index = self.year * 12 + self.number - 1 + months
        return Month(index // 12, index % 12 + 1)

    @property
    def partition(self) -> str:
        """Name of the table of this month."""
        return f"audit_{self.year:04}_{self.number:02}"

    @property
    def start(self) -> str:
        """The first moment of the month, as PostgreSQL writes it."""
        return f"{self.year:04}-{self.number:02}-01 00:00:00+00"


async def ensure_months(pool: Pool, now: datetime, ahead: int = 2) -> list[Month]:
    """Make the partitions of this month and the next ones; return those that were missing."""
    this = Month.of(now)
    return await ensure(pool, (this.plus(offset) for offset in range(ahead + 1)))


async def ensure(pool: Pool, months: Iterable[Month]) -> list[Month]:
    """Make the partitions of `months`; return those that were missing. Raises StoreError."""
    wanted = sorted(set(months))
    if not set(wanted) - set(await partitioned_months(pool)):
        return []
    async with held(pool, Lock.PARTITIONS) as connection:
        present = set(await partitioned_months(connection))
        missing = [month for month in wanted if month not in present]
        for month in missing:
            await _create(connection, month)
    return missing


async def drop_before(pool: Pool, month: Month) -> list[Month]:
    """Drop the partitions older than `month`; return them. Raises StoreError."""
    async with held(pool, Lock.PARTITIONS) as connection:
        old = [found for found in await partitioned_months(connection) if found < month]
        for found in old:
            await _run(connection, f"DROP TABLE {found.partition}")
    return old


async def partitioned_months(executor: Pool | Connection) -> list[Month]:
    """List the months that have a partition, oldest first."""
    rows = await fetch(
        executor,
        """SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'audit'::regclass""",
    )
    names = (_NAME.fullmatch(row["name"]) for row in rows)
    return sorted(Month(int(name[1]), int(name[2])) for name in names if name)


async def _create(connection: Connection, month: Month) -> None:
    # Attaching lets readers and writers of other months go on; CREATE ... PARTITION OF stops them.
    table, until = month.partition, month.plus(1).start
    await _run(
        connection,
        f"CREATE TABLE {table} (LIKE audit INCLUDING DEFAULTS)",
        f"ALTER TABLE audit ATTACH PARTITION {table}"
        f" FOR VALUES FROM ('{month.start}') TO ('{until}')",
    )


async def _run(connection: Connection, *statements: str) -> None:
    with archive_errors():
        async with connection.transaction():
            # A long search must not make us wait with a lock that makes every writer wait too.
            await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
            for statement in statements:
                await connection.execute(statement)
