"""The delivery queues of a test: the real store with short ways to say what is done to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property

from gateway.core.audit import AuditAction, AuditEntry, AuditRecord
from gateway.core.deliveries import Delivery, Direction, NewDelivery, Reason, Receipt
from gateway.core.ids import AgentId, ConversationId, DeliveryId, TenantId
from gateway.core.retry import Again, Dead, Done, RetryPolicy, Settlement
from gateway.core.tenants import Endpoint, Limits, TenantStatus
from gateway.store.auditlog import AuditLog
from gateway.store.connection import UNCONFIRMED, Client, Confirmation, connect, run
from gateway.store.deadletters import DeadLetterStore
from gateway.store.deliveries import Commit, Committed, DeliveryStore, Settled, Taken
from gateway.store.keys import Pepper, Shard
from gateway.store.leases import BRIDGE, Lease, LeaseStore
from gateway.store.tenants import TenantLookup

ACME = TenantId("acme")
GLOBEX = TenantId("globex")
INITECH = TenantId("initech")
TENANTS = (ACME, GLOBEX, INITECH)

DONE = Done("ok")
DEAD = Dead(reason=Reason.AGENT_REJECTED, detail="HTTP 400")
AT_ONCE = RetryPolicy(base_s=0.0, cap_s=0.0)


def again(delay_s: float = 0.0, *, counts: bool = True, uncertain: bool = False) -> Again:
    """A retry."""
    return Again(
        delay_s=delay_s,
        counts=counts,
        uncertain=uncertain,
        reason=Reason.AGENT_ERROR,
        detail="HTTP 500",
    )


def settled(delivery: Delivery, settlement: Settlement = DONE) -> Settled:
    """A settlement with the record that belongs to it."""
    actions = {Done: AuditAction.DELIVERY_DELIVERED, Dead: AuditAction.DELIVERY_DEAD}
    action = actions.get(type(settlement), AuditAction.DELIVERY_RETRIED)
    record = AuditRecord(tenant=delivery.tenant, action=action, delivery_id=delivery.id)
    return Settled(delivery=delivery, settlement=settlement, audit=record)


def ids(taken: Taken) -> list[str]:
    """The ids of what was taken, in the order in which it was handed out."""
    return [delivery.id for delivery in taken.deliveries]


@dataclass(frozen=True)
class Queues:
    """A store with one shard, unless said otherwise, so that all tenants share its scripts."""

    client: Client
    shards: int = 1
    confirmation: Confirmation = UNCONFIRMED

    @cached_property
    def store(self) -> DeliveryStore:
        """What commits, hands out and settles."""
        return DeliveryStore(self.client, self.shards, confirmation=self.confirmation)

    @property
    def dead(self) -> DeadLetterStore:
        """The dead letters."""
        return DeadLetterStore(self.client, self.shards, confirmation=self.confirmation)

    def leases(self, owner: str = "replica-1", *, ttl_s: float = 30.0) -> LeaseStore:
        """The leases of one replica."""
        return LeaseStore(self.client, owner=owner, ttl_s=ttl_s)

    async def lease(self, role: str = BRIDGE, *, shard: int = 0, ttl_s: float = 30.0) -> Lease:
        """A lease that nobody else holds."""
        lease = await self.leases(ttl_s=ttl_s).acquire(Shard(shard), role)
        assert lease is not None
        return lease

    async def admit(
        self,
        *tenants: TenantId,
        concurrency: int = 16,
        retry: RetryPolicy = AT_ONCE,
        url: str = "http://127.0.0.1:1/",
        status: TenantStatus = TenantStatus.ACTIVE,
    ) -> None:
        """Make tenants known to the workers."""
        lookup = TenantLookup(self.client, Pepper(b"pepper"), self.shards)
        for tenant in tenants:
            await lookup.put_endpoint(
                Endpoint(
                    tenant=tenant,
                    status=status,
                    url=url,
                    sealed_secrets=(),
                    retry=retry,
                    concurrency=concurrency,
                )
            )

    async def commit(
        self,
        tenant: TenantId,
        conversation: str,
        *names: str,
        keys: tuple[str, ...] = (),
        value: str = "",
        limits: Limits | None = None,
        metered: bool = False,
        direction: Direction = Direction.INBOUND,
    ) -> Committed:
        """Commit one decision with a delivery per name; the payload is the name."""
        return await self.store.commit(
            Commit(
                tenant=tenant,
                direction=direction,
                conversation=ConversationId(conversation),
                deliveries=tuple(
                    NewDelivery(id=DeliveryId(name), payload=name.encode()) for name in names
                ),
                audit=AuditRecord(
                    tenant=tenant,
                    action=AuditAction.EVENT_ROUTED,
                    delivery_id=names[0],
                    agent=AgentId("main"),
                ),
                limits=limits or Limits(),
                dedupe_keys=keys,
                dedupe_value=value,
                metered=metered,
            )
        )

    async def accept(self, tenant: TenantId, conversation: str, *names: str) -> None:
        """Commit what must be accepted."""
        committed = await self.commit(tenant, conversation, *names)
        assert Receipt.ACCEPTED is committed.receipt

    async def take(self, lease: Lease, limit: int = 100) -> list[Delivery]:
        """Take what may start now."""
        return (await self.store.take(lease, limit)).deliveries

    async def settle(self, lease: Lease, delivery: Delivery, settlement: Settlement = DONE) -> bool:
        """Settle one delivery."""
        [held] = (await self.store.settle(lease, [settled(delivery, settlement)])).held
        return held

    async def due_now(self, shard: int = 0) -> None:
        """Let everything that waits be due, as if its time had passed."""
        schedule = Shard(shard).schedule(Direction.INBOUND)
        for member in await run(self.client, "ZRANGE", schedule, 0, -1):
            await run(self.client, "ZADD", schedule, 0, member)

    async def audit(self, shard: int = 0) -> list[AuditEntry]:
        """All records of a shard, oldest first."""
        return await AuditLog(self.client).read(Shard(shard), 100_000)

    async def outcomes(self) -> list[tuple[str, str]]:
        """Action and outcome of all records, oldest first."""
        return [(each.record.action.value, each.record.outcome) for each in await self.audit()]

    async def everything(self) -> dict[str, bytes]:
        """Every key with its whole content, to see that nothing changes."""
        keys = sorted([key.decode() async for key in self.client.scan_iter(count=1000)])
        return {key: await self.client.dump(key) or b"" for key in keys}


@asynccontextmanager
async def open_queues(redis_url: str, *, shards: int = 1) -> AsyncIterator[Queues]:
    """Open queues on an empty Redis."""
    async with connect(redis_url) as client:
        yield Queues(client, shards)
