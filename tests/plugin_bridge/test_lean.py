"""The lean transport: the contract on both loops, and what only it promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import ClassVar

import pytest
import pytest_asyncio
import uvloop

from plugin_bridge.classify import Answer
from plugin_bridge.opening import TransportKind, open_transport
from plugin_bridge.transport import (
    ConnectionLostError,
    NotConnectedError,
    Transport,
)
from tests.contracts.transport import TransportContract
from tests.contracts.transport_connections import PER_HOST
from tests.support.containers import (
    ACCEPTED,
    BODY,
    Caller,
    post,
    raw_container,
)
from tests.support.waiting import eventually

_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class TestLean(TransportContract):
    """On asyncio's own loop."""

    kind: ClassVar[TransportKind] = "lean"


# The hook that is to replace the fixture would give its loops to all other tests here as well.
@pytest.mark.filterwarnings('ignore:Overriding the "event_loop_policy" fixture')
@pytest.mark.asyncio(loop_scope="function")
class TestLeanOnUvloop(TransportContract):
    """On the loop of production, whose transports close and report in ways of their own."""

    kind: ClassVar[TransportKind] = "lean"

    @pytest.fixture
    def event_loop_policy(self) -> uvloop.EventLoopPolicy:
        """Asked by pytest-asyncio."""
        return uvloop.EventLoopPolicy()

    @pytest_asyncio.fixture(loop_scope="function")
    async def transport(  # type: ignore[override] # the same fixture, made by another decorator
        self, _no_proxies: None
    ) -> AsyncIterator[Transport]:
        """The pools as the gateway opens them."""
        async with open_transport(self.kind, per_host=PER_HOST) as opened:
            yield opened

    async def test_it_is_another_loop(self) -> None:
        """Or this class would prove nothing."""
        assert isinstance(asyncio.get_running_loop(), uvloop.Loop)


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    """The pools as the gateway opens them."""
    async with open_transport("lean", per_host=PER_HOST) as opened:
        yield opened


async def test_an_answer_before_the_body_was_read_ends_the_connection(transport: Transport) -> None:
    """The rest of the body would be the beginning of the next request."""

    async def serve(caller: Caller) -> None:
        if f"Content-Length: {len(BODY)}\r\n".encode() in await caller.head():
            await caller.reader.readexactly(len(BODY))
            await caller.say(ACCEPTED)
            return
        await caller.say(b"HTTP/1.1 413 \r\nContent-Length: 0\r\n\r\n")
        await caller.hung_up()

    async with raw_container(serve) as container:
        answer = await post(transport, container.url, body=b"x" * (32 << 20))
        assert Answer(status=202) == await post(transport, container.url)

    assert (Answer(status=413), 2) == (answer, container.connections)


@pytest.mark.parametrize("junk", [b"\r\n", b"x", ACCEPTED])
async def test_a_container_that_speaks_unasked_is_hung_up_on(
    transport: Transport, junk: bytes
) -> None:
    """On an idle connection, too: it would be read as the answer to the next request."""
    noticed = asyncio.Event()

    async def serve(caller: Caller) -> None:
        await caller.request()
        await caller.say(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")
        await caller.reader.read(0)
        asyncio.get_running_loop().call_later(0.05, caller.writer.write, junk)
        await caller.hung_up()
        noticed.set()

    async with raw_container(serve) as container:
        await post(transport, container.url)
        async with asyncio.timeout(5):
            await noticed.wait()
        assert Answer(status=410) == await post(transport, container.url)

    assert 2 == container.connections


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (_CHUNKED + b"1;", b"x" * 65_536),
        (_CHUNKED + b"1\r\nx\r\n0\r\nX-Trailer: ", b"x" * 65_536),
        (_CHUNKED, b"1\r\nx\r\n" * 10_000),
    ],
)
async def test_what_stands_around_a_body_is_limited_too(
    transport: Transport, begin: bytes, piece: bytes
) -> None:
    """Extensions and trailers of chunks without end. The container has the message all the same."""
    hung_up = asyncio.Event()

    async def serve(caller: Caller) -> None:
        await caller.request()
        try:
            await caller.say(begin)
            while True:
                await caller.say(piece)
        except ConnectionError:
            hung_up.set()

    async with raw_container(serve) as container:
        assert Answer(status=200) == await post(transport, container.url)
        async with asyncio.timeout(5):
            await hung_up.wait()


async def test_interim_answers_without_end_are_lost(transport: Transport) -> None:
    """Together they may not be longer than one head."""

    async def serve(caller: Caller) -> None:
        await caller.request()
        while True:
            await caller.say(b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000)

    async with raw_container(serve) as container:
        with pytest.raises(ConnectionLostError, match="too long"):
            await post(transport, container.url)


async def test_whoever_waits_for_a_connection_certainly_sent_nothing(transport: Transport) -> None:
    """Unlike those that hold one: a delivery is not called uncertain for its neighbours."""
    async with raw_container(Caller.hung_up) as container:
        holding = [
            asyncio.create_task(post(transport, container.url, timeout_s=30))
            for _ in range(PER_HOST)
        ]
        await eventually(lambda: container.connections == PER_HOST)
        with pytest.raises(NotConnectedError, match="became free"):
            await post(transport, container.url, timeout_s=0.1)
        for task in holding:
            task.cancel()
        await asyncio.gather(*holding, return_exceptions=True)


async def test_closing_ends_what_is_on_its_way() -> None:
    """What was sent may have arrived, what waited was not sent; nothing stays open."""
    async with raw_container(Caller.hung_up) as container:
        async with open_transport("lean", per_host=1) as transport:
            sent = asyncio.create_task(post(transport, container.url))
            await eventually(lambda: container.connections == 1)
            waits = asyncio.create_task(post(transport, container.url))
            await asyncio.sleep(0)
        with pytest.raises(ConnectionLostError):
            await sent
        with pytest.raises(NotConnectedError):
            await waits
