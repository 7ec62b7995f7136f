"""The connection to PostgreSQL, and the one table that turns its exceptions into ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from gateway.core.errors import ConfigError, StoreError

# Generic in the type stubs only, so the names must stay text at run time.
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
Executor: TypeAlias = "Pool | Connection"
Row: TypeAlias = "asyncpg.Record"

_CLOSE_TIMEOUT_S = 5.0
_FAULTS: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)


@asynccontextmanager
async def connect(url: str, *, timeout_s: float = 10.0, max_size: int = 10) -> AsyncIterator[Pool]:
    """Open a pool of connections to `url` (postgresql://); the first one is made at once.

    `timeout_s` bounds both connecting and every statement that names no limit of its own.
    Raises ConfigError when the URL cannot be read, StoreError when nobody answers.
    """
    try:
        with archive_errors():
            pool = await asyncpg.create_pool(
                url,
                min_size=1,
                max_size=max_size,
                timeout=timeout_s,
                command_timeout=timeout_s,
                server_settings={"application_name": "channel-gateway"},
            )
    except ValueError:
        # From nothing: the text that cannot be read may hold the password.
        raise ConfigError(
            "DATABASE_URL cannot be read: it must look like postgresql://user@host/database"
        ) from None
    try:
        yield pool
    finally:
        await _close(pool)


@contextmanager
def archive_errors() -> Iterator[None]:
    """Map every fault of PostgreSQL to StoreError: the edge of the archive (law 9)."""
    try:
        yield
    except asyncpg.exceptions.ClientConfigurationError:
        # An InterfaceError as well as a ValueError; it is the operator's to mend, not the server's.
        raise
    except _FAULTS as exc:
        raise StoreError(f"PostgreSQL: {type(exc).__name__}: {exc}") from exc


async def fetch(executor: Executor, sql: str, *args: object) -> list[Row]:
    """Run one statement and return its rows. Raises StoreError."""
    with archive_errors():
        return await executor.fetch(sql, *args)


async def fetch_one(executor: Executor, sql: str, *args: object) -> Row | None:
    """Run one statement and return its first row, if any. Raises StoreError."""
    with archive_errors():
        return await executor.fetchrow(sql, *args)


async def _close(pool: Pool) -> None:
    try:
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            await pool.close()
    except _FAULTS:
        # close() waits for goodbyes; a server that hangs must not hang our exit as well.
        pool.terminate()
