"""Files that agents bring: kept for a day in pieces, so that none is ever whole in memory.

Knows nothing of platforms. What was not received to its end is never handed out.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import msgspec

from gateway.archive.chunks import TooManyBytes, bounded, in_chunks
from gateway.archive.connection import Connection, Pool, Row, archive_errors, fetch, fetch_one
from gateway.core.clock import utc_now
from gateway.core.errors import NotFoundError, StoreError
from gateway.core.files import HEAD_BYTES, FileRefusal, KeptFile, media_type_of, safe_name
from gateway.core.ids import FileId, TenantId, new_file_id
from gateway.core.tenants import Limits

CHUNK_BYTES: Final = 256 * 1024
KEPT_FOR: Final = timedelta(hours=24)
UNFINISHED_FOR: Final = timedelta(hours=1)
"""How long a file may be on its way. What a gateway that died was receiving is removed then."""

# A file of one byte costs rows and pages as well: without a least price, tiny ones would be free.
_LEAST_BYTES: Final = 4096
_SWEPT_AT_ONCE: Final = 50
_MAX_SWEEPS: Final = 1000

_COLUMNS: Final = "id, tenant_id, name, media_type, size_bytes, sha256, created_at"
_USED: Final = (
    f"SELECT coalesce(sum(greatest(size_bytes, {_LEAST_BYTES})), 0)::bigint AS used"  # noqa: S608 - constants only
    " FROM files WHERE tenant_id = $1 AND created_at > $2 AND complete"
)


@dataclass(slots=True)
class _Arrival:
    """A file that is being received."""

    id: FileId
    tenant: TenantId
    name: str
    declared_type: str | None
    key: bytes
    size_bytes: int = 0


class FileStore:
    """Files of all tenants, in PostgreSQL."""

    def __init__(self, pool: Pool, clock: Callable[[], datetime] = utc_now) -> None:
        self._pool = pool
        self._clock = clock

    async def keep(
        self,
        tenant: TenantId,
        name: str | None,
        declared_type: str | None,
        content: AsyncIterator[bytes],
        *,
        idempotency_key: str,
    ) -> KeptFile | FileRefusal:
        """Store a file as its bytes come. TOO_LARGE and STORAGE_FULL stop the reading at once.

        The same key and the same bytes give the first file, other bytes KEY_REUSED, for 24 hours.
        What `content` raises goes through, and nothing is kept then. Raises StoreError,
        NotFoundError when there is no such tenant.
        """
        key = hashlib.sha256(idempotency_key.encode("utf-8", "surrogatepass")).digest()
        earlier = await self._under_key(tenant, key)
        if earlier is not None:
            return await _if_same(earlier, content)
        arrival = _Arrival(new_file_id(), tenant, safe_name(name), declared_type, key)
        kept: KeptFile | FileRefusal | None = None
        try:
            kept = await self._receive(arrival, content)
        finally:
            if not isinstance(kept, KeptFile) or kept.id != arrival.id:
                await self._discard(arrival)
        return kept

    async def open(
        self, tenant: TenantId, file: FileId
    ) -> tuple[KeptFile, AsyncIterator[bytes]] | None:
        """Find a file and the bytes of it, in pieces of 256 KiB. None when the tenant has none of
        that id any more. Raises StoreError, also from the iterator.
        """
        kept = await self.describe(tenant, file)
        return None if kept is None else (kept, self._content(kept))

    async def describe(self, tenant: TenantId, file: FileId) -> KeptFile | None:
        """Tell what is known of a file; None when the tenant has none of that id any more. Raises
        StoreError.
        """
        row = await fetch_one(
            self._pool,
            f"SELECT {_COLUMNS} FROM files"  # noqa: S608 - constants only
            " WHERE id = $1 AND tenant_id = $2 AND complete AND created_at > $3",
            file,
            tenant,
            self._clock() - KEPT_FOR,
        )
        return None if row is None else _kept(row)

    async def sweep(self) -> int:
        """Remove what has been kept long enough, and what was never received to its end; return
        how many files. Small statements, so that nobody waits long for their locks.
        """
        now, removed = self._clock(), 0
        for _ in range(_MAX_SWEEPS):
            gone = await fetch(
                self._pool,
                """DELETE FROM files WHERE id IN (
                     SELECT id FROM files
                      WHERE created_at <= $1 OR (created_at <= $2 AND NOT complete)
                      ORDER BY created_at LIMIT $3 FOR UPDATE SKIP LOCKED) RETURNING id""",
                now - KEPT_FOR,
                now - UNFINISHED_FOR,
                _SWEPT_AT_ONCE,
            )
            removed += len(gone)
            if len(gone) < _SWEPT_AT_ONCE:
                break
        return removed

    async def _receive(
        self, arrival: _Arrival, content: AsyncIterator[bytes]
    ) -> KeptFile | FileRefusal:
        limits, used = await self._room(arrival.tenant)
        room = min(limits.file_bytes, limits.stored_file_bytes - used)
        digest, number = hashlib.sha256(), 0
        try:
            async for chunk in in_chunks(bounded(content, room), CHUNK_BYTES):
                if number == 0:
                    await self._begin(arrival, chunk)
                await self._add(arrival, number, chunk)
                digest.update(chunk)
                arrival.size_bytes += len(chunk)
                number += 1
        except TooManyBytes:
            alone = room == limits.file_bytes
            return FileRefusal.TOO_LARGE if alone else FileRefusal.STORAGE_FULL
        if number == 0:
            return FileRefusal.EMPTY
        return await self._complete(arrival, digest.digest(), limits)

    async def _room(self, tenant: TenantId) -> tuple[Limits, int]:
        row = await fetch_one(self._pool, "SELECT limits FROM tenants WHERE id = $1", tenant)
        if row is None:
            raise NotFoundError(f"there is no tenant {tenant!r}")
        used = await fetch_one(self._pool, _USED, tenant, self._clock() - KEPT_FOR)
        limits = msgspec.json.decode(row["limits"], type=Limits)
        return limits, 0 if used is None else used["used"]

    async def _begin(self, arrival: _Arrival, head: bytes) -> None:
        await fetch(
            self._pool,
            """INSERT INTO files (id, tenant_id, name, media_type, key_digest, created_at)
               VALUES ($1, $2, $3, $4, $5, $6)""",
            arrival.id,
            arrival.tenant,
            arrival.name,
            media_type_of(head[:HEAD_BYTES], arrival.declared_type),
            arrival.key,
            self._clock(),
        )

    async def _add(self, arrival: _Arrival, number: int, chunk: bytes) -> None:
        await fetch(
            self._pool,
            "INSERT INTO file_chunks (file_id, number, bytes) VALUES ($1, $2, $3)",
            arrival.id,
            number,
            chunk,
        )

    async def _complete(
        self, arrival: _Arrival, digest: bytes, limits: Limits
    ) -> KeptFile | FileRefusal:
        with archive_errors():
            try:
                async with self._pool.acquire() as connection, connection.transaction():
                    return await self._completed(connection, arrival, digest, limits)
            except asyncpg.UniqueViolationError:
                pass
        # An upload under the same key that ran beside this one has ended first.
        earlier = await self._under_key(arrival.tenant, arrival.key)
        if earlier is None:
            raise StoreError("PostgreSQL: a file was removed while the same one was being stored")
        same = (earlier.sha256, earlier.size_bytes) == (digest.hex(), arrival.size_bytes)
        return earlier if same else FileRefusal.KEY_REUSED

    async def _completed(
        self, connection: Connection, arrival: _Arrival, digest: bytes, limits: Limits
    ) -> KeptFile | FileRefusal:
        # One at a time for a tenant: else uploads that run at once would each find the room that
        # only one of them can have.
        await connection.execute(
            "SELECT FROM tenants WHERE id = $1 FOR NO KEY UPDATE", arrival.tenant
        )
        used = await connection.fetchval(_USED, arrival.tenant, self._clock() - KEPT_FOR)
        if used + max(arrival.size_bytes, _LEAST_BYTES) > limits.stored_file_bytes:
            return FileRefusal.STORAGE_FULL
        row = await connection.fetchrow(
            "UPDATE files SET complete = true, size_bytes = $2, sha256 = $3"  # noqa: S608 - constants only
            f" WHERE id = $1 RETURNING {_COLUMNS}",
            arrival.id,
            arrival.size_bytes,
            digest,
        )
        if row is None:
            raise StoreError("PostgreSQL: a file was removed before it had come to its end")
        return _kept(row)

    async def _under_key(self, tenant: TenantId, key: bytes) -> KeptFile | None:
        found = await fetch(
            self._pool,
            f"SELECT {_COLUMNS} FROM files"  # noqa: S608 - constants only
            " WHERE tenant_id = $1 AND key_digest = $2 AND complete",
            tenant,
            key,
        )
        if not found:
            return None
        kept = _kept(found[0])
        if kept.created_at > self._clock() - KEPT_FOR:
            return kept
        # Its time is over though no sweep has come by: the key is free again.
        await fetch(self._pool, "DELETE FROM files WHERE id = $1", kept.id)
        return None

    async def _discard(self, arrival: _Arrival) -> None:
        # The sweep would find it too; this only spares the disk.
        with suppress(StoreError):
            await fetch(self._pool, "DELETE FROM files WHERE id = $1", arrival.id)

    async def _content(self, kept: KeptFile) -> AsyncIterator[bytes]:
        for number in range(-(-kept.size_bytes // CHUNK_BYTES)):
            # A statement each: a slow reader holds no connection of the pool.
            row = await fetch_one(
                self._pool,
                "SELECT bytes FROM file_chunks WHERE file_id = $1 AND number = $2",
                kept.id,
                number,
            )
            if row is None:
                raise StoreError("PostgreSQL: a file was removed while it was being read")
            yield row["bytes"]


async def _if_same(earlier: KeptFile, content: AsyncIterator[bytes]) -> KeptFile | FileRefusal:
    digest = hashlib.sha256()
    try:
        async for piece in bounded(content, earlier.size_bytes):
            digest.update(piece)
    except TooManyBytes:
        return FileRefusal.KEY_REUSED
    return earlier if digest.hexdigest() == earlier.sha256 else FileRefusal.KEY_REUSED


def _kept(row: Row) -> KeptFile:
    return KeptFile(
        id=FileId(row["id"]),
        tenant=TenantId(row["tenant_id"]),
        name=row["name"],
        media_type=row["media_type"],
        size_bytes=row["size_bytes"],
        sha256=row["sha256"].hex(),
        created_at=row["created_at"],
    )
