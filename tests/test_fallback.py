"""An `auto` tenant without its plugin is spoken to directly, and by the plugin when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import msgspec
import pytest

from gateway.core.audit import AuditAction
from gateway.core.breaker import BreakerPolicy, BreakerState, HealthReport, Sign
from gateway.core.tenants import DirectRoad, Endpoint, Mode, TenantStatus
from gateway.monitor import EndpointMonitor
from gateway.sandbox.openclaw import OpenClawSandbox
from gateway.sandbox.wire import JsonObject
from gateway.store.breakers import BreakerStore
from gateway.store.deliveries import DeliveryStore, Settled
from gateway.store.keys import Pepper
from gateway.store.leases import MONITOR
from gateway.store.tenants import TenantLookup
from gateway.telemetry.metrics import Metrics
from plugin_bridge.health import open_health_probe
from tests.support.queues import ACME, DONE, Queues, open_queues
from tests.support.waiting import eventually

TOKEN = "gateway-token-of-acme"
PLUGIN: JsonObject = {"status": "ok", "protocol": 1}
OLDER: JsonObject = {"status": "ok", "protocol": 0}


@dataclass
class Watch:
    """A monitor over one tenant, whose container is this one."""

    queues: Queues
    openclaw: OpenClawSandbox
    metrics: Metrics = field(default_factory=Metrics)

    @property
    def breakers(self) -> BreakerStore:
        """What is known of the endpoint."""
        return BreakerStore(self.queues.client, 1)

    async def admit(self, **changes: object) -> None:
        """Register the tenant, as provisioning does."""
        endpoint = Endpoint(
            tenant=ACME,
            status=TenantStatus.ACTIVE,
            url=f"{self.openclaw.url}/aegis/v1/events",
            sealed_secrets=(),
            direct=DirectRoad(url=self.openclaw.url),
            sealed_direct_token=TOKEN,
        )
        lookup = TenantLookup(self.queues.client, Pepper(b"pepper"), 1)
        await lookup.put_endpoint(msgspec.structs.replace(endpoint, **changes))

    async def is_direct(self) -> bool:
        """Whether its deliveries take OpenClaw's own surface."""
        endpoint = await self.breakers.endpoint_of(ACME)
        assert endpoint is not None
        return endpoint.goes_direct

    async def switches(self) -> list[tuple[str, str]]:
        """Which way it was sent and why, oldest first, as the audit has it."""
        records = [each.record for each in await self.queues.audit()]
        action = AuditAction.ENDPOINT_SWITCHED
        return [(each.outcome, each.detail) for each in records if each.action is action]

    async def fail(self, sign: Sign) -> None:
        """Let an attempt fail, where one is enough for the breaker."""
        store = DeliveryStore(self.queues.client, 1, breaker=BreakerPolicy(least=1))
        lease = await self.queues.lease()
        await self.queues.accept(ACME, "c", "d")
        [delivery] = (await store.take(lease, 1)).deliveries
        each = Settled(delivery=delivery, settlement=DONE, audit=None, sign=sign)
        assert [ACME] == (await store.settle(lease, [each])).broken
        await self.queues.leases().release(lease)

    def sample(self, name: str, **labels: str) -> float | None:
        """A metric's value."""
        return self.metrics.registry.get_sample_value(f"gateway_{name}", labels)

    async def checked(self, times: int = 2) -> None:
        """Wait until the container was looked at that often from now on."""
        for _ in range(times):
            before = await self.breakers.health_of(ACME)
            await eventually(partial(self._is_newer, before))

    async def _is_newer(self, before: HealthReport | None) -> bool:
        return await self.breakers.health_of(ACME) != before

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look after the endpoint until the block ends."""
        lease = await self.queues.lease(MONITOR)
        async with open_health_probe() as probe:
            monitor = EndpointMonitor(
                lease,
                self.breakers,
                probe,
                self.metrics,
                probe_direct=probe.direct,
                check_every_s=0.05,
            )
            running = asyncio.create_task(monitor.run())
            try:
                yield
            finally:
                monitor.stop()
                await running


@pytest.fixture
async def watch(clean_redis: str) -> AsyncIterator[Watch]:
    """A container with a plugin, and nobody who looks after it yet."""
    async with (
        open_queues(clean_redis) as queues,
        OpenClawSandbox(token=TOKEN, plugin=PLUGIN) as openclaw,
    ):
        yield Watch(queues, openclaw)


@pytest.mark.parametrize(
    ("plugin", "why"),
    [
        (None, "no healthy plugin: HTTP 404"),
        (
            OLDER,
            "no healthy plugin: the container speaks version 0 of the agent protocol, the gateway "
            "version 1: update its plugin",
        ),
    ],
)
async def test_without_a_healthy_plugin_a_tenant_goes_direct_and_back_with_it(
    watch: Watch, plugin: JsonObject | None, why: str
) -> None:
    """Each way once, on record, counted, and told to all replicas."""
    await watch.admit()
    watch.openclaw.plugin = plugin
    async with watch.running():
        await eventually(watch.is_direct)
        await eventually(lambda: watch.sample("endpoints_direct", shard="0") == 1)
        assert [("direct", why)] == await watch.switches()
        endpoint = await watch.breakers.endpoint_of(ACME)
        assert endpoint is not None
        assert endpoint.fallback is not None
        assert why == endpoint.fallback.why

        watch.openclaw.plugin = PLUGIN
        await eventually(lambda: watch.sample("endpoint_switches_total", way="plugin"))
        assert not await watch.is_direct()

    assert [("direct", why), ("plugin", "the plugin is well")] == await watch.switches()
    assert 1 == watch.sample("endpoint_switches_total", way="direct")
    assert 0 == watch.sample("endpoints_direct", shard="0")


async def test_a_container_that_is_down_as_a_whole_has_no_other_way(watch: Watch) -> None:
    """What is for it waits for the plugin, which keeps what it takes."""
    await watch.admit()
    await watch.openclaw.close()
    async with watch.running():
        await watch.checked()

    assert not await watch.is_direct()
    assert [] == await watch.switches()


@pytest.mark.parametrize("trouble", ["off", "token", "starting"])
async def test_a_way_that_leads_nowhere_is_not_taken(watch: Watch, trouble: str) -> None:
    """To fall back must never be worse than to wait."""
    await watch.admit()
    watch.openclaw.plugin = None
    match trouble:
        case "off":
            watch.openclaw.surfaces = set()
        case "token":
            watch.openclaw.token = "another"
        case _:
            watch.openclaw.ready = False
    async with watch.running():
        await watch.checked()

    assert not await watch.is_direct()


@pytest.mark.parametrize(
    ("changes", "direct"),
    [
        ({"mode": Mode.PLUGIN}, False),
        ({"direct": None}, False),
        ({"mode": Mode.DIRECT}, True),
    ],
)
async def test_what_an_operator_has_set_is_not_changed(
    watch: Watch, changes: dict[str, object], direct: bool
) -> None:
    """Only `auto` tenants with a second way are switched."""
    await watch.admit(**changes)
    watch.openclaw.plugin = None
    async with watch.running():
        await watch.checked()

    assert direct is await watch.is_direct()
    assert [] == await watch.switches()


async def test_a_broken_endpoint_is_let_go_the_other_way(watch: Watch) -> None:
    """What its breaker holds does not wait for a plugin that may never come."""
    await watch.admit()
    await watch.fail(Sign.ILL)
    watch.openclaw.plugin = None
    async with watch.running():
        await eventually(watch.is_direct)
        await eventually(lambda: _is_closed(watch))


async def test_an_endpoint_that_said_410_is_left_to_the_operator(watch: Watch) -> None:
    """It wants nothing, by no way."""
    await watch.admit()
    await watch.fail(Sign.GONE)
    watch.openclaw.plugin = None
    async with watch.running():
        await watch.checked()

    assert not await watch.is_direct()
    breaker = await watch.breakers.of(ACME)
    assert breaker is not None
    assert BreakerState.GONE is breaker.state


async def test_the_health_of_a_tenant_is_that_of_its_way(watch: Watch) -> None:
    """An operator reads what counts now."""
    await watch.admit()
    watch.openclaw.plugin = None
    async with watch.running():
        await eventually(watch.is_direct)
        await watch.checked()

    report = await watch.breakers.health_of(ACME)
    assert report is not None
    assert (True, "/v1/models: HTTP 200") == (report.well, report.detail)


async def test_another_setting_does_not_forget_the_way(watch: Watch) -> None:
    """Until the next check every message would go to a plugin that is not there."""
    await watch.admit()
    watch.openclaw.plugin = None
    async with watch.running():
        await eventually(watch.is_direct)

    await watch.admit(timeout_s=7.0)
    assert await watch.is_direct()
    await watch.admit(mode=Mode.PLUGIN)
    assert not await watch.is_direct()
    await watch.admit()
    assert not await watch.is_direct()


async def _is_closed(watch: Watch) -> bool:
    return await watch.breakers.of(ACME) is None
