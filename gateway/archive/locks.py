"""Advisory locks: who may change what in the database, one at a time over all processes.

The numbers are the names; changing one would let an old and a new gateway in together.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import IntEnum

from gateway.archive.connection import Connection, Pool, archive_errors
from gateway.core.errors import StoreError

_CLAIMS = 0x6377
_CLAIM_WAIT_S = 30.0


class Lock(IntEnum):
    """Keys of `pg_advisory_lock`."""

    MIGRATIONS = 0x6377_0001
    REGISTRY = 0x6377_0002
    PARTITIONS = 0x6377_0003


@asynccontextmanager
async def held(pool: Pool, lock: Lock, *, wait_s: float = 30.0) -> AsyncIterator[Connection]:
    """Hold `lock` on a connection of its own, which ends with the session if we die.

    Behind a pooler it must be in session mode: elsewhere the lock would stay with a stranger.
    Raises StoreError when somebody else has held it for `wait_s`.
    """
    with archive_errors():
        connection = await pool.acquire(timeout=wait_s)
    try:
        await _acquire(connection, lock, wait_s)
        yield connection
    finally:
        # The pool's own clean-up of a returned connection lets go of every advisory lock.
        with archive_errors():
            await pool.release(connection)


@asynccontextmanager
async def claimed(pool: Pool, what: str) -> AsyncIterator[bool]:
    """Try to be the only one over all processes who does `what`; gives False at once when somebody
    else does. Raises StoreError.
    """
    with archive_errors():
        connection = await pool.acquire(timeout=_CLAIM_WAIT_S)
    try:
        with archive_errors():
            # Two numbers are another space than the one that Lock lives in.
            mine = await connection.fetchval(
                "SELECT pg_try_advisory_lock($1, hashtext($2))", _CLAIMS, what
            )
        yield bool(mine)
    finally:
        with archive_errors():
            await pool.release(connection)


async def _acquire(connection: Connection, lock: Lock, wait_s: float) -> None:
    with archive_errors():
        try:
            await connection.execute("SELECT pg_advisory_lock($1)", int(lock), timeout=wait_s)
        except TimeoutError as exc:
            raise StoreError(
                f"PostgreSQL: another process has held the lock {lock.name.lower()} for "
                f"{wait_s:g} s: try again when it is done"
            ) from exc
