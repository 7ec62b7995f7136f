"""The parts of the lean transport: the pool, its dialer, the timers, URLs as bytes."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from plugin_bridge.lean.dialing import Dialer
from plugin_bridge.lean.pool import Pool
from plugin_bridge.lean.request import Origin, target_of
from plugin_bridge.lean.timers import Timers
from plugin_bridge.transport import KEEPALIVE_S, NotConnectedError
from tests.support.containers import ACCEPTED, BODY, RawContainer, answering, raw_container
from tests.support.waiting import eventually


@asynccontextmanager
async def _pool(container: RawContainer, *, limit: int) -> AsyncIterator[Pool]:
    loop = asyncio.get_running_loop()
    origin = target_of(container.url).origin
    timers = Timers(loop)
    pool = Pool(Dialer(origin, ssl.create_default_context(), loop), timers, loop, limit=limit)
    yield pool
    pool.close()
    timers.close()
    await eventually(lambda: pool.size == 0)


async def test_an_idle_connection_is_closed_in_the_end() -> None:
    """Not before its time, and then by the sweep or by whoever would have used it."""
    async with (
        raw_container(answering(*[ACCEPTED] * 2)) as container,
        _pool(container, limit=1) as pool,
    ):
        loop = asyncio.get_running_loop()
        request = target_of(container.url).request({}, BODY)
        connection = await pool.acquire(loop.time() + 5)
        await connection.send(request)

        pool.close_stale(loop.time() + KEEPALIVE_S - 1)
        assert connection is await pool.acquire(loop.time() + 5)
        await connection.send(request)

        connection.idle_until = loop.time()
        assert connection is not await pool.acquire(loop.time() + 5)
        await eventually(lambda: container.connections == 2)


async def test_connections_are_lent_in_the_order_of_arrival() -> None:
    """And whoever comes when one is just being handed on does not overtake."""
    order: list[int] = []

    async def use(pool: Pool, url: str, number: int) -> None:
        connection = await pool.acquire(asyncio.get_running_loop().time() + 5)
        order.append(number)
        await connection.send(target_of(url).request({}, BODY))

    async with (
        raw_container(answering(*[ACCEPTED] * 10)) as container,
        _pool(container, limit=1) as pool,
    ):
        await asyncio.gather(*(use(pool, container.url, number) for number in range(10)))

    assert (list(range(10)), 1) == (order, container.connections)


@pytest.mark.parametrize(
    ("addresses", "reached"),
    [
        (["169.254.169.254", "127.0.0.2", "127.0.0.1"], True),
        (["127.0.0.2", "169.254.169.254"], False),
        ([], False),
    ],
)
async def test_every_address_of_a_name_is_tried_but_a_link_local_one(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str], *, reached: bool
) -> None:
    """In the order of the resolver, which is the machine's and answers here for a name of ours."""
    asked: list[object] = []

    def resolve(host: object, port: int, *_args: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [
            (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))
            for address in addresses
        ]

    async with raw_container(answering(ACCEPTED), host="agent.test") as container:
        async with _pool(container, limit=2) as pool:
            monkeypatch.setattr(socket, "getaddrinfo", resolve)
            deadline = asyncio.get_running_loop().time() + 5
            posts = [pool.acquire(deadline) for _ in range(2)]
            ends = await asyncio.gather(*posts, return_exceptions=True)

        failed = [isinstance(end, NotConnectedError) for end in ends]
        assert [not reached] * 2 == failed
    assert ["agent.test"] * (1 if reached else len(asked)) == asked


async def test_a_deadline_is_never_early_and_comes_in_order() -> None:
    """Whatever the order in which they were set; one that was met says nothing."""
    loop = asyncio.get_running_loop()
    timers, started, ended = Timers(loop), loop.time(), dict[float, float]()

    async def wait(seconds: float) -> None:
        waiter = loop.create_future()
        timers.add(waiter, started + seconds)
        with pytest.raises(TimeoutError):
            await waiter
        ended[seconds] = loop.time() - started

    met = loop.create_future()
    timers.add(met, started + 0.1).discard(met)
    waits = (0.2, 0.05, 0.3, 0.0, 0.1)
    await asyncio.gather(*(wait(seconds) for seconds in waits))
    timers.close()

    assert sorted(waits) == list(ended)
    assert [] == [seconds for seconds, took in ended.items() if took < seconds]
    assert not met.done()


@pytest.mark.parametrize(
    ("url", "origin", "begin"),
    [
        ("http://a.example", ("http", "a.example", 80), b"POST / HTTP/1.1\r\nHost: a.example\r\n"),
        (
            "HTTPS://A.example:443/x?y=1#z",
            ("https", "a.example", 443),
            b"POST /x?y=1 HTTP/1.1\r\nHost: a.example\r\n",
        ),
        (
            "http://[::1]:8000/a%2Fb c",
            ("http", "::1", 8000),
            b"POST /a%2Fb%20c HTTP/1.1\r\nHost: [::1]:8000\r\n",
        ),
        (
            "http://b\u00fccher.example:80?q=\u00fc",
            ("http", "xn--bcher-kva.example", 80),
            b"POST /?q=%C3%BC HTTP/1.1\r\nHost: xn--bcher-kva.example\r\n",
        ),
    ],
)
def test_a_url_is_an_origin_and_the_begin_of_a_head(
    url: str, origin: tuple[str, str, int], begin: bytes
) -> None:
    """RFC 9112 section 3.2: the port is named when it is not the scheme's own."""
    target = target_of(url)

    assert Origin(*origin) == target.origin
    assert target.head.startswith(begin)
    assert target.request({"A": "b"}, b"{}").endswith(b"A: b\r\nContent-Length: 2\r\n\r\n{}")


@pytest.mark.parametrize("url", ["", "x", "ftp://a/", "http:///x", "http://u:p@a/", "http://a:x/"])
def test_what_leads_nowhere_is_refused(url: str) -> None:
    """Also a user in the URL: requests are signed, and never carry a password."""
    with pytest.raises(ValueError, match=r".+"):
        target_of(url)
