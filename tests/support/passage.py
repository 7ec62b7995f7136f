"""The way through the gateway in one process, step by step: a test decides what happens when."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec
from cryptography.fernet import Fernet

from adapters.slack.capabilities import CAPABILITIES
from adapters.slack.outbound import render
from gateway.core.audit import AuditEntry
from gateway.core.clock import utc_now
from gateway.core.conversations import ConversationKind, ConversationRef
from gateway.core.deliveries import Delivered, Delivery, Outcome
from gateway.core.events import EventKind, InboundEvent, Sender
from gateway.core.ids import EventId, Platform, TenantId, WorkspaceId
from gateway.core.messages import OutboundMessage, SentMessage
from gateway.core.ports import Outlet
from gateway.core.tenants import Binding, Credential, Endpoint, Limits, Tenant, TenantStatus
from gateway.egress.composing import NoFiles
from gateway.egress.desk import Desk, Ground
from gateway.ingress import Ingress
from gateway.sandbox.agent import AgentDelivery, AgentSandbox
from gateway.sealing import Seal
from gateway.store.auditlog import AuditLog
from gateway.store.connection import Client, connect
from gateway.store.deliveries import DeliveryStore, Settled
from gateway.store.keys import Pepper, Shard
from gateway.store.leases import BRIDGE, EGRESS, Lease, LeaseStore
from gateway.store.tenants import TenantLookup
from gateway.telemetry.metrics import Metrics
from plugin_bridge.bridge import Bridge
from plugin_bridge.opening import open_transport
from plugin_bridge.wire import WireEvent, encode
from tests.support.queues import AT_ONCE, DONE, again

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
AMPLE = Limits(events_per_minute=60_000, event_burst=10_000)


class Silent:
    """A sender that nothing is ever given to: these tests end where a message is stored."""

    async def send(self, message: OutboundMessage, credential: Credential) -> SentMessage:
        raise NotImplementedError


@dataclass
class Passage:
    """Ingress, submit and bridge over one shard, so that all tenants share its keys."""

    client: Client
    bridge: Bridge
    metrics: Metrics = field(default_factory=Metrics)

    def __post_init__(self) -> None:
        self.store = DeliveryStore(self.client, 1)
        self.lookup = TenantLookup(self.client, Pepper(b"pepper"), 1)
        self.ingress = Ingress(self.lookup, self.store, encode, self.metrics)
        outlets = {
            Platform.SLACK: Outlet(render=render, sender=Silent(), capabilities=CAPABILITIES)
        }
        ground = Ground(
            redis=self.client,
            shards=1,
            lookup=self.lookup,
            seal=Seal([Fernet.generate_key().decode()]),
            deliveries=self.store,
            files=NoFiles(),
            metrics=self.metrics,
        )
        self.submit = Desk(ground, outlets).submit

    async def admit(self, tenant: TenantId, workspace: str, url: str, *, epoch: int = 1) -> None:
        """Bind a workspace to a tenant whose agent listens at `url`."""
        await self.lookup.put_endpoint(
            Endpoint(
                tenant=tenant,
                status=TenantStatus.ACTIVE,
                url=url,
                sealed_secrets=(SECRET,),
                retry=AT_ONCE,
            )
        )
        await self.lookup.put_binding(
            Binding(
                tenant=Tenant(id=tenant, limits=AMPLE),
                platform=Platform.SLACK,
                workspace=WorkspaceId(workspace),
                epoch=epoch,
            ),
            None,
        )
        await self.lookup.mark_filled()

    async def lease(self, role: str) -> Lease:
        """Own the shard, whoever did before."""
        await self.client.delete(Shard(0).lease(role))
        lease = await LeaseStore(self.client, owner="test", ttl_s=60).acquire(Shard(0), role)
        assert lease is not None
        return lease

    async def deliver(self, lease: Lease | None = None) -> list[tuple[Delivery, Outcome]]:
        """Attempt all that is queued for agents, each once, and settle it."""
        lease = lease or await self.lease(BRIDGE)
        ends: list[tuple[Delivery, Outcome]] = []
        while deliveries := (taken := await self.store.take(lease, 10)).deliveries:
            for delivery in deliveries:
                endpoint = taken.endpoints.get(delivery.tenant)
                outcome = await self.bridge.attempt(delivery, endpoint)
                # What failed waits, so that nothing is attempted twice here.
                settlement = DONE if isinstance(outcome, Delivered) else again(3600)
                await self.store.settle(
                    lease, [Settled(delivery=delivery, settlement=settlement, audit=None)]
                )
                ends.append((delivery, outcome))
        return ends

    async def posted(self) -> list[tuple[TenantId, OutboundMessage]]:
        """All that is queued for the platform, as its sender would get it."""
        lease = await self.lease(EGRESS)
        found: list[tuple[TenantId, OutboundMessage]] = []
        while deliveries := (await self.store.take(lease, 10)).deliveries:
            for delivery in deliveries:
                message = msgspec.json.decode(delivery.payload, type=OutboundMessage)
                found.append((delivery.tenant, message))
                settled = Settled(delivery=delivery, settlement=DONE, audit=None)
                await self.store.settle(lease, [settled])
        return found

    async def records(self) -> list[AuditEntry]:
        """The log, oldest first."""
        return await AuditLog(self.client).read(Shard(0), 100_000)


@asynccontextmanager
async def open_passage(redis_url: str) -> AsyncIterator[Passage]:
    """Open the way on the Redis at `redis_url`."""

    async def refuse(_delivery: Delivery, _texts: Sequence[str]) -> str | None:
        return "these agents answer by the API"

    async with connect(redis_url) as client, open_transport(per_host=10) as transport:
        yield Passage(client, Bridge(transport, lambda sealed: sealed, refuse))


@asynccontextmanager
async def open_agents(*tenants: TenantId) -> AsyncIterator[dict[TenantId, AgentSandbox]]:
    """One agent per tenant. All share one secret: nothing but routing keeps them apart."""
    agents = {
        tenant: AgentSandbox(secrets=[SECRET], api_key="", reply=lambda _body: None)
        for tenant in tenants
    }
    try:
        for agent in agents.values():
            await agent.start()
        yield agents
    finally:
        for agent in agents.values():
            await agent.close()


def heard_by(delivery: AgentDelivery) -> WireEvent:
    """Read what an agent got."""
    return msgspec.convert(delivery.body, type=WireEvent)


def event(
    workspace: str,
    text: str,
    *,
    channel: str = "C0GENERAL",
    ts: str = "1700000000.000100",
    event_id: str = "Ev0AAAA",
    user: str = "U0ANNA",
) -> InboundEvent:
    """A mention, in terms that mean something inside its workspace only."""
    return InboundEvent(
        id=EventId(event_id),
        kind=EventKind.MESSAGE_CREATED,
        conversation=ConversationRef(
            platform=Platform.SLACK, workspace=WorkspaceId(workspace), channel=channel, thread=ts
        ),
        conversation_kind=ConversationKind.CHANNEL,
        sender=Sender(id=user),
        message_id=ts,
        dedupe_keys=(event_id, f"{channel}:{ts}"),
        received_at=utc_now(),
        text=text,
        mentioned=True,
    )
