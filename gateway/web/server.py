"""Runs an aiohttp application on one address."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from gateway.core.errors import ConfigError

IDLE_FOR_S = 60.0
"""Until a connection that asks nothing is closed, or one whose first request never gets complete:
aiohttp's own hour would let anybody hold them all.
"""

LINGER_FOR_S = 2.0
"""For how long the rest of a refused body is read, so that the refusal can be."""


@asynccontextmanager
async def listening(
    app: web.Application, host: str, port: int, *, setting: str
) -> AsyncIterator[int]:
    """Serve until the block ends; gives the port (of interest when `port` is 0).

    On leaving, running requests get 5 s to end. Raises ConfigError when it cannot listen.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=5.0,
        keepalive_timeout=IDLE_FOR_S,
        lingering_time=LINGER_FOR_S,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, reuse_address=True)
        try:
            await site.start()
        except OSError as exc:
            raise ConfigError(f"{setting}: cannot listen on {host}:{port}: {exc.strerror}") from exc
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
