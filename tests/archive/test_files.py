"""Files of agents: kept whole or not at all, within limits, for a day."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from gateway.archive.connection import Pool, fetch
from gateway.archive.files import CHUNK_BYTES, KEPT_FOR, UNFINISHED_FOR, FileStore
from gateway.archive.records import TenantSpec
from gateway.archive.registry import Registry
from gateway.core.errors import NotFoundError, StoreError
from gateway.core.files import FileRefusal, KeptFile
from gateway.core.ids import FileId, TenantId
from gateway.core.tenants import Limits

ACME, GLOBEX = TenantId("acme"), TenantId("globex")
LIMITS = Limits(file_bytes=CHUNK_BYTES * 4, stored_file_bytes=CHUNK_BYTES * 8)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8


@dataclass
class Clock:
    """A clock that the test moves."""

    now: datetime = datetime(2026, 1, 31, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Content:
    """The bytes of an upload, in pieces, that knows how many of them were asked for."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.read = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            self.read += 1
            yield piece


@pytest.fixture
def clock() -> Clock:
    """Noon."""
    return Clock()


@pytest.fixture
async def files(pool: Pool, registry: Registry, clock: Clock) -> FileStore:
    """An empty store and two tenants."""
    async with registry.writing() as writes:
        for tenant in (ACME, GLOBEX):
            await writes.add_tenant(
                TenantSpec(id=tenant, endpoint_url="http://agent.test/", limits=LIMITS)
            )
    return FileStore(pool, clock)


async def keep(
    files: FileStore,
    *pieces: bytes,
    key: str = "k1",
    name: str = "photo.png",
    tenant: TenantId = ACME,
    declared: str | None = None,
) -> KeptFile | FileRefusal:
    """Upload a file."""
    content = aiter(Content(*pieces))
    return await files.keep(tenant, name, declared, content, idempotency_key=key)


async def kept(files: FileStore, *pieces: bytes, key: str = "k1") -> KeptFile:
    """Upload a file that is taken."""
    result = await keep(files, *pieces, key=key)
    assert isinstance(result, KeptFile)
    return result


async def read(files: FileStore, file: FileId, tenant: TenantId = ACME) -> bytes | None:
    """All bytes of a file, None when there is none."""
    opened = await files.open(tenant, file)
    return None if opened is None else b"".join([piece async for piece in opened[1]])


async def stored_rows(pool: Pool) -> tuple[int, int]:
    """How many files and pieces lie in the database, complete or not."""
    rows = await fetch(
        pool,
        """SELECT (SELECT count(*) FROM files) AS files,
                  (SELECT count(*) FROM file_chunks) AS chunks""",
    )
    return rows[0]["files"], rows[0]["chunks"]


@pytest.mark.parametrize(
    "sizes",
    [
        [1],
        [CHUNK_BYTES],
        [CHUNK_BYTES - 1, 1, 1],
        [CHUNK_BYTES * 2 + 7],
        [1000] * 700,
        [CHUNK_BYTES * 4],
    ],
    ids=str,
)
async def test_a_file_comes_back_byte_for_byte(files: FileStore, sizes: list[int]) -> None:
    """However its bytes were cut on their way in, around the size of a stored piece too."""
    pieces = [bytes([number % 251]) * size for number, size in enumerate(sizes)]
    whole = b"".join(pieces)

    file = await kept(files, *pieces)

    assert whole == await read(files, file.id)
    assert (len(whole), hashlib.sha256(whole).hexdigest()) == (file.size_bytes, file.sha256)


async def test_a_kept_file_is_described_as_it_was_brought(files: FileStore, clock: Clock) -> None:
    """And opening it says the same."""
    file = await kept(files, PNG)

    assert ("photo.png", "image/png", ACME, clock.now) == (
        file.name,
        file.media_type,
        file.tenant,
        file.created_at,
    )
    opened = await files.open(ACME, file.id)
    assert opened is not None
    assert file == opened[0]


async def test_another_tenant_has_no_such_file(files: FileStore) -> None:
    """An id that leaked is worth nothing to others."""
    file = await kept(files, PNG)

    assert await read(files, file.id, GLOBEX) is None


async def test_a_repeat_gives_the_first_file(files: FileStore, pool: Pool) -> None:
    """The same key and the same bytes, cut in another way."""
    first = await kept(files, PNG)
    again = await kept(files, PNG[:100], PNG[100:])

    assert first == again
    assert (1, 1) == await stored_rows(pool)


@pytest.mark.parametrize("other", [PNG[:-1], PNG + b"x", b"x" * len(PNG), b""])
async def test_a_key_cannot_name_two_files(files: FileStore, other: bytes) -> None:
    """Shorter, longer or merely different."""
    await kept(files, PNG)

    assert FileRefusal.KEY_REUSED == await keep(files, other)


async def test_the_key_of_another_tenant_is_another_key(files: FileStore) -> None:
    """Agents choose keys as they like."""
    first = await kept(files, PNG)
    second = await keep(files, b"other bytes", tenant=GLOBEX)

    assert isinstance(second, KeptFile)
    assert first.id != second.id


async def test_uploads_under_one_key_at_once_become_one_file(files: FileStore, pool: Pool) -> None:
    """An agent that did not wait for the answer."""
    results = await asyncio.gather(*(keep(files, PNG) for _ in range(4)))

    assert 1 == len({result.id for result in results if isinstance(result, KeptFile)})
    assert all(isinstance(result, KeptFile) for result in results)
    assert (1, 1) == await stored_rows(pool)


async def test_too_large_a_file_is_not_read_to_its_end(files: FileStore, pool: Pool) -> None:
    """Nothing of it stays either."""
    content = Content(*[b"x" * CHUNK_BYTES] * 100)
    result = await files.keep(ACME, "big", None, aiter(content), idempotency_key="k1")

    assert FileRefusal.TOO_LARGE == result
    assert 5 == content.read
    assert (0, 0) == await stored_rows(pool)


async def test_a_file_of_just_the_limit_is_taken(files: FileStore) -> None:
    """One more byte is not."""
    full = b"x" * LIMITS.file_bytes

    assert isinstance(await keep(files, full), KeptFile)
    assert FileRefusal.TOO_LARGE == await keep(files, full, b"x", key="k2")


async def test_all_files_together_have_a_limit(files: FileStore) -> None:
    """The tenant beside has its own room."""
    full = b"x" * LIMITS.file_bytes
    await kept(files, full, key="k1")
    await kept(files, full, key="k2")

    assert FileRefusal.STORAGE_FULL == await keep(files, b"x", key="k3")
    assert isinstance(await keep(files, b"x", tenant=GLOBEX), KeptFile)


async def test_uploads_at_once_do_not_share_the_last_room(files: FileStore) -> None:
    """Each of them found room when it began."""
    full = b"x" * LIMITS.file_bytes
    results = await asyncio.gather(*(keep(files, full, key=f"k{n}") for n in range(4)))

    assert [FileRefusal.STORAGE_FULL] * 2 == [r for r in results if isinstance(r, FileRefusal)]


async def test_tiny_files_are_not_free(files: FileStore) -> None:
    """Each costs a page, so that rows without end cannot be had for nothing."""
    most = LIMITS.stored_file_bytes // 4096
    await fetch(
        files._pool,
        """INSERT INTO files (id, tenant_id, name, media_type, size_bytes, sha256, key_digest,
                              complete, created_at)
           SELECT 'file_' || n, 'acme', 'n', 't', 1, 'x', sha256(n::text::bytea), true, $2
             FROM generate_series(1, $1) AS n""",
        most,
        files._clock(),
    )

    assert FileRefusal.STORAGE_FULL == await keep(files, b"x")


async def test_an_empty_file_is_refused(files: FileStore, pool: Pool) -> None:
    """No platform takes one."""
    assert FileRefusal.EMPTY == await keep(files)
    assert FileRefusal.EMPTY == await keep(files, b"", b"")
    assert (0, 0) == await stored_rows(pool)


async def test_an_upload_that_breaks_leaves_nothing(files: FileStore, pool: Pool) -> None:
    """The fault goes to the caller, and the key is still free."""

    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * CHUNK_BYTES
        yield b"x" * CHUNK_BYTES
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await files.keep(ACME, "half", None, broken(), idempotency_key="k1")

    assert (0, 0) == await stored_rows(pool)
    assert isinstance(await keep(files, PNG), KeptFile)


async def test_an_upload_that_is_cancelled_leaves_nothing(files: FileStore, pool: Pool) -> None:
    """The agent hung up and the handler was cancelled in the middle."""
    waits = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"x" * CHUNK_BYTES
        waits.set()
        await asyncio.Event().wait()

    upload = asyncio.create_task(files.keep(ACME, "half", None, endless(), idempotency_key="k1"))
    await waits.wait()
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload

    assert (0, 0) == await stored_rows(pool)


async def test_an_unknown_tenant_keeps_nothing(files: FileStore) -> None:
    """A key can outlive its tenant for a moment."""
    with pytest.raises(NotFoundError):
        await keep(files, PNG, tenant=TenantId("nobody"))


async def test_a_file_ends_after_a_day_though_no_sweep_came(files: FileStore, clock: Clock) -> None:
    """Then its key is free as well."""
    file = await kept(files, PNG)
    clock.now += KEPT_FOR - timedelta(seconds=1)
    assert PNG == await read(files, file.id)

    clock.now += timedelta(seconds=1)
    assert await read(files, file.id) is None
    other = await kept(files, b"other bytes")
    assert b"other bytes" == await read(files, other.id)


async def test_old_files_make_room(files: FileStore, clock: Clock) -> None:
    """The limit is on what was brought within a day."""
    for number in (1, 2):
        await kept(files, b"x" * LIMITS.file_bytes, key=f"old{number}")
    clock.now += KEPT_FOR

    assert isinstance(await keep(files, b"x" * LIMITS.file_bytes), KeptFile)


async def test_the_sweep_takes_what_is_over_and_nothing_else(
    files: FileStore, pool: Pool, clock: Clock
) -> None:
    """Unfinished files go sooner: whoever was receiving them is dead."""
    await kept(files, PNG, key="old")
    clock.now += KEPT_FOR - UNFINISHED_FOR
    await fetch(
        pool,
        """INSERT INTO files (id, tenant_id, name, media_type, key_digest, created_at)
           VALUES ('file_dead', 'acme', 'n', 't', 'k', $1)""",
        clock.now,
    )
    clock.now += UNFINISHED_FOR
    new = await kept(files, PNG, key="new")

    assert 2 == await files.sweep()
    assert 0 == await files.sweep()
    assert (1, 1) == await stored_rows(pool)
    assert PNG == await read(files, new.id)


async def test_a_sweep_takes_more_than_one_batch(files: FileStore, clock: Clock) -> None:
    """A day's files may be many."""
    await asyncio.gather(*(kept(files, b"x", key=f"k{number}") for number in range(120)))
    clock.now += KEPT_FOR

    assert 120 == await files.sweep()


async def test_two_sweeps_at_once_share_the_work(files: FileStore, clock: Clock) -> None:
    """Every replica sweeps."""
    await asyncio.gather(*(kept(files, b"x", key=f"k{number}") for number in range(60)))
    clock.now += KEPT_FOR

    assert 60 == sum(await asyncio.gather(*(files.sweep() for _ in range(3))))


async def test_a_file_that_goes_while_it_is_read_is_a_fault(files: FileStore, pool: Pool) -> None:
    """Half a file must not look like a whole one."""
    file = await kept(files, b"x" * CHUNK_BYTES * 2)
    opened = await files.open(ACME, file.id)
    assert opened is not None
    assert CHUNK_BYTES == len(await anext(opened[1]))
    await fetch(pool, "DELETE FROM files")

    with pytest.raises(StoreError, match="removed while"):
        await anext(opened[1])


async def test_files_go_with_their_tenant(files: FileStore, pool: Pool, registry: Registry) -> None:
    """Nothing of a customer stays who left."""
    await kept(files, PNG)
    async with registry.writing() as writes:
        await writes.remove_tenant(ACME)

    assert (0, 0) == await stored_rows(pool)
