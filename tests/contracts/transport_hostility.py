"""What every transport must survive: containers that are broken, or mean it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest
from aiohttp import web

from gateway.sandbox.wire import reset_connection
from plugin_bridge.classify import Answer
from plugin_bridge.transport import (
    MAX_ANSWER_BYTES,
    ConnectionLostError,
    NoAnswerError,
    NotConnectedError,
    Transport,
)
from tests.support.containers import ACCEPTED, Caller, agent, answering, post, raw_container
from tests.support.waiting import eventually

_OK = b"HTTP/1.1 200 OK\r\n"


class HostilityContract:
    """Part of TransportContract."""

    async def test_a_slow_answer_is_no_answer(self, transport: Transport) -> None:
        """The container may have the message, so this is told apart from a refused connection."""
        async with raw_container(Caller.hung_up) as container:
            with pytest.raises(NoAnswerError, match=r"no answer in 0\.1 s"):
                await post(transport, container.url, timeout_s=0.1)

    @pytest.mark.parametrize(
        ("begin", "drop"),
        [
            (b"HTTP/1.1 200 ", b"O"),
            (_OK, b"X-Slow: x\r\n"),
            (_OK + b"Content-Length: 9999\r\n\r\n", b"x"),
            (_OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
            (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ],
    )
    async def test_drops_of_an_answer_are_no_answer(
        self, transport: Transport, begin: bytes, drop: bytes
    ) -> None:
        """The time is for all of it: a timeout per read would begin anew with each."""

        async def serve(caller: Caller) -> None:
            await caller.request()
            await caller.say(begin)
            while True:
                await caller.say(drop)
                await asyncio.sleep(0.01)

        async with raw_container(serve) as container:
            with pytest.raises(NoAnswerError):
                await post(transport, container.url, timeout_s=0.2)

    async def test_a_connection_cut_before_the_answer_is_lost(self, transport: Transport) -> None:
        """It is not posted a second time here: the container may have it already."""
        calls: list[str] = []

        async def cut(request: web.Request) -> web.Response:
            calls.append(request.path)
            return reset_connection(request)

        async with agent(cut) as url:
            with pytest.raises(ConnectionLostError):
                await post(transport, url)

        assert ["/events"] == calls

    async def test_a_connection_cut_at_the_second_post_is_lost(self, transport: Transport) -> None:
        """On a connection that was used before, too: nobody can know what the container did."""
        bodies: list[bytes] = []

        async def serve(caller: Caller) -> None:
            bodies.append(await caller.request())
            await caller.say(ACCEPTED)
            bodies.append(await caller.request())

        async with raw_container(serve) as container:
            await post(transport, container.url)
            with pytest.raises(ConnectionLostError):
                await post(transport, container.url)

        assert 2 == len(bodies)

    @pytest.mark.parametrize("half_close", [True, False])
    @pytest.mark.parametrize(
        "said",
        [
            b"",
            b"HTT",
            _OK + b"Content-Le",
            _OK + b"Content-Length: 100\r\n\r\n{",
            _OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
            _OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n",
        ],
    )
    async def test_half_an_answer_is_none(
        self, transport: Transport, said: bytes, *, half_close: bool
    ) -> None:
        """Closed, or only closed for writing: no more will come."""

        async def serve(caller: Caller) -> None:
            await caller.request()
            await caller.say(said)
            if half_close:
                caller.writer.write_eof()
                await caller.hung_up()

        async with raw_container(serve) as container:
            with pytest.raises(ConnectionLostError):
                await post(transport, container.url)

        assert 1 == container.connections

    async def test_a_server_that_hangs_up_at_once_is_not_taken_for_an_answer(
        self, transport: Transport
    ) -> None:
        """Whether the request was out by then is a matter of microseconds."""

        async def serve(_caller: Caller) -> None:
            return

        async with raw_container(serve) as container:
            with pytest.raises((ConnectionLostError, NotConnectedError)):
                await post(transport, container.url)

    @pytest.mark.parametrize(
        "said",
        [
            b"SSH-2.0-placeholder\r\n",
            b"\x00\x01\x02\x03",
            b"HTTP/1.1 abc\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n",
            _OK + b"Content-Length: -1\r\n\r\n",
            _OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
            _OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            _OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
            _OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n",
            _OK + b"no colon\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        ],
    )
    async def test_what_is_not_http_is_lost(self, transport: Transport, said: bytes) -> None:
        """Some other server behind the port took the bytes; or one that smuggles."""

        async def serve(caller: Caller) -> None:
            await caller.request()
            await caller.say(said)
            await caller.hung_up()

        async with raw_container(serve) as container:
            with pytest.raises(ConnectionLostError):
                await post(transport, container.url)

        assert 1 == container.connections

    @pytest.mark.parametrize(
        "head",
        [_OK + b"X-Long: " + b"x" * 200_000, _OK + b"X-Many: x\r\n" * 20_000, _OK[:-2] * 20_000],
    )
    @pytest.mark.parametrize("end", [b"\r\nContent-Length: 0\r\n\r\n", b""])
    async def test_a_head_that_is_too_long_is_lost(
        self, transport: Transport, head: bytes, end: bytes
    ) -> None:
        """Whether it ends or not."""

        async def serve(caller: Caller) -> None:
            await caller.request()
            await caller.say(head + end)
            await caller.hung_up()

        async with raw_container(serve) as container:
            with pytest.raises(ConnectionLostError):
                await post(transport, container.url)

    @pytest.mark.parametrize(
        ("framing", "piece"),
        [
            (b"", b"x" * 65_536),
            (b"Content-Length: %d\r\n" % (MAX_ANSWER_BYTES * 4), b"x" * 65_536),
            (b"Transfer-Encoding: chunked\r\n", b"10000\r\n" + b"x" * 65_536 + b"\r\n"),
        ],
    )
    async def test_an_endless_body_is_cut_off(
        self, transport: Transport, framing: bytes, piece: bytes
    ) -> None:
        """The status says it all; the connection is not held for what nobody reads."""
        hung_up = asyncio.Event()

        async def endless(caller: Caller) -> None:
            await caller.request()
            try:
                await caller.say(_OK + framing + b"\r\n")
                while True:
                    await caller.say(piece)
            except ConnectionError:
                hung_up.set()

        async with raw_container(endless) as container:
            assert Answer(status=200, body=b"") == await post(transport, container.url)
            async with asyncio.timeout(5):
                await hung_up.wait()

    @pytest.mark.parametrize(
        "junk", [b"x", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", ACCEPTED * 3, b"\0\0"]
    )
    async def test_what_follows_an_answer_is_the_answer_to_nothing(
        self, transport: Transport, junk: bytes
    ) -> None:
        """The next request gets a connection of its own, or it would get this. A client may also
        take the whole for garbage.
        """

        async def serve(caller: Caller) -> None:
            await caller.request()
            await caller.say(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n" + junk)
            await caller.hung_up()

        async with raw_container(serve) as container:
            posts = [await _end(post(transport, container.url)) for _ in range(2)]
            await eventually(lambda: container.connections == 2)
        assert set(posts) <= {Answer(status=410), ConnectionLostError}

    async def test_a_container_that_answers_garbage_harms_no_other(
        self, transport: Transport
    ) -> None:
        """At the same moment, on the same transport."""
        async with (
            raw_container(answering(b"\r\r\n\nHTTP")) as bad,
            raw_container(answering(*[ACCEPTED] * 50)) as good,
        ):
            posts = [post(transport, url) for _ in range(50) for url in (bad.url, good.url)]
            ends = await asyncio.gather(*posts, return_exceptions=True)

        assert [Answer(status=202)] * 50 == ends[1::2]
        assert [] == [end for end in ends[::2] if not isinstance(end, ConnectionLostError)]


async def _end(posted: Awaitable[Answer]) -> Answer | type[ConnectionLostError]:
    try:
        return await posted
    except ConnectionLostError:
        return ConnectionLostError
