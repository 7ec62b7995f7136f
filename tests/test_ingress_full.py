"""A tenant whose queue is full: refused or dropped, never silently."""

from __future__ import annotations

import msgspec
import pytest

from gateway.core.deliveries import Direction
from gateway.core.errors import QueueFullError
from gateway.core.events import InboundEvent
from gateway.core.ids import EventId
from gateway.core.tenants import Limits, Overflow
from gateway.ingress import Ingress
from gateway.store.auditlog import AuditLog
from gateway.store.connection import Client, connect, run
from gateway.store.deliveries import DeliveryStore
from gateway.store.keys import Shard
from gateway.telemetry.metrics import Metrics
from plugin_bridge.wire import encode
from tests.routing.factories import binding, event, tenant
from tests.support.door import lookup_of
from tests.support.queues import ACME


def said(name: str) -> InboundEvent:
    """Something said under a name of its own."""
    return msgspec.structs.replace(event(), id=EventId(name), dedupe_keys=(name,))


async def trail(client: Client) -> list[tuple[str, str]]:
    """Which event ended how, oldest first."""
    entries = await AuditLog(client).read(Shard(0), 100)
    return [(each.record.event_id, each.record.outcome) for each in entries]


@pytest.mark.parametrize("policy", Overflow)
async def test_what_finds_no_room_is_on_record(clean_redis: str, policy: Overflow) -> None:
    """Refused, it is not acknowledged and may come again; dropped, it is over. Both can be found in
    the trail and in the metrics, and nothing of it is queued.
    """
    limits = Limits(max_queued=1, overflow=policy)
    metrics = Metrics()
    async with connect(clean_redis) as client:
        lookup = await lookup_of(client, binding(tenant(limits=limits)))
        ingress = Ingress(lookup, DeliveryStore(client, 1), encode, metrics)
        await ingress.accept(said("one"))
        if policy is Overflow.REFUSE:
            with pytest.raises(QueueFullError):
                await ingress.accept(said("two"))
            outcome = "full"
        else:
            await ingress.accept(said("two"))
            outcome = "queue_full"

        assert [("one", "accepted"), ("two", outcome)] == await trail(client)
        assert 1 == await run(client, "XLEN", Shard(0).queue(ACME, Direction.INBOUND))
        if policy is Overflow.REFUSE:
            # When there is room again, the same event is no duplicate of itself.
            await run(client, "DEL", Shard(0).queue(ACME, Direction.INBOUND))
            await ingress.accept(said("two"))
            assert ("two", "accepted") == (await trail(client))[-1]
    counted = metrics.registry.get_sample_value(
        "gateway_events_routed_total", {"platform": "slack", "outcome": outcome, "reason": ""}
    )
    assert 1 == counted
