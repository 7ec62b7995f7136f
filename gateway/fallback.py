"""Which way the deliveries of `auto` tenants go: to the plugin, or direct while that is away.

Decided by whoever monitors the shard, stored for all. Falls back only on proof: the plugin's page
is not there, and OpenClaw itself is ready and lets us in. A container that is down as a whole has
no other way; what is for it waits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from gateway.core.clock import unix_ms
from gateway.core.tenants import Endpoint, Fallback
from gateway.store.breakers import BreakerStore
from gateway.telemetry.metrics import Metrics
from plugin_bridge.health import HealthAnswer

log = structlog.get_logger()

Ask = Callable[[Endpoint], Awaitable[HealthAnswer]]


class Ways:
    """Switches tenants over and back."""

    def __init__(
        self, breakers: BreakerStore, ask_plugin: Ask, ask_direct: Ask, metrics: Metrics
    ) -> None:
        self._breakers = breakers
        self._ask_plugin = ask_plugin
        self._ask_direct = ask_direct
        self._metrics = metrics

    async def review(self, endpoint: Endpoint, answer: HealthAnswer) -> bool:
        """Switch the tenant if its other way is the better one now; `answer` is what its present
        one has just said. Gives whether it was switched. Raises StoreError.
        """
        if not endpoint.may_fall_back:
            return False
        if endpoint.fallback is not None:
            return await self._back(endpoint)
        return not answer.well and await self._over(endpoint, answer)

    async def _over(self, endpoint: Endpoint, answer: HealthAnswer) -> bool:
        if not (await self._ask_direct(endpoint)).well:
            return False
        # Once more: the container may have come up between the two questions.
        if (await self._ask_plugin(endpoint)).well:
            return False
        why = f"no healthy plugin: {answer.detail}"
        return await self._switch(endpoint, Fallback(since_ms=unix_ms(), why=why), why)

    async def _back(self, endpoint: Endpoint) -> bool:
        if not (await self._ask_plugin(endpoint)).well:
            return False
        return await self._switch(endpoint, None, "the plugin is well")

    async def _switch(self, endpoint: Endpoint, fallback: Fallback | None, why: str) -> bool:
        if not await self._breakers.switch(endpoint.tenant, fallback, why=why):
            return False
        way = "plugin" if fallback is None else "direct"
        self._metrics.endpoint_switches.labels(way).inc()
        log.warning("endpoint.switched", tenant_id=endpoint.tenant, way=way, why=why)
        return True
