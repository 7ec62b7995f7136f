"""The gateway: the real engine with order, dedupe, quota and audit on, in a process of its own.

Wires, as gateway/app.py does: the Redis client, TenantLookup with its bindings in Redis, Ingress
over DeliveryStore.commit, and Ownership with ShardWorkers, the Bridge and the default
transport, woken by the store's wake channel. Left out: the platform (events come in at
Ingress.accept), PostgreSQL (nobody archives the audit streams) and the outbound direction.
Settings are the defaults, but for the in-flight cap and a quota that never refuses. Info lines are
formatted as in production and then thrown away.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TextIO

import uvloop

from gateway.core.clock import utc_now
from gateway.core.conversations import ConversationKind, ConversationRef
from gateway.core.deliveries import Delivery
from gateway.core.events import EventKind, InboundEvent, Sender
from gateway.core.ids import EventId, Platform, WorkspaceId
from gateway.core.tenants import Limits
from gateway.engine.capacity import Capacity
from gateway.engine.ownership import Ownership
from gateway.engine.worker import ShardWorker, Workshop
from gateway.ingress import Ingress
from gateway.settings import Settings
from gateway.store.connection import Client, connect
from gateway.store.deliveries import DeliveryStore
from gateway.store.leases import BRIDGE, LeaseStore
from gateway.store.wake import wakes
from gateway.telemetry.logs import configure_logs
from gateway.telemetry.metrics import Metrics
from loadtests.messages import Message, Plan
from loadtests.rig import Launch
from loadtests.subjects.gateway_tenants import Tenants
from loadtests.subjects.hosted import background, host
from loadtests.subjects.profiling import Profiling
from plugin_bridge.bridge import Bridge
from plugin_bridge.opening import open_transport
from plugin_bridge.transport import Transport
from plugin_bridge.wire import encode

NAME = "gateway"

_TEXT_CHARS = 595
"""The rest of the kilobyte is what the wire format adds."""


def launch(in_flight: int) -> Launch:
    """Start with that in-flight cap."""
    return Launch(NAME, [sys.executable, "-m", "loadtests.subjects.gateway", str(in_flight)])


class Gateway:
    """One replica that owns all shards of the inbound direction while it is started."""

    def __init__(
        self, client: Client, transport: Transport, tenants: Tenants, settings: Settings
    ) -> None:
        self._client = client
        self._settings = settings
        self._metrics = Metrics()
        self._store = DeliveryStore(client, settings.shards)
        self._accept = Ingress(tenants.lookup, self._store, encode, self._metrics).accept
        self._bridge = Bridge(transport, tenants.seal.open, _no_replies)
        self._engine: asyncio.Task[None] | None = None

    def made(self, _plan: Plan, message: Message) -> InboundEvent:
        """Make the event that a platform's adapter would have made."""
        return event_of(message)

    async def put(self, item: InboundEvent) -> None:
        """Accept one event. Raises StoreError, QueueFullError."""
        await self._accept(item)

    async def start(self) -> None:
        """Take the shards and deliver."""
        if self._engine is None:
            self._engine = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Settle what is in flight and hand the shards back."""
        if self._engine is not None:
            self._engine.cancel()
            await asyncio.wait([self._engine])
            if not self._engine.cancelled():
                self._engine.result()
            self._engine = None

    async def _run(self) -> None:
        shop = Workshop(
            store=self._store,
            attempt=self._bridge.attempt,
            capacity=Capacity(self._settings.in_flight),
            metrics=self._metrics,
            stop_deadline_s=1.0,
        )
        leases = LeaseStore(self._client, owner=secrets.token_hex(8), ttl_s=self._settings.lease_s)
        ownership = Ownership(
            leases,
            lambda lease: ShardWorker(lease, shop),
            self._metrics,
            role=BRIDGE,
            shards=self._settings.shards,
            lease_s=self._settings.lease_s,
        )
        async with background(partial(_pass_wakes_on, self._client, ownership)):
            await ownership.run()


async def _pass_wakes_on(client: Client, ownership: Ownership) -> None:
    async for _, shard in wakes(client):
        ownership.wake(shard)


async def _no_replies(_delivery: Delivery, _texts: Sequence[str]) -> str | None:
    raise AssertionError("the receiver answers 202 only")


def event_of(message: Message) -> InboundEvent:
    """A channel message that mentions the bot, in the workspace that the tenant's name stands for;
    it has two names for the dedupe, as Slack's messages do.
    """
    return InboundEvent(
        id=EventId(message.id),
        kind=EventKind.MESSAGE_CREATED,
        conversation=ConversationRef(
            platform=Platform.SLACK,
            workspace=WorkspaceId(message.key.tenant),
            channel=message.key.conversation,
        ),
        conversation_kind=ConversationKind.CHANNEL,
        sender=Sender(id="U0SENDER"),
        message_id=str(message.key.sequence),
        dedupe_keys=(message.id, f"message:{message.id}"),
        received_at=utc_now(),
        text=message.text(_TEXT_CHARS),
        mentioned=True,
    )


class _Discarding:
    """A stderr for logs that keeps what is worse than info. A line's end comes as a write apart."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._kept = True

    def write(self, text: str) -> int:
        if text != "\n":
            self._kept = '"level":"info"' not in text
        if self._kept:
            self._out.write(text)
        return len(text)

    def flush(self) -> None:
        self._out.flush()


@asynccontextmanager
async def _opened(settings: Settings, redis_url: str) -> AsyncIterator[tuple[Gateway, Tenants]]:
    async with (
        connect(redis_url) as client,
        open_transport(settings.transport, per_host=settings.in_flight) as transport,
    ):
        limits = Limits(events_per_minute=60_000_000, event_burst=60_000_000, max_queued=10_000_000)
        tenants = Tenants(client, settings, limits)
        await tenants.lookup.mark_filled()
        yield Gateway(client, transport, tenants, settings), tenants


async def main(in_flight: int, redis_url: str) -> None:
    """Obey until stdin ends."""
    settings = Settings(demo=True, in_flight=in_flight)
    sys.stderr = _Discarding(sys.stderr)  # all that structlog needs
    configure_logs(settings.log_level)
    async with _opened(settings, redis_url) as (gateway, tenants):
        await host(gateway, in_flight, {**tenants.handlers(), **Profiling().handlers()})


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2]))
