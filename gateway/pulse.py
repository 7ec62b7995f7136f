"""Takes the gateway's pulse: do the stores answer, and how late does the loop run?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from gateway.core.errors import StoreError
from gateway.telemetry.metrics import Metrics

EVERY_S = 2.0
LAG_PROBE_S = 0.1

Probe = Callable[[], Awaitable[object]]
"""Returns when the store answers. Raises StoreError."""


class Pulse:
    """Asks every store on a fixed interval; readiness is what they answered last."""

    def __init__(self, probes: Mapping[str, Probe], metrics: Metrics) -> None:
        self._probes = probes
        self._metrics = metrics
        self._trouble: dict[str, str | None] = dict.fromkeys(probes)

    def health(self) -> dict[str, str | None]:
        """Per store: None, or its last fault."""
        return dict(self._trouble)

    async def run(self) -> None:
        """Probe until cancelled."""
        while True:
            await self._measure_lag()
            await asyncio.gather(*(self._ask(name) for name in self._probes))
            await asyncio.sleep(EVERY_S)

    async def _ask(self, name: str) -> None:
        try:
            await self._probes[name]()
        except StoreError as exc:
            self._metrics.store_errors.labels(name).inc()
            self._trouble[name] = str(exc)
        else:
            self._trouble[name] = None

    async def _measure_lag(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + LAG_PROBE_S
        await asyncio.sleep(LAG_PROBE_S)
        self._metrics.event_loop_lag.set(max(loop.time() - due, 0.0))
