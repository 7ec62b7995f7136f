"""What stands between a request and its operation: bytes, packing, connections, slow readers."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from tests.support.waiting import eventually
from tests.web.conftest import GOOD, Client, House, serving

HEAD = (
    b"Host: x\r\nAuthorization: Bearer cgk_acme-key\r\nIdempotency-Key: k\r\n"
    b"Content-Type: application/json\r\n"
)
BOMB = gzip.compress(b" " * 20_000_000)
POST = b"POST /v1/messages HTTP/1.1\r\n" + HEAD


class Wire:
    """A connection that a test speaks on byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, *pieces: bytes) -> None:
        """Send these bytes."""
        self.writer.writelines(pieces)
        await self.writer.drain()

    async def head(self) -> bytes:
        """Read the head of the next answer."""
        async with asyncio.timeout(10):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def rest(self) -> bytes:
        """Read until the other side ends it."""
        async with asyncio.timeout(10):
            return await self.reader.read()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Wire]:
    """Connect to the API."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()


@pytest.mark.parametrize("packing", ["gzip", "deflate", "br", "zstd", "foo", "gzip, identity"])
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/files?name=a"])
async def test_a_packed_body_is_refused_and_not_unpacked(
    agent: Client, path: str, packing: str
) -> None:
    """Half a megabyte of it could be gigabytes; what is no such packing is no fault of ours."""
    bomb = BOMB

    answer = await agent.send(bomb, path=path, headers={"Content-Encoding": packing})

    assert (415, "unsupported_media_type") == (answer.status, answer.error["code"])
    assert "Content-Encoding" == answer.error["field"]
    assert [] == [each for each in agent.house.seen if each[0] == "keep"]  # type: ignore[index]


async def test_a_body_that_is_named_as_it_is_is_read(agent: Client) -> None:
    """That is no packing at all."""
    assert 202 == (await agent.send(headers={"Content-Encoding": "identity"})).status


@pytest.mark.parametrize(
    "broken", [b"zz\r\n{}\r\n", b"2\r\n{}xx", b"-1\r\n", b"ffffffffffffffffff\r\n{}"]
)
@pytest.mark.parametrize("verb", [b"POST /v1/messages", b"POST /v1/files"])
async def test_chunks_that_are_none_are_a_bad_request(
    agent: Client, verb: bytes, broken: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """400, and no traceback."""
    with caplog.at_level("INFO"), capture_logs() as logs:
        async with connected(agent.url) as wire:
            chunked = b"Transfer-Encoding: chunked\r\n\r\n"
            await wire.say(b"".join((verb, b" HTTP/1.1\r\n", HEAD, chunked, broken)))
            said = await wire.rest()

    assert said.split(b" ")[1] == b"400", said
    assert [] == logs
    assert [False] == [bool(each.exc_info) for each in caplog.records]


@pytest.mark.parametrize(
    "bytes_",
    [
        b"%s\r\n\r\n" % (b"k" * 100),
        b"GET / HTTP/1.1\r\nAuthorization: Bearer cgk_%s" % (b"k" * 9000),
    ],
)
async def test_bytes_that_are_no_request_are_not_in_the_log(
    agent: Client, bytes_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """They may hold a key. The line says what was wrong with them."""
    with caplog.at_level("DEBUG"):
        async with connected(agent.url) as wire:
            await wire.say(bytes_)
            assert b"400" == (await wire.rest()).split(b" ")[1]

    [line] = [each for each in caplog.records if each.name == "gateway.web.server"]
    assert line.getMessage().startswith("not a request: ")
    assert "kkk" not in caplog.text


async def test_who_goes_in_the_middle_of_a_body_is_no_fault_of_ours(agent: Client) -> None:
    """Agents are restarted at any moment."""
    sample = "gateway_api_requests_total", {"route": "/v1/messages", "status": "400"}
    with capture_logs() as logs:
        async with connected(agent.url) as wire:
            await wire.say(POST, b"Content-Length: 100\r\n\r\n{")
        await eventually(lambda: agent.metrics.registry.get_sample_value(*sample))

    assert [] == [each for each in logs if each["log_level"] == "error"]
    assert [] == agent.house.seen


@pytest.mark.parametrize(
    ("header", "status"),
    [(b"Authorization: Bearer cgk_globex-key", 401), (b"Idempotency-Key: l", 400)],
)
async def test_a_header_that_decides_must_not_come_twice(
    agent: Client, header: bytes, status: int
) -> None:
    """What stands in front of us might have looked at the other one."""
    async with connected(agent.url) as wire:
        await wire.say(POST, header, b"\r\nContent-Length: 2\r\n\r\n{}")
        head = await wire.head()

    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert [] == agent.house.seen


async def test_a_refusal_before_the_body_ends_the_connection(agent: Client) -> None:
    """Or the rest of the body would be read as the next request. Who was heard out may go on."""
    body = json.dumps(GOOD).encode()
    async with connected(agent.url) as wire:
        await wire.say(POST, b"Content-Length: %d\r\n\r\n" % len(body), body)
        assert b"connection: close" not in (await wire.head()).lower()
    async with connected(agent.url) as wire:
        await wire.say(POST.replace(b"cgk_acme", b"cgk_noone"), b"Content-Length: 99\r\n\r\n{")
        head = await wire.head()

    assert head.startswith(b"HTTP/1.1 401 ")
    assert b"connection: close" in head.lower()


async def test_half_a_request_does_not_hold_a_connection() -> None:
    """Neither the first of a connection nor a later one."""
    body = json.dumps(GOOD).encode()
    async with serving(House(), idle_for_s=0.2) as agent:
        async with connected(agent.url) as wire:
            await wire.say(b"POST /v1/messages HTTP/1.1\r\nHost:")
            assert b"" == await wire.rest()
        async with connected(agent.url) as wire:
            await wire.say(POST, b"Content-Length: %d\r\n\r\n" % len(body), body, b"POST /v1/mess")
            assert (await wire.rest()).startswith(b"HTTP/1.1 202 ")


async def test_there_are_so_many_connections() -> None:
    """The newest is closed; when another ends there is room again."""
    async with serving(House(), most=2) as agent:
        async with connected(agent.url) as first, connected(agent.url) as second:
            for wire in (first, second):
                await wire.say(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
                await wire.head()
            async with connected(agent.url) as third:
                assert b"" == await third.rest()

        async def heard() -> bool:
            async with connected(agent.url) as wire:
                await wire.say(
                    b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                )
                return (await wire.rest()).startswith(b"HTTP/1.1 200 ")

        assert await eventually(heard)
