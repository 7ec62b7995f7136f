"""The HTTP client towards the containers: one method behind one seam.

One session and one connector for all tenants (a session per tenant costs 10 KB each), with a limit
per host, so that a container that hangs cannot take the connections of the others.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

import aiohttp
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, stop_after_delay
from tenacity.wait import wait_random_exponential

from plugin_bridge.classify import Answer

MAX_ANSWER_BYTES = 1 << 20


class NotConnectedError(Exception):
    """No connection: the container has certainly not seen the request."""


class ConnectionLostError(Exception):
    """The connection broke after the request was sent."""


class NoAnswerError(Exception):
    """No answer in time."""


class Transport(Protocol):
    """Post bytes to a container."""

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float
    ) -> Answer:
        """Post once and read the answer.

        Raises NotConnectedError, ConnectionLostError, NoAnswerError.
        """


class AiohttpTransport:
    """Transport on aiohttp. Never follows redirects, keeps no cookies."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float
    ) -> Answer:
        """Post, trying again at once only what certainly did not arrive."""
        # Layer one of three: connection faults inside the lease, at most 3 tries and 2 s.
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(NotConnectedError),
            stop=stop_after_attempt(3) | stop_after_delay(2),
            wait=wait_random_exponential(multiplier=0.05, max=0.5),
            reraise=True,
        ):
            with attempt:
                return await self._post_once(url, body, headers, timeout_s)
        raise AssertionError("tenacity ends by returning or raising")

    async def _post_once(
        self, url: str, body: bytes, headers: Mapping[str, str], timeout_s: float
    ) -> Answer:
        try:
            async with self._session.post(
                url,
                data=body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(timeout_s, 5)),
            ) as response:
                return Answer(
                    status=response.status,
                    body=await _read_bounded(response),
                    retry_after=response.headers.get("Retry-After"),
                )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as exc:
            raise NotConnectedError(type(exc).__name__) from exc
        except TimeoutError as exc:
            raise NoAnswerError(f"no answer in {timeout_s} s") from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise ConnectionLostError(type(exc).__name__) from exc


def open_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """Make the socket for one address that a URL led to. Raises OSError for a link-local one.

    The metadata services of clouds live there and hand out the machine's own credentials. Checked
    at the last moment: a name may point elsewhere than it did at registration, and a literal
    address in a URL is asked of no resolver.
    """
    family, kind, protocol, _, target = address
    if _is_link_local(str(target[0])):
        raise OSError(f"{target[0]} is a link-local address")
    return socket.socket(family=family, type=kind, proto=protocol)


def _is_link_local(host: str) -> bool:
    address = ipaddress.ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_link_local


@asynccontextmanager
async def open_transport(*, per_host: int) -> AsyncIterator[AiohttpTransport]:
    """Open the keep-alive pools."""
    connector = aiohttp.TCPConnector(
        limit=0, limit_per_host=per_host, socket_factory=open_socket, keepalive_timeout=60
    )
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept-Encoding"),
    ) as session:
        yield AiohttpTransport(session)


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            # An endless answer would hold the connection; its status is all that is needed.
            response.close()
            return b""
    return bytes(body)
