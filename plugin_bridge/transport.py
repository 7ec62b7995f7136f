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
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
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


class GuardedResolver(AbstractResolver):
    """Refuses link-local addresses: the metadata services of clouds live there."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Resolve `host`. Raises OSError when no address may be used."""
        found = await self._inner.resolve(host, port, family)
        allowed = [each for each in found if not ipaddress.ip_address(each["host"]).is_link_local]
        if not allowed:
            raise OSError(f"{host} resolves to link-local addresses only")
        return allowed

    async def close(self) -> None:
        """Release the inner resolver."""
        await self._inner.close()


@asynccontextmanager
async def open_transport(*, per_host: int) -> AsyncIterator[AiohttpTransport]:
    """Open the keep-alive pools."""
    connector = aiohttp.TCPConnector(
        limit=0, limit_per_host=per_host, resolver=GuardedResolver(), keepalive_timeout=60
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
