"""What every transport must do, over real sockets. Subclasses say which transport."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar

import pytest
from aiohttp import web

from plugin_bridge.classify import Answer
from plugin_bridge.opening import TransportKind, open_transport
from plugin_bridge.retrying import with_retries
from plugin_bridge.transport import MAX_ANSWER_BYTES, NotConnectedError, Transport
from tests.contracts.transport_connections import PER_HOST, ConnectionsContract
from tests.contracts.transport_hostility import HostilityContract
from tests.support.containers import (
    ACCEPTED,
    BODY,
    Caller,
    agent,
    answering,
    certified,
    post,
    raw_container,
)

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

Whole = tuple[bytes, Answer]
ANSWERS: list[Whole] = [
    (b"200 OK\r\nContent-Length: 2\r\n\r\nok", Answer(status=200, body=b"ok")),
    (b"200 OK\r\nContent-Length: 0\r\n\r\n", Answer(status=200)),
    (b"204 No Content\r\n\r\n", Answer(status=204)),
    (b"304 Not Modified\r\nContent-Length: 7\r\n\r\n", Answer(status=304)),
    (
        b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\n\r\n",
        Answer(status=200, body=b"ok"),
    ),
    (
        b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nRetry-After: 5\r\n\r\n",
        Answer(status=200),
    ),
    (
        b"429 \r\nretry-AFTER:  7 \r\nContent-Length: 0\r\n\r\n",
        Answer(status=429, retry_after="7"),
    ),
]


class TransportContract(ConnectionsContract, HostilityContract):
    """Inherited by a test class per transport."""

    kind: ClassVar[TransportKind]

    @pytest.fixture(autouse=True)
    def _no_proxies(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in _PROXIES:
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)

    @pytest.fixture
    async def transport(self, _no_proxies: None) -> AsyncIterator[Transport]:
        """The pools as the gateway opens them."""
        async with open_transport(self.kind, per_host=PER_HOST) as opened:
            yield opened

    async def test_the_body_and_the_headers_arrive_as_they_were_signed(
        self, transport: Transport
    ) -> None:
        """Byte for byte, and the answer comes back with its Retry-After."""
        seen: list[tuple[bytes, str, str, str]] = []

        async def receive(request: web.Request) -> web.Response:
            headers = request.headers
            body = await request.read()
            seen.append((body, headers["webhook-id"], headers["Content-Type"], headers["Host"]))
            return web.Response(status=503, body=b"busy", headers={"Retry-After": "9"})

        async with agent(receive) as url:
            answer = await post(transport, url)

        assert [(BODY, "dlv_1", "application/json", url.split("/")[2])] == seen
        assert Answer(status=503, body=b"busy", retry_after="9") == answer

    async def test_a_url_arrives_as_it_was_given(self, transport: Transport) -> None:
        """With its query and its escapes; what may not stand in a head is escaped."""
        seen: list[str] = []

        async def receive(request: web.Request) -> web.Response:
            seen.append(request.raw_path)
            return web.Response(status=202)

        async with agent(receive) as url:
            await post(transport, f"{url}?key=1&for=gr\u00fcn")

        assert ["/events?key=1&for=gr%C3%BCn"] == seen

    @pytest.mark.parametrize(("said", "expected"), ANSWERS)
    @pytest.mark.parametrize("at_once", [True, False])
    async def test_an_answer_is_read_to_its_end(
        self, transport: Transport, said: bytes, expected: Answer, *, at_once: bool
    ) -> None:
        """In one piece or byte by byte, and the connection is good for another."""

        async def serve(caller: Caller) -> None:
            whole = b"HTTP/1.1 " + said
            for _ in range(2):
                await caller.request()
                for piece in [whole] if at_once else [bytes([byte]) for byte in whole]:
                    await caller.say(piece)

        async with raw_container(serve) as container:
            answers = [await post(transport, container.url) for _ in range(2)]

        assert ([expected] * 2, 1) == (answers, container.connections)

    @pytest.mark.parametrize(
        "head", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 200 OK\r\nA: b\r\n"]
    )
    async def test_without_a_length_the_end_of_the_connection_is_the_end(
        self, transport: Transport, head: bytes
    ) -> None:
        """RFC 9112 section 6.3, case 8."""
        async with raw_container(answering(head + b"\r\nall of it")) as container:
            answer = await post(transport, container.url)

        assert Answer(status=200, body=b"all of it") == answer

    async def test_interim_answers_are_skipped(self, transport: Transport) -> None:
        """And what they say about retries is not the answer's."""
        interim = (
            b"HTTP/1.1 100 Continue\r\n\r\n"
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nRetry-After: 5\r\n\r\n"
        )
        async with raw_container(answering(interim + ACCEPTED, ACCEPTED)) as container:
            answers = [await post(transport, container.url) for _ in range(2)]

        assert [Answer(status=202)] * 2 == answers

    async def test_a_body_of_the_size_allowed_is_read(self, transport: Transport) -> None:
        """The limit is what is too much, not the last that is allowed."""

        async def receive(_request: web.Request) -> web.Response:
            return web.Response(body=b"x" * MAX_ANSWER_BYTES)

        async with agent(receive) as url:
            assert MAX_ANSWER_BYTES == len((await post(transport, url)).body)

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_a_redirect_is_an_answer_and_not_followed(
        self, transport: Transport, status: int
    ) -> None:
        """A container cannot send a signed body on to somebody else."""
        elsewhere: list[str] = []

        async def trap(request: web.Request) -> web.Response:
            elsewhere.append(request.path)
            return web.Response(status=202)

        async def away(_request: web.Request) -> web.Response:
            return web.Response(status=status, headers={"Location": trap_url})

        async with agent(trap) as trap_url, agent(away) as url:
            assert status == (await post(transport, url)).status
        assert [] == elsewhere

    async def test_a_refused_port_is_not_connected(
        self, transport: Transport, unused_tcp_port: int
    ) -> None:
        """The one fault after which the container has certainly seen nothing."""
        with pytest.raises(NotConnectedError):
            await post(transport, f"http://127.0.0.1:{unused_tcp_port}/events")

    @pytest.mark.parametrize(
        "url", ["http://agent.invalid/events", f"http://{'a' * 64}/", "http://[::1/", "agent"]
    )
    async def test_a_url_that_leads_nowhere_is_not_connected(
        self, transport: Transport, url: str
    ) -> None:
        """https://www.rfc-editor.org/rfc/rfc6761#section-6.4 and what is no URL."""
        with pytest.raises(NotConnectedError):
            await post(transport, url)

    async def test_an_agent_that_comes_up_in_time_is_reached(
        self, transport: Transport, unused_tcp_port: int
    ) -> None:
        """Tries again what certainly did not arrive, so a restart costs no scheduled retry."""
        async with contextlib.AsyncExitStack() as stack:

            async def post_once() -> Answer:
                try:
                    return await post(transport, f"http://127.0.0.1:{unused_tcp_port}/events")
                except NotConnectedError:
                    up = raw_container(answering(ACCEPTED), port=unused_tcp_port)
                    await stack.enter_async_context(up)
                    raise

            assert Answer(status=202) == await with_retries(post_once)

    @pytest.mark.parametrize(
        "host", ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]"]
    )
    async def test_a_link_local_address_is_never_connected_to(
        self, transport: Transport, host: str
    ) -> None:
        """The metadata service of a cloud, in any spelling that the client takes."""
        with pytest.raises(NotConnectedError):
            await post(transport, f"http://{host}/latest/meta-data")

    @pytest.mark.parametrize(
        "header",
        [
            {"webhook-id": "dlv_1\r\nX-Evil: 1"},
            {"webhook-id": "dlv_1\nX-Evil: 1"},
            {"webhook-id": "dlv_1\rX-Evil: 1"},
            {"webhook-id\r\nX-Evil": "1"},
        ],
    )
    async def test_a_header_cannot_hold_another(
        self, transport: Transport, header: dict[str, str]
    ) -> None:
        """Nothing is sent of it."""
        heard: list[bytes] = []

        async def serve(caller: Caller) -> None:
            heard.append(await caller.reader.read())

        async with raw_container(serve) as container:
            with pytest.raises(ValueError, match=r"(?i)header"):
                await transport.post(container.url, BODY, header, timeout_s=5)
        assert b"" == b"".join(heard)

    async def test_a_certificate_is_trusted_for_its_own_name(self, tmp_path: Path) -> None:
        """By a client that was told to; the server hears the name before it shows one (SNI)."""
        server_tls, trusting = certified("localhost", tmp_path)
        names: list[str | None] = []
        server_tls.sni_callback = lambda _socket, name, _context: names.append(name)
        async with (
            raw_container(answering(ACCEPTED, ACCEPTED), tls=server_tls, host="localhost") as there,
            open_transport(self.kind, per_host=1, tls=trusting) as transport,
        ):
            answers = [await post(transport, there.url) for _ in range(2)]

        assert ([Answer(status=202)] * 2, ["localhost"], 1) == (answers, names, there.connections)

    @pytest.mark.parametrize(("name", "trusts"), [("agent.example", True), ("localhost", False)])
    async def test_another_certificate_is_not_connected(
        self, tmp_path: Path, name: str, *, trusts: bool
    ) -> None:
        """For another name, or signed by nobody: the request does not go out."""
        server_tls, trusting = certified(name, tmp_path)
        async with (
            raw_container(answering(ACCEPTED), tls=server_tls, host="localhost") as container,
            open_transport(self.kind, per_host=1, tls=trusting if trusts else None) as transport,
        ):
            with pytest.raises(NotConnectedError):
                await post(transport, container.url)
        assert 0 == container.connections
