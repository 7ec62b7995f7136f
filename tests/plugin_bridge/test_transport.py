"""The wire to a container, over real sockets: everything that can go wrong has one name."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from gateway.sandbox.wire import reset_connection
from gateway.web.server import listening
from plugin_bridge.classify import Answer
from plugin_bridge.transport import (
    MAX_ANSWER_BYTES,
    AiohttpTransport,
    ConnectionLostError,
    NoAnswerError,
    NotConnectedError,
    open_socket,
    open_transport,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

SECRET_HEADERS = {"Content-Type": "application/json", "webhook-id": "dlv_1"}


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    """The pools as the gateway opens them."""
    async with open_transport(per_host=4) as opened:
        yield opened


@asynccontextmanager
async def _agent(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/events", handler)
    async with listening(app, "127.0.0.1", 0, setting="test") as port:
        yield f"http://127.0.0.1:{port}/events"


@asynccontextmanager
async def _raw_agent(serve: Serve) -> AsyncIterator[str]:
    """A server below HTTP: says what no well-behaved one would."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            await serve(reader, writer)
        writer.close()

    async with await asyncio.start_server(one, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/events"


async def _post(transport: AiohttpTransport, url: str, *, timeout_s: float = 5.0) -> Answer:
    return await transport.post(url, b'{"id":"Ev1"}', SECRET_HEADERS, timeout_s=timeout_s)


async def test_the_body_and_the_headers_arrive_as_they_were_signed(
    transport: AiohttpTransport,
) -> None:
    """Byte for byte, and the answer comes back with its Retry-After."""
    seen: list[tuple[bytes, str, str]] = []

    async def receive(request: web.Request) -> web.Response:
        headers = request.headers
        seen.append((await request.read(), headers["webhook-id"], headers["Content-Type"]))
        return web.Response(status=503, body=b"busy", headers={"Retry-After": "9"})

    async with _agent(receive) as url:
        answer = await _post(transport, url)

    assert [(b'{"id":"Ev1"}', "dlv_1", "application/json")] == seen
    assert Answer(status=503, body=b"busy", retry_after="9") == answer


async def test_connections_are_kept_alive(transport: AiohttpTransport) -> None:
    """The second post needs no second handshake."""
    ports: list[object] = []

    async def receive(request: web.Request) -> web.Response:
        assert request.transport is not None
        ports.append(request.transport.get_extra_info("peername")[1])
        return web.Response(status=202)

    async with _agent(receive) as url:
        await _post(transport, url)
        await _post(transport, url)

    assert 1 == len(set(ports))
    assert 2 == len(ports)


async def test_cookies_are_not_kept(transport: AiohttpTransport) -> None:
    """One jar for all tenants would carry one container's cookie to another."""
    seen: list[dict[str, str]] = []

    async def receive(request: web.Request) -> web.Response:
        seen.append(dict(request.cookies))
        response = web.Response(status=202)
        response.set_cookie("session", "placeholder")
        return response

    async with _agent(receive) as url:
        await _post(transport, url)
        await _post(transport, url)

    assert [{}, {}] == seen


async def test_a_slow_answer_is_no_answer(transport: AiohttpTransport) -> None:
    """The container may have the message, so this is told apart from a refused connection."""
    never = asyncio.Event()

    async def hang(_request: web.Request) -> web.Response:
        await never.wait()
        return web.Response()

    async with _agent(hang) as url:
        with pytest.raises(NoAnswerError):
            await _post(transport, url, timeout_s=0.1)
        never.set()


async def test_a_connection_cut_before_the_answer_is_lost(transport: AiohttpTransport) -> None:
    """It is not posted a second time here: the container may have it already."""
    calls: list[str] = []

    async def cut(request: web.Request) -> web.Response:
        calls.append(request.path)
        return reset_connection(request)

    async with _agent(cut) as url:
        with pytest.raises(ConnectionLostError):
            await _post(transport, url)

    assert ["/events"] == calls


async def test_a_body_cut_short_is_lost(transport: AiohttpTransport) -> None:
    """Half an answer is none."""

    async def half(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()

    async with _raw_agent(half) as url:
        with pytest.raises(ConnectionLostError):
            await _post(transport, url)


async def test_what_is_not_http_is_lost(transport: AiohttpTransport) -> None:
    """Some other server behind the port took the bytes."""

    async def ssh(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-placeholder\r\n")
        await writer.drain()

    async with _raw_agent(ssh) as url:
        with pytest.raises(ConnectionLostError):
            await _post(transport, url)


async def test_a_refused_port_is_not_connected(
    transport: AiohttpTransport, unused_tcp_port: int
) -> None:
    """The one fault after which the container has certainly seen nothing."""
    with pytest.raises(NotConnectedError):
        await _post(transport, f"http://127.0.0.1:{unused_tcp_port}/events")


async def test_a_name_that_nobody_has_is_not_connected(transport: AiohttpTransport) -> None:
    """https://www.rfc-editor.org/rfc/rfc6761#section-6.4"""
    with pytest.raises(NotConnectedError):
        await _post(transport, "http://agent.invalid/events")


async def test_an_agent_that_comes_up_in_time_is_reached(
    transport: AiohttpTransport, unused_tcp_port: int
) -> None:
    """Tries again what certainly did not arrive, so a restart costs no scheduled retry."""
    app = web.Application()

    async def receive(_request: web.Request) -> web.Response:
        return web.Response(status=202)

    app.router.add_post("/events", receive)
    async with contextlib.AsyncExitStack() as stack:

        class StartsAfterTheFirst(AiohttpTransport):
            async def _post_once(self, *args: object) -> Answer:
                try:
                    return await super()._post_once(*args)  # type: ignore[arg-type] # passed on
                except NotConnectedError:
                    up = listening(app, "127.0.0.1", unused_tcp_port, setting="test")
                    await stack.enter_async_context(up)
                    raise

        watched = StartsAfterTheFirst(transport._session)

        answer = await _post(watched, f"http://127.0.0.1:{unused_tcp_port}/events")

    assert Answer(status=202) == answer


@pytest.mark.parametrize("length", ["", f"Content-Length: {MAX_ANSWER_BYTES * 4}\r\n"])
async def test_an_endless_body_is_cut_off(transport: AiohttpTransport, length: str) -> None:
    """The status says it all; the connection is not held for what nobody reads."""
    hung_up = asyncio.Event()

    async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\n{length}\r\n".encode())
        try:
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()
        except ConnectionError:
            hung_up.set()

    async with _raw_agent(endless) as url:
        assert Answer(status=200, body=b"") == await _post(transport, url)
        async with asyncio.timeout(5):
            await hung_up.wait()


async def test_a_body_of_the_size_allowed_is_read(transport: AiohttpTransport) -> None:
    """The limit is what is too much, not the last that is allowed."""

    async def receive(_request: web.Request) -> web.Response:
        return web.Response(body=b"x" * MAX_ANSWER_BYTES)

    async with _agent(receive) as url:
        assert MAX_ANSWER_BYTES == len((await _post(transport, url)).body)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_not_followed(
    transport: AiohttpTransport, status: int
) -> None:
    """A container cannot send a signed body on to somebody else."""
    elsewhere: list[str] = []

    async def trap(request: web.Request) -> web.Response:
        elsewhere.append(request.path)
        return web.Response(status=202)

    async def away(_request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": trap_url})

    async with _agent(trap) as trap_url, _agent(away) as url:
        assert status == (await _post(transport, url)).status
    assert [] == elsewhere


async def test_gone_is_an_answer(transport: AiohttpTransport) -> None:
    """410 is for the table, not for an exception."""

    async def gone(_request: web.Request) -> web.Response:
        return web.Response(status=410)

    async with _agent(gone) as url:
        assert Answer(status=410) == await _post(transport, url)


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]"]
)
async def test_a_link_local_address_is_never_connected_to(
    transport: AiohttpTransport, host: str
) -> None:
    """The metadata service of a cloud, in any spelling that the client takes."""
    with pytest.raises(NotConnectedError):
        await _post(transport, f"http://{host}/latest/meta-data")


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254"])
def test_no_socket_is_made_for_a_link_local_address(address: str) -> None:
    """Asked with the address itself, so it does not matter which name led to it."""
    with pytest.raises(OSError, match="link-local"):
        open_socket(_address(address))


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", "192.0.2.1", "::1", "fd00::7"])
def test_a_socket_is_made_for_any_other_address(address: str) -> None:
    """Containers live on private networks as a rule."""
    open_socket(_address(address)).close()


def _address(
    host: str,
) -> tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int]]:
    v6 = ipaddress.ip_address(host).version == 6
    family = socket.AF_INET6 if v6 else socket.AF_INET
    return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, 80))


async def test_one_hung_container_does_not_hold_the_others(transport: AiohttpTransport) -> None:
    """Its connections are counted per host: here all four of them hang."""
    never = asyncio.Event()
    hanging: list[int] = []
    all_hang = asyncio.Event()

    async def hang(_request: web.Request) -> web.Response:
        hanging.append(1)
        if len(hanging) == 4:
            all_hang.set()
        await never.wait()
        return web.Response()

    async def receive(_request: web.Request) -> web.Response:
        return web.Response(status=202)

    async with _agent(hang) as hung_url, _agent(receive) as url:
        stuck = [asyncio.create_task(_post(transport, hung_url)) for _ in range(4)]
        await all_hang.wait()
        assert Answer(status=202) == await _post(transport, url)
        never.set()
        await asyncio.gather(*stuck)
