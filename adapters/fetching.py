"""Bytes from and to a platform's file servers: the one guarded way out for URLs that others chose.

A URL in an event, in an answer or in a redirect is a stranger's word. It is followed only to the
hosts that the adapter names, only over https, only to public addresses (the very ones that were
checked), never further than a few redirects, never for more bytes or longer than allowed. Never
shows a token to a host that need not see it, and never names a URL in an error: it may hold one.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from adapters.file_hosts import HostRules
from adapters.public_addresses import ForbiddenAddressError, PublicResolver
from gateway.core.deliveries import Reason
from gateway.core.errors import SendError

MAX_REDIRECTS: Final = 3
PIECE_BYTES: Final = 64 * 1024
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_WIRE_ERRORS: Final = (aiohttp.ClientError, TimeoutError, OSError)
# Nothing that two parsers could read in two ways, and no line break.
_URL: Final = re.compile(r"[\x21-\x5b\x5d-\x7e]{1,8192}")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a transfer may take: in all, to get a connection, and between two pieces."""

    total_s: float = 300.0
    connect_s: float = 10.0
    silence_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that has begun to come. `content` raises SendError when it does not come to its end,
    or not within the limit.
    """

    url: URL
    media_type: str
    size_bytes: int | None
    content: AsyncIterator[bytes]


class Fetcher:
    """Fetches and uploads within the rules of one platform."""

    def __init__(
        self,
        rules: HostRules,
        *,
        patience: Patience | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """`resolver` answers what a name's addresses are; the system's does by default."""
        self._rules = rules
        self._patience = patience or Patience()
        self._resolver = resolver

    @asynccontextmanager
    async def get(
        self, address: str, *, max_bytes: int, token: str | None = None
    ) -> AsyncIterator[Fetched]:
        """Begin to fetch a file; it is over when the block ends. Raises SendError."""
        async with self._session() as session:
            url = self._checked(address)
            for _ in range(1 + MAX_REDIRECTS):
                async with self._request(session, "GET", url, token) as response:
                    if response.status not in _REDIRECTS:
                        yield _fetched(response, max_bytes)
                        return
                    url = self._checked(response.headers.get("Location", ""), base=url)
        raise _refused("more redirects than are followed")

    async def post(self, address: str, content: AsyncIterator[bytes], *, size_bytes: int) -> None:
        """Upload exactly `size_bytes` of `content`, without a token and without redirects.

        What `content` raises goes through. Raises SendError; nothing is posted by an upload alone,
        so none is ambiguous.
        """
        body = _Body(content, size_bytes)
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(size_bytes),
        }
        url = self._checked(address)
        async with self._session() as session:
            try:
                async with self._request(session, "POST", url, None, headers, body) as response:
                    if response.status != 200:
                        raise _status_error(response)
            finally:
                # aiohttp reports a body that failed as a connection that did.
                if body.failure is not None:
                    raise body.failure from None

    def _checked(self, address: str, base: URL | None = None) -> URL:
        try:
            url = URL(address, encoded=True) if _URL.fullmatch(address) else URL()
            url = base.join(url) if base is not None and address else url
            port = url.port
        except ValueError as exc:
            raise _refused("the URL cannot be read") from exc
        if not url.host or port is None or not self._rules.allows(url):
            raise _refused(f"{(url.host or 'nothing')[:100]} is no file server of the platform")
        return url

    def _session(self) -> aiohttp.ClientSession:
        # One for each transfer: files are few and large, and no connection outlives its check.
        connector = aiohttp.TCPConnector(
            resolver=PublicResolver(self._rules.is_origin, self._resolver), use_dns_cache=False
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            # A few bytes could unpack to gigabytes: what is packed although we asked for plain
            # bytes is refused instead.
            auto_decompress=False,
            read_bufsize=PIECE_BYTES,
            timeout=aiohttp.ClientTimeout(
                total=self._patience.total_s,
                connect=self._patience.connect_s,
                sock_read=self._patience.silence_s,
            ),
        )

    @asynccontextmanager
    async def _request(
        self,
        session: aiohttp.ClientSession,
        verb: str,
        url: URL,
        token: str | None,
        headers: Mapping[str, str] | None = None,
        body: _Body | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        sent = {"Accept-Encoding": "identity", **(headers or {})}
        if token is not None and self._rules.may_see_token(url):
            sent["Authorization"] = f"Bearer {token}"
        data = None if body is None else body.pieces()
        asked = session.request(verb, url, headers=sent, data=data, allow_redirects=False)
        async with await _answer(asked) as response:
            yield response


class _Body:
    """What is uploaded: as many bytes as were announced, or a failure that is remembered."""

    def __init__(self, content: AsyncIterator[bytes], size_bytes: int) -> None:
        self._content = content
        self._size_bytes = size_bytes
        self.failure: Exception | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._exactly():
                yield piece
        except Exception as exc:
            self.failure = exc
            raise

    async def _exactly(self) -> AsyncIterator[bytes]:
        left = self._size_bytes
        async for piece in self._content:
            left -= len(piece)
            if left < 0:
                break
            yield piece
        if left:
            detail = "the file is not as long as was announced"
            raise SendError(Reason.GATEWAY_FAULT, detail, permanent=True)


async def _answer(asked: Awaitable[aiohttp.ClientResponse]) -> aiohttp.ClientResponse:
    # Only the asking: what goes wrong while the caller reads is not the connection's fault alone.
    try:
        return await asked
    except aiohttp.ClientConnectorError as exc:
        if isinstance(exc.os_error, ForbiddenAddressError):
            raise _refused("the file server has an address that is not public") from exc
        raise _unreachable(exc) from exc
    except _WIRE_ERRORS as exc:
        raise _unreachable(exc) from exc


def _fetched(response: aiohttp.ClientResponse, max_bytes: int) -> Fetched:
    if response.status != 200:
        raise _status_error(response)
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise _refused("the file came packed although plain bytes were asked for")
    size_bytes = response.content_length
    if size_bytes is not None and size_bytes > max_bytes:
        raise too_large()
    return Fetched(
        url=response.url,
        media_type=response.content_type,
        size_bytes=size_bytes,
        content=_content(response, max_bytes),
    )


async def _content(response: aiohttp.ClientResponse, max_bytes: int) -> AsyncIterator[bytes]:
    left = max_bytes
    try:
        async for piece in response.content.iter_chunked(PIECE_BYTES):
            left -= len(piece)
            if left < 0:
                raise too_large()
            yield piece
    except _WIRE_ERRORS as exc:
        # A connection that ends before the announced length does too: half a file is none.
        raise _unreachable(exc) from exc


def too_large() -> SendError:
    """Make the fault of a file that is larger than is allowed."""
    return SendError(Reason.PLATFORM_REJECTED, "the file is too large", permanent=True)


def _status_error(response: aiohttp.ClientResponse) -> SendError:
    status, detail = response.status, f"HTTP {response.status}"
    if status == 429:
        wait = response.headers.get("Retry-After", "")
        seconds = float(wait) if re.fullmatch(r"[0-9]{1,6}", wait) else 1.0
        return SendError(Reason.PLATFORM_RATE_LIMITED, detail, retry_after_s=seconds)
    if status >= 500 or status == 408:
        return SendError(Reason.PLATFORM_ERROR, detail)
    return SendError(Reason.PLATFORM_REJECTED, detail, permanent=True)


def _refused(detail: str) -> SendError:
    return SendError(Reason.PLATFORM_REJECTED, detail, permanent=True)


def _unreachable(exc: Exception) -> SendError:
    return SendError(Reason.PLATFORM_UNREACHABLE, type(exc).__name__)
