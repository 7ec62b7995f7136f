"""Transport on aiohttp: the one that goes through the proxies of the environment.

One session and one connector for all tenants (a session per tenant costs 10 KB each), with a limit
per host, so that a container that hangs cannot take the connections of the others.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from plugin_bridge.classify import Answer
from plugin_bridge.retrying import with_retries
from plugin_bridge.transport import (
    CONNECT_TIMEOUT_S,
    KEEPALIVE_S,
    MAX_ANSWER_BYTES,
    ConnectionLostError,
    NoAnswerError,
    NotConnectedError,
    open_socket,
    refuse_link_local,
)


class AiohttpTransport:
    """Posts on one session, through the proxy for the URL's scheme if there is one."""

    def __init__(self, session: aiohttp.ClientSession, proxies: Mapping[str, str]) -> None:
        self._session = session
        self._proxies = dict(proxies)

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float
    ) -> Answer:
        """Post, trying again at once only what certainly did not arrive."""
        return await with_retries(partial(self._post_once, url, body, headers, timeout_s))

    async def _post_once(
        self, url: str, body: bytes, headers: Mapping[str, str], timeout_s: float
    ) -> Answer:
        connect_s = min(timeout_s, CONNECT_TIMEOUT_S)
        try:
            async with self._session.post(
                url,
                data=body,
                headers=headers,
                allow_redirects=False,
                proxy=self._proxy_for(url) if self._proxies else None,
                timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=connect_s),
            ) as response:
                if response.status < 200:
                    raise ConnectionLostError("a switch of protocols that nobody asked for")
                return Answer(
                    status=response.status,
                    body=await _read_bounded(response),
                    retry_after=response.headers.get("Retry-After"),
                )
        except (
            aiohttp.ClientConnectorError,
            aiohttp.ClientHttpProxyError,
            aiohttp.ConnectionTimeoutError,
            aiohttp.InvalidURL,
            UnicodeError,  # a name that can be none, when it comes to resolving it
        ) as exc:
            raise NotConnectedError(type(exc).__name__) from exc
        except TimeoutError as exc:
            raise NoAnswerError(f"no answer in {timeout_s} s") from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise ConnectionLostError(type(exc).__name__) from exc

    def _proxy_for(self, url: str) -> str | None:
        try:
            parts = urlsplit(url)
        except ValueError as exc:
            raise NotConnectedError("the URL cannot be read") from exc
        host = parts.hostname or ""
        proxy = self._proxies.get(parts.scheme)
        if proxy is None or proxy_bypass(host):
            return None
        _refuse_link_local_literal(host)
        return proxy


def _refuse_link_local_literal(host: str) -> None:
    # A proxy connects in our place, so no socket of ours is asked. What a name means is its affair.
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return
    try:
        refuse_link_local(host)
    except OSError as exc:
        raise NotConnectedError(str(exc)) from exc


@asynccontextmanager
async def open_aiohttp_transport(
    *, per_host: int, tls: ssl.SSLContext
) -> AsyncIterator[AiohttpTransport]:
    """Open the keep-alive pools, with the proxies that the environment names now."""
    connector = aiohttp.TCPConnector(
        limit=0,
        limit_per_host=per_host,
        socket_factory=open_socket,
        keepalive_timeout=KEEPALIVE_S,
        ssl=tls,
    )
    # Not `trust_env`: it would also send what ~/.netrc says to the containers, and it asks two
    # threads for every post.
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept-Encoding"),
    ) as session:
        yield AiohttpTransport(session, getproxies())


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            # An endless answer would hold the connection; its status is all that is needed.
            response.close()
            return b""
    return bytes(body)
