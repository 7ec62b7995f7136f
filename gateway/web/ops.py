"""What operators and orchestrators ask: is it alive, is it ready, how does it do?

/healthz says that the process answers, and its workers if it has any. /readyz names everything that
is not ready. /metrics is for Prometheus; it has no place on the agents' listener.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import msgspec
from aiohttp import web

from gateway.telemetry.metrics import CONTENT_TYPE

HealthOfAll = Callable[[], Mapping[str, str | None]]
Scrape = Callable[[], Awaitable[bytes]]


class Ops:
    """Handlers of the operators' listener."""

    def __init__(self, health: HealthOfAll, scrape: Scrape, life: HealthOfAll = dict) -> None:
        """`life` names processes of which each must answer, where there are more than this one."""
        self._health = health
        self._scrape = scrape
        self._life = life

    def application(self) -> web.Application:
        """Make the aiohttp application."""
        app = web.Application(client_max_size=1024)
        app.router.add_get("/healthz", self.healthz)
        app.router.add_get("/readyz", self.readyz)
        app.router.add_get("/metrics", self.metrics)
        return app

    async def healthz(self, _request: web.Request) -> web.Response:
        """Answer 200 while the process can answer at all; 503 naming others that do not."""
        if dead := _troubled(self._life()):
            return web.json_response({"ok": False, "not_alive": dead}, status=503)
        return web.json_response({"ok": True})

    async def readyz(self, _request: web.Request) -> web.Response:
        """Answer 200, or 503 with `not_ready` naming each part and its trouble."""
        trouble = _troubled(self._health())
        return web.Response(
            body=msgspec.json.encode({"ready": not trouble, "not_ready": trouble}),
            status=503 if trouble else 200,
            content_type="application/json",
        )

    async def metrics(self, _request: web.Request) -> web.Response:
        """Answer a scrape."""
        return web.Response(body=await self._scrape(), headers={"Content-Type": CONTENT_TYPE})


def _troubled(parts: Mapping[str, str | None]) -> dict[str, str]:
    return {name: why for name, why in parts.items() if why is not None}
