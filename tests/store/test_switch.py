"""Sending a tenant another way: once, on record, and never over what was set meanwhile."""

from __future__ import annotations

import asyncio

import msgspec

from gateway.core.tenants import DirectRoad, Endpoint, Fallback, Mode, TenantStatus
from gateway.store.breakers import BreakerStore
from gateway.store.connection import run
from gateway.store.keys import Pepper, Shard
from gateway.store.tenants import TenantLookup
from tests.support.queues import ACME, Queues

FALLBACK = Fallback(since_ms=1, why="HTTP 404")
AUTO = Endpoint(
    tenant=ACME,
    status=TenantStatus.ACTIVE,
    url="http://127.0.0.1:1/",
    sealed_secrets=(),
    direct=DirectRoad(url="http://127.0.0.1:1"),
)


async def put(queues: Queues, endpoint: Endpoint) -> BreakerStore:
    """Register the tenant."""
    await TenantLookup(queues.client, Pepper(b"pepper"), queues.shards).put_endpoint(endpoint)
    return BreakerStore(queues.client, queues.shards)


async def test_workers_get_the_way_with_the_delivery(queues: Queues) -> None:
    """So all replicas agree, and none has to ask."""
    breakers = await put(queues, AUTO)
    lease = await queues.lease()
    await queues.accept(ACME, "c", "d")

    assert await breakers.switch(ACME, FALLBACK, why="HTTP 404")
    [endpoint] = (await queues.store.take(lease, 1)).endpoints.values()

    assert (FALLBACK, True) == (endpoint.fallback, endpoint.goes_direct)
    assert ("endpoint.switched", "direct") in await queues.outcomes()


async def test_a_switch_is_made_once(queues: Queues) -> None:
    """Two that look at the same moment leave one record."""
    breakers = await put(queues, AUTO)

    made = await asyncio.gather(*(breakers.switch(ACME, FALLBACK, why="a") for _ in range(5)))
    back = [await breakers.switch(ACME, None, why="b") for _ in range(2)]

    assert ([False] * 4 + [True], [True, False]) == (sorted(made), back)
    switched = [each for each in await queues.outcomes() if each[0] == "endpoint.switched"]
    assert [("endpoint.switched", "direct"), ("endpoint.switched", "plugin")] == switched


async def test_who_has_no_other_way_is_not_switched(queues: Queues) -> None:
    """Nor who was set to one, nor who is nobody."""
    assert not await BreakerStore(queues.client, queues.shards).switch(ACME, FALLBACK, why="a")
    for change in ({"direct": None}, {"mode": Mode.PLUGIN}, {"mode": Mode.DIRECT}):
        breakers = await put(queues, msgspec.structs.replace(AUTO, **change))
        assert not await breakers.switch(ACME, FALLBACK, why="a")
    assert [] == await queues.outcomes()


async def test_a_profile_of_an_older_gateway_can_be_switched(queues: Queues) -> None:
    """It lacks fields that ours would write."""
    breakers = await put(queues, AUTO)
    older = b'{"tenant":"acme","status":"active","url":"http://127.0.0.1:1/","sealed_secrets":[],'
    older += b'"direct":{"url":"http://127.0.0.1:1"}}'
    await run(queues.client, "HSET", Shard(0).profiles, ACME, older)

    assert await breakers.switch(ACME, FALLBACK, why="a")


async def test_an_unreadable_profile_can_be_written_anew(queues: Queues) -> None:
    """A rebuild is what repairs it."""
    await put(queues, AUTO)
    await run(queues.client, "HSET", Shard(0).profiles, ACME, b"{broken")

    breakers = await put(queues, AUTO)

    assert AUTO == await breakers.endpoint_of(ACME)
