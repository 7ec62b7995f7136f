"""What operators and orchestrators ask: is it alive, is it ready, how does it do?

/healthz says that the process answers. /readyz names everything that is not ready. /metrics is for
Prometheus; it has no place on the agents' listener.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from aiohttp import web

from gateway.telemetry.metrics import CONTENT_TYPE, Metrics

HealthOfAll = Callable[[], Mapping[str, str | None]]


class Ops:
    """Handlers of the operators' listener."""

    def __init__(self, health: HealthOfAll, metrics: Metrics) -> None:
        self._health = health
        self._metrics = metrics

    def application(self) -> web.Application:
        """Make the aiohttp application."""
        app = web.Application(client_max_size=1024)
        app.router.add_get("/healthz", self.healthz)
        app.router.add_get("/readyz", self.readyz)
        app.router.add_get("/metrics", self.metrics)
        return app

    async def healthz(self, _request: web.Request) -> web.Response:
        """Answer 200 while the process can answer at all."""
        return web.json_response({"ok": True})

    async def readyz(self, _request: web.Request) -> web.Response:
        """Answer 200, or 503 with `not_ready` naming each part and its trouble."""
        trouble = {name: why for name, why in self._health().items() if why is not None}
        return web.Response(
            body=msgspec.json.encode({"ready": not trouble, "not_ready": trouble}),
            status=503 if trouble else 200,
            content_type="application/json",
        )

    async def metrics(self, _request: web.Request) -> web.Response:
        """Answer a scrape."""
        return web.Response(body=self._metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})
