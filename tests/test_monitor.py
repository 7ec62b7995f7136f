"""The monitor asks containers how they are, closes breakers, and counts no shard but its own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from gateway.core.breaker import BreakerPolicy, BreakerState, Sign
from gateway.core.ids import TenantId
from gateway.core.retry import Jitter
from gateway.core.tenants import TenantStatus
from gateway.monitor import CHECK_EVERY_S, EndpointMonitor
from gateway.sandbox.wire import LoopbackServer
from gateway.store.breakers import BreakerStore
from gateway.store.connection import run
from gateway.store.deliveries import DeliveryStore, Settled
from gateway.store.keys import Shard
from gateway.store.leases import MONITOR
from gateway.telemetry.metrics import Metrics
from plugin_bridge.health import open_health_probe
from tests.support.queues import ACME, DONE, GLOBEX, INITECH, Queues, open_queues
from tests.support.waiting import eventually


@dataclass
class Container:
    """A health page that answers as it is told."""

    status: int = 200
    asked: int = 0
    url: str = ""
    is_waited_for: bool = False
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def health(self, _request: web.Request) -> web.Response:
        self.asked += 1
        self.is_waited_for = True
        try:
            await self.answers.wait()
        finally:
            self.is_waited_for = False
        return web.Response(status=self.status)


@asynccontextmanager
async def open_container(status: int = 200) -> AsyncIterator[Container]:
    """A container that listens."""
    container = Container(status)
    container.answers.set()
    app = web.Application(handler_args={"handler_cancellation": True})
    app.router.add_get("/channel/health", container.health)
    server = LoopbackServer(app)
    port = await server.start("127.0.0.1", 0)
    container.url = f"http://127.0.0.1:{port}/channel/events"
    try:
        yield container
    finally:
        await server.close()


@dataclass
class Watch:
    """A monitor that runs on the only shard."""

    queues: Queues
    breakers: BreakerStore
    metrics: Metrics = field(default_factory=Metrics)

    async def open_breaker(self, tenant: TenantId, sign: Sign = Sign.ILL) -> None:
        """Let an attempt fail, where one is enough."""
        store = DeliveryStore(self.queues.client, 1, breaker=BreakerPolicy(least=1))
        lease = await self.queues.lease()
        await self.queues.accept(tenant, "c", "d")
        [delivery] = (await store.take(lease, 1)).deliveries
        each = Settled(delivery=delivery, settlement=DONE, audit=None, sign=sign)
        assert [tenant] == (await store.settle(lease, [each])).broken
        await self.queues.leases().release(lease)

    @asynccontextmanager
    async def running(
        self, *, check_every_s: float = CHECK_EVERY_S, jitter: Jitter = random.uniform
    ) -> AsyncIterator[EndpointMonitor]:
        """Look after the endpoints until the block ends, then stop in order."""
        lease = await self.queues.lease(MONITOR)
        async with open_health_probe() as probe:
            monitor = EndpointMonitor(
                lease,
                self.breakers,
                probe,
                self.metrics,
                check_every_s=check_every_s,
                jitter=jitter,
            )
            running = asyncio.create_task(monitor.run())
            try:
                yield monitor
            finally:
                monitor.stop()
                await running

    async def is_closed(self, tenant: TenantId) -> bool:
        """Whether the tenant's deliveries may go."""
        return await self.breakers.of(tenant) is None

    def gauge(self, name: str, **labels: str) -> float | None:
        """A gauge's value for the only shard."""
        return self.metrics.registry.get_sample_value(f"gateway_{name}", {**labels, "shard": "0"})


@pytest.fixture
async def watch(clean_redis: str) -> AsyncIterator[Watch]:
    """One shard without tenants."""
    async with open_queues(clean_redis) as queues:
        yield Watch(queues, BreakerStore(queues.client, 1))


async def test_an_open_breaker_closes_when_the_health_page_answers(watch: Watch) -> None:
    """On record, counted, and once."""
    async with open_container() as container:
        await watch.queues.admit(ACME, url=container.url)
        await watch.open_breaker(ACME)
        async with watch.running():
            await eventually(lambda: watch.is_closed(ACME))

    records = [each.record for each in await watch.queues.audit()]
    closed = [each.detail for each in records if each.action == "breaker.closed"]
    assert ["the health page answers"] == closed
    sample = watch.metrics.registry.get_sample_value
    assert 1 == sample("gateway_breaker_changes_total", {"change": "closed"})


async def test_an_ill_container_is_asked_again_until_it_is_well(watch: Watch) -> None:
    """Its breaker stays open meanwhile, and counts as open."""
    async with open_container(status=503) as container:
        await watch.queues.admit(ACME, url=container.url)
        await watch.open_breaker(ACME)
        async with watch.running():
            await eventually(lambda: container.asked >= 2)
            assert not await watch.is_closed(ACME)
            assert 1 == watch.gauge("breaker_state", state="open")
            container.status = 200
            await eventually(lambda: watch.is_closed(ACME))


async def test_without_a_health_page_or_an_endpoint_a_breaker_closes(watch: Watch) -> None:
    """Whoever says 404 answers, after all; what waits for a removed endpoint would wait for ever
    and not even become a dead letter.
    """
    async with open_container(status=404) as container:
        await watch.queues.admit(ACME, GLOBEX, url=container.url)
        await watch.open_breaker(ACME)
        await watch.open_breaker(GLOBEX)
        await run(watch.queues.client, "HDEL", Shard(0).profiles, GLOBEX)
        async with watch.running():
            await eventually(lambda: watch.is_closed(ACME))
            await eventually(lambda: watch.is_closed(GLOBEX))


async def test_an_endpoint_that_is_gone_is_left_to_the_operator(watch: Watch) -> None:
    """However well its health page is."""
    async with open_container() as container:
        await watch.queues.admit(ACME, GLOBEX, url=container.url)
        await watch.open_breaker(ACME, Sign.GONE)
        await watch.open_breaker(GLOBEX)
        async with watch.running():
            await eventually(lambda: watch.is_closed(GLOBEX))
            await eventually(lambda: watch.gauge("breaker_state", state="open") == 0)
            assert 1 == watch.gauge("breaker_state", state="gone")
        assert 0 == watch.gauge("breaker_state", state="gone")

    gone = await watch.breakers.of(ACME)
    assert gone is not None
    assert BreakerState.GONE is gone.state


async def test_every_endpoint_is_checked_and_counted_by_one_owner(watch: Watch) -> None:
    """One is well, one is ill, one is away. Whoever gives up the shard counts them no more: the sum
    over all replicas must not grow with every move.
    """
    async with open_container() as well, open_container(status=500) as ill:
        await watch.queues.admit(ACME, url=well.url)
        await watch.queues.admit(GLOBEX, url=ill.url)
        await watch.queues.admit(INITECH, url="http://127.0.0.1:1/channel/events")
        async with watch.running():
            await eventually(lambda: watch.gauge("endpoints", health="ill") == 2)
            assert 1 == watch.gauge("endpoints", health="well")
        assert [0, 0] == [watch.gauge("endpoints", health=each) for each in ("ill", "well")]

    reports = [await watch.breakers.health_of(each) for each in (ACME, GLOBEX, INITECH)]
    assert [(True, "HTTP 200"), (False, "HTTP 500"), (False, "ClientConnectorError")] == [
        (each.well, each.detail) for each in reports if each
    ]


async def test_a_breaker_does_not_wait_for_a_neighbour_that_hangs(watch: Watch) -> None:
    """While others are asked how they do, and do not say, it is closed."""
    async with open_container() as well, open_container() as hanging:
        hanging.answers.clear()
        await watch.queues.admit(GLOBEX, url=hanging.url)
        async with watch.running(jitter=lambda low, _high: low):
            await eventually(lambda: hanging.is_waited_for)
            await watch.queues.admit(ACME, url=well.url)
            await watch.open_breaker(ACME)
            await eventually(lambda: watch.is_closed(ACME))
            assert hanging.is_waited_for
        hanging.answers.set()


async def test_endpoints_are_checked_at_a_jittered_pace(watch: Watch) -> None:
    """Neither all at once after a start nor all in step later."""
    drawn: set[tuple[float, float]] = set()

    def at_once(low: float, high: float) -> float:
        drawn.add((low, high))
        return 0.0

    async with open_container() as container:
        await watch.queues.admit(ACME, url=container.url)
        async with watch.running(check_every_s=1000.0, jitter=at_once):
            await eventually(lambda: container.asked >= 3)

    assert {(0.0, 100.0), (0.8, 1.2)} == drawn


async def test_a_suspended_tenant_is_left_in_peace(watch: Watch) -> None:
    """What was said of it before says nothing now, and its container may be gone for good."""
    async with open_container() as container, open_container() as asleep:
        await watch.queues.admit(ACME, url=container.url)
        await watch.queues.admit(GLOBEX, url=asleep.url, status=TenantStatus.SUSPENDED)
        async with watch.running(check_every_s=0.01):
            await eventually(lambda: container.asked >= 3)

    assert 0 == asleep.asked
