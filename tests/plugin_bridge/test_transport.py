"""The seam, and aiohttp behind it."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path
from typing import ClassVar

import pytest

from plugin_bridge.classify import Answer
from plugin_bridge.opening import TransportKind, open_transport
from plugin_bridge.retrying import MAX_TRIES, with_retries
from plugin_bridge.transport import (
    ConnectionLostError,
    NoAnswerError,
    NotConnectedError,
    open_socket,
)
from tests.contracts.transport import TransportContract
from tests.support.containers import ACCEPTED, Caller, post, raw_container


class TestAiohttp(TransportContract):
    """The transport that knows proxies."""

    kind: ClassVar[TransportKind] = "aiohttp"

    async def test_it_goes_through_the_proxy_of_the_environment(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """And tells nobody what ~/.netrc says."""
        seen: list[bytes] = []
        (tmp_path / "netrc").write_text("default login placeholder password placeholder\n")
        (tmp_path / "netrc").chmod(0o600)
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

        async def serve(caller: Caller) -> None:
            seen.append(await caller.request())
            await caller.say(ACCEPTED)

        async with raw_container(serve) as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url.removesuffix("/events"))
            async with open_transport(self.kind, per_host=1) as transport:
                assert Answer(status=202) == await post(transport, "http://agent.invalid/events")
                with pytest.raises(NotConnectedError, match="link-local"):
                    await post(transport, "http://169.254.169.254/latest/meta-data")

        [request] = seen
        assert request.startswith(b"POST http://agent.invalid/events HTTP/1.1\r\n")
        assert b"authorization" not in request.lower()

    async def test_hosts_that_need_no_proxy_are_reached_without(
        self, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
    ) -> None:
        """As NO_PROXY says."""
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused_tcp_port}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")

        async def serve(caller: Caller) -> None:
            await caller.request()
            await caller.say(ACCEPTED)

        async with (
            raw_container(serve) as container,
            open_transport(self.kind, per_host=1) as transport,
        ):
            assert Answer(status=202) == await post(transport, container.url)


async def test_only_what_did_not_arrive_is_tried_again() -> None:
    """Three times in all; the last failure is told."""
    tried: list[int] = []

    async def refused() -> Answer:
        tried.append(1)
        raise NotConnectedError(str(len(tried)))

    with pytest.raises(NotConnectedError, match=str(MAX_TRIES)):
        await with_retries(refused)
    assert MAX_TRIES == len(tried)


@pytest.mark.parametrize("fault", [ConnectionLostError("x"), NoAnswerError("x")])
async def test_what_may_have_arrived_is_not_tried_again(fault: Exception) -> None:
    """At the first try and after it."""
    tried: list[int] = []

    async def post_once() -> Answer:
        tried.append(1)
        raise NotConnectedError if len(tried) == 2 else fault

    for expected in (1, 3):
        with pytest.raises(type(fault)):
            await with_retries(post_once)
        assert expected == len(tried)


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
