"""Fetching and uploading: never more, never longer and never less than was agreed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from adapters.fetching import PIECE_BYTES
from gateway.core.deliveries import Reason
from gateway.core.errors import SendError
from tests.adapters.file_servers import (
    HASTY,
    LIMIT,
    REFUSED,
    UNREACHABLE,
    fetched,
    fetcher_of,
    pieces,
    raw_serving,
    refusal,
    serving,
)


async def test_a_file_comes_in_pieces() -> None:
    """None of them large, whatever the file's size is."""
    whole = bytes(range(256)) * 2048

    async def handler(_request: web.Request) -> web.Response:
        return web.Response(body=whole, content_type="image/png")

    async with (
        serving(handler) as origin,
        fetcher_of(origin).get(f"{origin}/a.png", max_bytes=LIMIT) as file,
    ):
        received = [piece async for piece in file.content]

    assert whole == b"".join(received)
    assert ("image/png", len(whole)) == (file.media_type, file.size_bytes)
    assert max(map(len, received)) <= PIECE_BYTES


async def test_an_endless_file_is_left_at_the_limit() -> None:
    """And its server is hung up on."""
    hung_up = asyncio.Event()

    async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * PIECE_BYTES)
                await writer.drain()
        except ConnectionError:
            hung_up.set()
            raise

    async with raw_serving(endless) as origin:
        assert REFUSED == await refusal(fetcher_of(origin), f"{origin}/a")
        async with asyncio.timeout(5):
            await hung_up.wait()


async def test_a_file_that_says_it_is_too_large_is_not_begun() -> None:
    """A file of just the limit is."""

    async def handler(_request: web.Request) -> web.Response:
        return web.Response(body=b"x" * 100)

    async with serving(handler) as origin:
        fetcher = fetcher_of(origin)
        with pytest.raises(SendError, match="too large"):
            async with fetcher.get(origin, max_bytes=99):
                pytest.fail("it has begun")
        assert 100 == len(await fetched(fetcher, origin, max_bytes=100))


async def test_a_file_that_ends_early_is_no_file() -> None:
    """It had announced more bytes."""

    async def handler(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")
        await writer.drain()

    async with raw_serving(handler) as origin:
        assert UNREACHABLE == await refusal(fetcher_of(origin), f"{origin}/a")


async def test_a_file_ends_where_it_was_announced_to_end() -> None:
    """Whatever the server sends beyond it, which may also be taken for a fault."""
    received = bytearray()

    async def handler(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + b"x" * 5000)
        await writer.drain()

    async with raw_serving(handler) as origin:
        with contextlib.suppress(SendError):
            async with fetcher_of(origin).get(f"{origin}/a", max_bytes=LIMIT) as file:
                async for piece in file.content:
                    received += piece
    assert len(received) <= 4


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"])
async def test_a_silent_server_is_given_up(head: bytes) -> None:
    """Before its answer, or in the middle of it."""
    over = asyncio.Event()

    async def handler(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        await over.wait()

    async with raw_serving(handler) as origin:
        fetcher = fetcher_of(origin, patience=HASTY)
        assert UNREACHABLE == await refusal(fetcher, f"{origin}/a")
        over.set()


async def test_a_server_that_drips_is_given_up() -> None:
    """Never silent, and never done: the whole transfer has its time."""
    hung_up = asyncio.Event()

    async def handler(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        try:
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            hung_up.set()
            raise

    async with raw_serving(handler) as origin:
        fetcher = fetcher_of(origin, patience=HASTY)
        assert UNREACHABLE == await refusal(fetcher, f"{origin}/a")
        async with asyncio.timeout(5):
            await hung_up.wait()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip"])
async def test_what_comes_packed_is_not_unpacked(encoding: str) -> None:
    """Plain bytes had been asked for; a bomb is packed."""
    asked: list[str | None] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.headers.get("Accept-Encoding"))
        return web.Response(body=b"packed", headers={"Content-Encoding": encoding})

    async with serving(handler) as origin:
        assert REFUSED == await refusal(fetcher_of(origin), f"{origin}/a")
    assert ["identity"] == asked


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (204, REFUSED),
        (401, REFUSED),
        (403, REFUSED),
        (404, REFUSED),
        (410, REFUSED),
        (408, (Reason.PLATFORM_ERROR, False, False)),
        (429, (Reason.PLATFORM_RATE_LIMITED, False, False)),
        (500, (Reason.PLATFORM_ERROR, False, False)),
        (503, (Reason.PLATFORM_ERROR, False, False)),
    ],
)
async def test_statuses(status: int, expected: tuple[Reason, bool, bool]) -> None:
    """One line of the table each."""

    async def handler(_request: web.Request) -> web.Response:
        return web.Response(status=status)

    async with serving(handler) as origin:
        assert expected == await refusal(fetcher_of(origin), f"{origin}/a")


async def test_a_server_that_is_not_there(unused_tcp_port: int) -> None:
    """Worth another try."""
    origin = f"http://127.0.0.1:{unused_tcp_port}"
    assert UNREACHABLE == await refusal(fetcher_of(origin), f"{origin}/a")


async def test_a_fault_of_the_reader_stays_what_it_is() -> None:
    """An agent that hangs up is not a platform that does not answer."""

    async def handler(_request: web.Request) -> web.Response:
        return web.Response(body=b"hello")

    async with serving(handler) as origin:
        with pytest.raises(ConnectionResetError):
            async with fetcher_of(origin).get(origin, max_bytes=LIMIT):
                raise ConnectionResetError


async def test_an_upload_arrives_as_it_was_announced() -> None:
    """With its length in front, without a token, and in one request."""
    seen: list[tuple[str, str | None, str | None, bytes]] = []

    async def handler(request: web.Request) -> web.Response:
        body = await request.read()
        headers = request.headers
        seen.append(
            (request.method, headers.get("Content-Length"), headers.get("Authorization"), body)
        )
        return web.Response(text="OK")

    async with serving(handler) as origin:
        parts = [b"a" * 100_000, b"b" * 200_000]
        await fetcher_of(origin).post(f"{origin}/up", pieces(*parts), size_bytes=300_000)

    assert [("POST", "300000", None, b"".join(parts))] == seen


@pytest.mark.parametrize("parts", [[b"x" * 99], [b"x" * 101], [b"x" * 60, b"x" * 60], []])
async def test_an_upload_of_another_length_is_our_own_fault(parts: list[bytes]) -> None:
    """Never a file that is cut or padded."""

    async def handler(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(text="OK")

    async with serving(handler) as origin:
        with pytest.raises(SendError, match="not as long") as caught:
            await fetcher_of(origin).post(f"{origin}/up", pieces(*parts), size_bytes=100)
    assert (Reason.GATEWAY_FAULT, True) == (caught.value.reason, caught.value.permanent)


async def test_a_fault_of_what_is_uploaded_stays_what_it_is() -> None:
    """A store that fails in the middle is not a platform that does not answer."""

    class StoreIsAwayError(Exception):
        pass

    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 50
        raise StoreIsAwayError

    async def handler(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(text="OK")

    async with serving(handler) as origin:
        with pytest.raises(StoreIsAwayError):
            await fetcher_of(origin).post(f"{origin}/up", broken(), size_bytes=100)


@pytest.mark.parametrize(
    ("status", "reason", "permanent"),
    [
        (302, Reason.PLATFORM_REJECTED, True),
        (413, Reason.PLATFORM_REJECTED, True),
        (500, Reason.PLATFORM_ERROR, False),
    ],
)
async def test_an_upload_that_is_refused(status: int, reason: Reason, permanent: bool) -> None:
    """Redirects are refusals: the bytes were meant for one place."""

    async def handler(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async with serving(handler) as origin:
        with pytest.raises(SendError) as caught:
            await fetcher_of(origin).post(f"{origin}/up", pieces(b"x"), size_bytes=1)
    error = caught.value
    assert (reason, permanent, False) == (error.reason, error.permanent, error.ambiguous)
