"""The listener that platforms call. Apart from the agents' own, so that whoever opens this one to
the internet opens nothing else with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack

from aiohttp import web

from gateway.web.server import Address, listening

MAX_BODY_BYTES = 1024 * 1024


class PublicListener:
    """Serves the routes of platforms' webhooks; each verifies its requests by itself."""

    def __init__(self, routes: Iterable[web.AbstractRouteDef], address: Address) -> None:
        self._app = web.Application(client_max_size=MAX_BODY_BYTES)
        self._app.add_routes(routes)
        self._address = address
        self._stack = AsyncExitStack()

    async def open(self) -> str:
        """Listen, and return the address. Raises ConfigError."""
        port = await self._stack.enter_async_context(listening(self._app, self._address))
        return f"http://{self._address.host}:{port}"

    async def run(self) -> None:
        """Stay open until cancelled; then requests under way come to their end first."""
        try:
            await asyncio.Event().wait()
        finally:
            await self.close()

    async def close(self) -> None:
        """Stop listening. May be called again."""
        await self._stack.aclose()
