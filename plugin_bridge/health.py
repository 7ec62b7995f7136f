"""Asks a container whether it is well. On connections of its own: a container that holds all of its
delivery connections can still be asked.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec

from plugin_bridge.transport import open_socket

TIMEOUT_S = 5.0


class HealthAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How a container did. `detail` says why not, in one line."""

    well: bool
    took_s: float
    detail: str = ""


class HealthProbe:
    """GETs health URLs."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def __call__(self, url: str) -> HealthAnswer:
        """Ask once. Never raises for what the container does.

        Anything below 500 counts as well: a container without that page still answers.
        """
        started = time.perf_counter()
        try:
            async with self._session.get(url, allow_redirects=False) as response:
                well, detail = response.status < 500, f"HTTP {response.status}"
        except TimeoutError:
            well, detail = False, f"no answer in {TIMEOUT_S:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            well, detail = False, type(exc).__name__
        return HealthAnswer(well=well, took_s=time.perf_counter() - started, detail=detail)


@asynccontextmanager
async def open_health_probe() -> AsyncIterator[HealthProbe]:
    """Open the probe's own connections."""
    connector = aiohttp.TCPConnector(limit=32, socket_factory=open_socket, keepalive_timeout=90)
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        headers={"User-Agent": "channel-gateway/1"},
    ) as session:
        yield HealthProbe(session)
