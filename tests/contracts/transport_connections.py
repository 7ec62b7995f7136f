"""What every transport must do with its connections: keep them, count them, and know a bad one."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from plugin_bridge.classify import Answer
from plugin_bridge.transport import NoAnswerError, NotConnectedError, Transport
from tests.support.containers import ACCEPTED, Caller, agent, answering, post, raw_container
from tests.support.waiting import eventually

PER_HOST = 4
"""The limit of the `transport` fixture."""


class ConnectionsContract:
    """Part of TransportContract."""

    async def test_connections_are_kept_alive(self, transport: Transport) -> None:
        """The second post needs no second handshake."""
        async with raw_container(answering(*[ACCEPTED] * 3)) as container:
            for _ in range(3):
                await post(transport, container.url)

        assert 1 == container.connections

    async def test_cookies_are_not_kept(self, transport: Transport) -> None:
        """One jar for all tenants would carry one container's cookie to another."""
        seen: list[dict[str, str]] = []

        async def receive(request: web.Request) -> web.Response:
            seen.append(dict(request.cookies))
            response = web.Response(status=202)
            response.set_cookie("session", "placeholder")
            return response

        async with agent(receive) as url:
            await post(transport, url)
            await post(transport, url)

        assert [{}, {}] == seen

    @pytest.mark.parametrize(
        "head", [b"HTTP/1.1 202 \r\nConnection: close\r\n", b"HTTP/1.0 202 Accepted\r\n"]
    )
    async def test_a_connection_that_is_to_be_closed_is_closed(
        self, transport: Transport, head: bytes
    ) -> None:
        """By us, as the server said and leaves to us."""

        async def serve(caller: Caller) -> None:
            await caller.request()
            await caller.say(head + b"Content-Length: 0\r\n\r\n")
            await caller.hung_up()

        async with raw_container(serve) as container:
            for _ in range(2):
                assert Answer(status=202) == await post(transport, container.url)

        assert 2 == container.connections

    async def test_a_connection_that_the_server_closed_is_not_used(
        self, transport: Transport
    ) -> None:
        """It said that it keeps it, and closed it while nobody asked: no post is lost by that."""
        noticed = asyncio.Event()

        async def serve(caller: Caller) -> None:
            await caller.request()
            await caller.say(ACCEPTED)
            caller.writer.write_eof()
            await caller.hung_up()
            noticed.set()

        async with raw_container(serve) as container:
            for _ in range(3):
                assert Answer(status=202) == await post(transport, container.url)
                async with asyncio.timeout(5):
                    await noticed.wait()
                noticed.clear()

        assert 3 == container.connections

    async def test_connections_to_a_container_are_limited(self, transport: Transport) -> None:
        """The rest wait for their turn, and all get it."""
        open_now, peak = 0, 0
        full = asyncio.Event()

        async def serve(caller: Caller) -> None:
            nonlocal open_now, peak
            open_now += 1
            peak = max(peak, open_now)
            if open_now == PER_HOST:
                full.set()
            while await caller.request():
                await full.wait()
                await caller.say(ACCEPTED)

        async with raw_container(serve) as container:
            posts = [post(transport, container.url) for _ in range(PER_HOST * 10)]
            answers = await asyncio.gather(*posts)

        assert [Answer(status=202)] * (PER_HOST * 10) == answers
        assert (PER_HOST, PER_HOST) == (peak, container.connections)

    async def test_a_post_that_finds_no_connection_in_time_ends(self, transport: Transport) -> None:
        """A queue before a hung container would hold its deliveries for ever."""
        async with raw_container(Caller.hung_up) as container:
            posts = [
                post(transport, container.url, timeout_s=0.1 if late else 0.4)
                for late in (False,) * PER_HOST + (True,) * PER_HOST
            ]
            ends = await asyncio.gather(*posts, return_exceptions=True)

        assert [] == [end for end in ends if not isinstance(end, NoAnswerError | NotConnectedError)]

    async def test_one_hung_container_does_not_hold_the_others(self, transport: Transport) -> None:
        """Its connections are counted apart: here all of them hang, and more posts wait."""
        async with (
            raw_container(Caller.hung_up) as hung,
            raw_container(answering(*[ACCEPTED] * 100)) as well,
        ):
            stuck = [asyncio.create_task(post(transport, hung.url)) for _ in range(PER_HOST * 2)]
            await eventually(lambda: hung.connections == PER_HOST)
            answers = await asyncio.gather(*(post(transport, well.url) for _ in range(100)))
            for task in stuck:
                task.cancel()
            await asyncio.gather(*stuck, return_exceptions=True)

        assert [Answer(status=202)] * 100 == answers

    async def test_a_cancelled_post_takes_its_connection_with_it(
        self, transport: Transport
    ) -> None:
        """The late answer to it would be taken for that to the next."""
        asked = asyncio.Event()
        gone: list[Caller] = []

        async def serve(caller: Caller) -> None:
            if b"cancelled" not in await caller.request():
                await caller.say(ACCEPTED)
                return
            asked.set()
            await caller.hung_up()
            gone.append(caller)

        async with raw_container(serve) as container:
            for _ in range(PER_HOST * 2):  # more than there are places, so that none may leak
                task = asyncio.create_task(post(transport, container.url, body=b"cancelled"))
                async with asyncio.timeout(5):
                    await asked.wait()
                asked.clear()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert Answer(status=202) == await post(transport, container.url)
            await eventually(lambda: len(gone) == PER_HOST * 2)

    async def test_a_post_cancelled_in_the_queue_leaves_it(self, transport: Transport) -> None:
        """Its place is not given to nobody."""
        go_on = asyncio.Event()

        async def serve(caller: Caller) -> None:
            while await caller.request():
                await go_on.wait()
                await caller.say(ACCEPTED)

        async with raw_container(serve) as container:
            tasks = [
                asyncio.create_task(post(transport, container.url)) for _ in range(PER_HOST * 3)
            ]
            await eventually(lambda: container.connections == PER_HOST)
            for task in tasks[PER_HOST : PER_HOST * 2]:
                task.cancel()
            go_on.set()
            ends = await asyncio.gather(*tasks, return_exceptions=True)

        kept = [*ends[:PER_HOST], *ends[PER_HOST * 2 :]]
        assert [Answer(status=202)] * (PER_HOST * 2) == kept
