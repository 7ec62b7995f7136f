"""Asks a container whether it is well. On connections of its own: a container that holds all of its
delivery connections can still be asked.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
import msgspec

from gateway.core.errors import StoreError
from gateway.core.tenants import Endpoint
from plugin_bridge.bridge import Open
from plugin_bridge.direct.mode import authorization
from plugin_bridge.transport import open_socket
from plugin_bridge.wire import PROTOCOL_VERSION

TIMEOUT_S = 5.0
_MAX_PAGE_BYTES: Final = 64 * 1024


class HealthAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How a container did. `detail` says why not, in one line. `speaks` when the page is that of
    somebody who speaks our version of the agent protocol.
    """

    well: bool
    took_s: float
    detail: str = ""
    speaks: bool = False


class _Page(msgspec.Struct, frozen=True):
    """What a health page may say; `protocol` is the newest version that the container speaks."""

    protocol: int | None = None


class HealthProbe:
    """GETs health URLs."""

    def __init__(self, session: aiohttp.ClientSession, open_token: Open = str) -> None:
        self._session = session
        self._open_token = open_token

    async def __call__(self, url: str) -> HealthAnswer:
        """Ask a page of the agent protocol once. Never raises for what the container does.

        Anything below 500 counts as well: a container without that page still answers. Not so a
        page that names an older protocol than ours: what we send would be misread.
        """
        started = time.perf_counter()
        status, page, detail = await self._get(url, {})
        spoken = _protocol(page) if status == 200 else None
        well, speaks = 0 < status < 500, spoken is not None
        if spoken is not None and spoken < PROTOCOL_VERSION:
            well = speaks = False
            detail = (
                f"the container speaks version {spoken} of the agent protocol, the gateway version "
                f"{PROTOCOL_VERSION}: update its plugin"
            )
        took_s = time.perf_counter() - started
        return HealthAnswer(well=well, took_s=took_s, detail=detail, speaks=speaks)

    async def direct(self, endpoint: Endpoint) -> HealthAnswer:
        """Ask OpenClaw's own surface whether it is ready, switched on, and lets us in; no turn is
        run for it. Never raises.

        https://docs.openclaw.ai/gateway/openai-http-api (GET /v1/models)
        """
        started = time.perf_counter()
        base = "" if endpoint.direct is None else endpoint.direct.url.rstrip("/")
        try:
            headers = authorization(endpoint, self._open_token)
        except StoreError as exc:
            # One tenant's: it must not end the looking after all others.
            return HealthAnswer(well=False, took_s=0.0, detail=str(exc))
        detail = ""
        # Models are listed before routes of plugins are there, so readiness is asked first.
        for path, sent in (("/readyz", {}), ("/v1/models", headers)):
            status, page, said = await self._get(f"{base}{path}", sent)
            detail = f"{path}: {said}"
            if status != 200 or not _is_json_object(page):
                took_s = time.perf_counter() - started
                return HealthAnswer(well=False, took_s=took_s, detail=detail)
        return HealthAnswer(well=True, took_s=time.perf_counter() - started, detail=detail)

    async def _get(self, url: str, headers: Mapping[str, str]) -> tuple[int, bytes, str]:
        """Give status, page and status in words; status 0 when there was no answer."""
        try:
            async with self._session.get(url, headers=headers, allow_redirects=False) as response:
                page = bytearray()
                async for chunk in response.content.iter_chunked(_MAX_PAGE_BYTES):
                    page += chunk
                    if len(page) > _MAX_PAGE_BYTES:
                        break
                return response.status, bytes(page), f"HTTP {response.status}"
        except TimeoutError:
            return 0, b"", f"no answer in {TIMEOUT_S:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            return 0, b"", type(exc).__name__


@asynccontextmanager
async def open_health_probe(open_token: Open = str) -> AsyncIterator[HealthProbe]:
    """Open the probe's own connections. `open_token` opens sealed tokens."""
    connector = aiohttp.TCPConnector(limit=32, socket_factory=open_socket, keepalive_timeout=90)
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        headers={"User-Agent": "channel-gateway/1"},
    ) as session:
        yield HealthProbe(session, open_token)


def _protocol(page: bytes) -> int | None:
    try:
        return msgspec.json.decode(page, type=_Page).protocol
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _is_json_object(page: bytes) -> bool:
    # OpenClaw's web page answers every path that nobody else does, with 200.
    try:
        msgspec.json.decode(page, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True
