"""Looks after the endpoints of one shard: checks their health, closes breakers that may close, and
lets those whose plugin is away be spoken to directly.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from gateway.core.breaker import BreakerState, HealthReport
from gateway.core.clock import unix_ms
from gateway.core.ids import TenantId
from gateway.core.retry import Jitter
from gateway.core.tenants import Endpoint, TenantStatus
from gateway.fallback import Ways
from gateway.store.breakers import BreakerStore
from gateway.store.leases import Lease
from gateway.telemetry.metrics import Metrics
from plugin_bridge.health import HealthAnswer

log = structlog.get_logger()

TICK_S = 0.5
CHECK_EVERY_S = 30.0
AT_ONCE = 8
FIRST_PROBE_S, LONGEST_PROBE_S = 0.5, 30.0

Probe = Callable[[str], Awaitable[HealthAnswer]]
ProbeDirect = Callable[[Endpoint], Awaitable[HealthAnswer]]


async def unreachable(_endpoint: Endpoint) -> HealthAnswer:
    """Know no way but the plugins'."""
    return HealthAnswer(well=False, took_s=0.0, detail="there is no direct mode here")


class EndpointMonitor:
    """Worker of the role `monitor`."""

    def __init__(
        self,
        lease: Lease,
        breakers: BreakerStore,
        probe: Probe,
        metrics: Metrics,
        *,
        probe_direct: ProbeDirect = unreachable,
        check_every_s: float = CHECK_EVERY_S,
        jitter: Jitter = random.uniform,
    ) -> None:
        self._shard = lease.shard
        self._breakers = breakers
        self._probe = probe
        self._probe_direct = probe_direct
        self._metrics = metrics
        self._check_every_s = check_every_s
        self._jitter = jitter
        self._ways = Ways(breakers, self._ask_plugin, self._ask_direct, metrics)
        self._stopping = asyncio.Event()
        self._waits_s: dict[TenantId, float] = {}
        self._due_s: dict[TenantId, float] = {}
        # Apart: whoever waits for a breaker to close does not wait behind a sweep over endpoints
        # that hang.
        self._checks, self._probes = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(AT_ONCE)

    def wake(self) -> None:
        """Endpoints are looked after by the clock: nothing to be woken for."""

    def stop(self) -> None:
        """Return from `run` soon."""
        self._stopping.set()

    async def run(self) -> None:
        """Look after the endpoints until `stop`. Raises StoreError."""
        loops = [asyncio.create_task(each()) for each in (self._keep_probing, self._keep_checking)]
        try:
            await asyncio.wait(loops, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in loops:
                each.cancel()
            ends = await asyncio.gather(*loops, return_exceptions=True)
            self._withdraw()
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def _keep_probing(self) -> None:
        while not self._stopping.is_set():
            await self._probe_broken()
            await self._rest(TICK_S * self._jitter(0.8, 1.2))

    async def _keep_checking(self) -> None:
        # Spread, so that a restart does not ask every container at the same moment.
        await self._rest(self._jitter(0.0, self._check_every_s / 10))
        while not self._stopping.is_set():
            await self._check_all()
            await self._rest(self._check_every_s * self._jitter(0.8, 1.2))

    def _withdraw(self) -> None:
        # The next owner of the shard says how its endpoints do: two that say it count them twice.
        shard = str(self._shard.number)
        for state in BreakerState:
            self._metrics.breaker_state.labels(state, shard).set(0)
        for health in ("ill", "well"):
            self._metrics.endpoints.labels(health, shard).set(0)
        self._metrics.endpoints_direct.labels(shard).set(0)

    async def _probe_broken(self) -> None:
        broken = await self._breakers.not_closed(self._shard)
        shard = str(self._shard.number)
        for state in BreakerState:
            count = sum(each.state is state for each in broken.values())
            self._metrics.breaker_state.labels(state, shard).set(count)
        opened = {tenant for tenant, each in broken.items() if each.state is BreakerState.OPEN}
        for tenant in set(self._waits_s) - opened:
            del self._waits_s[tenant], self._due_s[tenant]
        due = [tenant for tenant in opened if self._is_due(tenant)]
        if due:
            endpoints = {each.tenant: each for each in await self._breakers.endpoints(self._shard)}
            await asyncio.gather(
                *(self._probe_one(tenant, endpoints.get(tenant)) for tenant in due)
            )

    def _is_due(self, tenant: TenantId) -> bool:
        if tenant not in self._waits_s:
            self._wait(tenant, FIRST_PROBE_S)
        return time.monotonic() >= self._due_s[tenant]

    def _wait(self, tenant: TenantId, wait_s: float) -> None:
        self._waits_s[tenant] = min(wait_s, LONGEST_PROBE_S)
        self._due_s[tenant] = time.monotonic() + self._waits_s[tenant]

    async def _probe_one(self, tenant: TenantId, endpoint: Endpoint | None) -> None:
        if endpoint is None:
            await self._close(tenant, "the endpoint is gone")
            return
        async with self._probes:
            answer = await self._ask(endpoint)
            is_switched = await self._ways.review(endpoint, answer)
        if is_switched:
            await self._close(tenant, "there is another way")
        elif answer.well:
            await self._close(tenant, "the health page answers")
        else:
            self._wait(tenant, self._waits_s[tenant] * 2)

    async def _close(self, tenant: TenantId, why: str) -> None:
        if await self._breakers.close(tenant, why=why):
            self._metrics.breaker_changes.labels("closed").inc()
            log.info("breaker.closed", tenant_id=tenant)

    async def _check_all(self) -> None:
        endpoints = await self._breakers.endpoints(self._shard)
        active = [each for each in endpoints if each.status is TenantStatus.ACTIVE]
        answers = await asyncio.gather(*(self._check(endpoint) for endpoint in active))
        ill = sum(not answer.well for answer in answers)
        shard = str(self._shard.number)
        direct = sum(each.goes_direct for each in await self._breakers.endpoints(self._shard))
        self._metrics.endpoints_direct.labels(shard).set(direct)
        self._metrics.endpoints.labels("ill", shard).set(ill)
        self._metrics.endpoints.labels("well", shard).set(len(answers) - ill)

    async def _check(self, endpoint: Endpoint) -> HealthAnswer:
        async with self._checks:
            answer = await self._ask(endpoint)
            # Whom a breaker holds is looked after by its probes, and who is gone is an operator's.
            if endpoint.may_fall_back and await self._breakers.of(endpoint.tenant) is None:
                await self._ways.review(endpoint, answer)
        return answer

    async def _ask_plugin(self, endpoint: Endpoint) -> HealthAnswer:
        answer = await self._probe(endpoint.health_url)
        # Where there is another way, somebody else's page is not good enough.
        well = answer.speaks if endpoint.may_fall_back else answer.well
        return msgspec.structs.replace(answer, well=well)

    async def _ask_direct(self, endpoint: Endpoint) -> HealthAnswer:
        return await self._probe_direct(endpoint)

    async def _ask(self, endpoint: Endpoint) -> HealthAnswer:
        ask = self._ask_direct if endpoint.goes_direct else self._ask_plugin
        answer = await ask(endpoint)
        report = HealthReport(
            well=answer.well,
            detail=answer.detail,
            took_ms=round(answer.took_s * 1000),
            checked_at_ms=unix_ms(),
        )
        await self._breakers.report(endpoint.tenant, report)
        return answer

    async def _rest(self, for_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(for_s):
                await self._stopping.wait()
