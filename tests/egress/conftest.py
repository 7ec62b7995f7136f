"""The outbound half on the real store, with Slack's stand-in at its end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import msgspec
import pytest
from cryptography.fernet import Fernet

from adapters.slack.capabilities import CAPABILITIES
from adapters.slack.config import SlackConfig
from adapters.slack.outbound import render
from adapters.slack.sender import SlackSender
from gateway.core.audit import AuditRecord
from gateway.core.deliveries import Deferred, Delivery, Direction, Outcome
from gateway.core.ids import Platform, TenantId, WorkspaceId
from gateway.core.ports import Accept, Files, Outlet
from gateway.core.retry import settle
from gateway.core.tenants import Binding, Credential, Endpoint, Limits, Tenant, TenantStatus
from gateway.egress.composing import NoFiles
from gateway.egress.desk import Desk, Ground
from gateway.egress.outbox import Outbox, Paces
from gateway.egress.pace import Pace
from gateway.egress.requests import Content, Refusal, Submission, Submitted
from gateway.egress.submit import Submit
from gateway.engine.attempt_log import record_of
from gateway.sandbox.slack import SlackRules, SlackSandbox
from gateway.sealing import Seal
from gateway.store import connection
from gateway.store.auditlog import AuditLog
from gateway.store.deliveries import DeliveryStore, Settled
from gateway.store.keys import Pepper, Shard, shard_of
from gateway.store.leases import EGRESS, Lease, LeaseStore
from gateway.store.tenants import TenantLookup
from gateway.telemetry.metrics import Metrics
from tests.support.queues import AT_ONCE

SHARDS = 4
PEPPER = b"a pepper for tests, long enough"
ACME, GLOBEX = TenantId("acme"), TenantId("globex")
ACME_TEAM, GLOBEX_TEAM = WorkspaceId("T0ACME"), WorkspaceId("T0GLOBEX")
HERE = f"slack:{ACME_TEAM}:C0AAAA:1700000000.000100"
THERE = f"slack:{GLOBEX_TEAM}:C0AAAA:1700000000.000100"


@dataclass
class Clock:
    """A clock that the test moves."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass(frozen=True)
class Egress:
    """Everything outbound, of two tenants in one Slack app."""

    redis: connection.Client
    lookup: TenantLookup
    store: DeliveryStore
    seal: Seal
    slack: SlackSandbox
    outlet: Outlet
    metrics: Metrics
    clock: Clock

    def desk(
        self,
        outlet: Outlet | None = None,
        *,
        redis: connection.Client | None = None,
        files: Files | None = None,
        configured: bool = True,
        hear: Accept | None = None,
    ) -> Desk:
        """The outbound half; with another Redis, as if the one there were away."""
        client = redis or self.redis
        ground = Ground(
            redis=client,
            shards=SHARDS,
            lookup=TenantLookup(redis, Pepper(PEPPER), SHARDS) if redis else self.lookup,
            seal=self.seal,
            deliveries=DeliveryStore(client, SHARDS),
            files=files or NoFiles(),
            metrics=self.metrics,
            hear=hear,
        )
        return Desk(ground, {Platform.SLACK: outlet or self.outlet} if configured else {})

    def submit(self) -> Submit:
        """What takes agents' messages."""
        return self.desk().submit

    def outbox(self, outlet: Outlet | None = None, desk: Desk | None = None) -> Outbox:
        """What posts them: ten a second and channel, by the test's clock."""
        return (desk or self.desk(outlet)).outbox(self.paces)

    @property
    def paces(self) -> Paces:
        """By the test's clock: ten posts a second and channel, one edit a second and message, two
        previews a second and workspace.
        """
        return Paces(
            posts=Pace(10.0, now_s=self.clock),
            edits=Pace(1.0, now_s=self.clock),
            previews=Pace(2.0, now_s=self.clock),
        )

    async def say(
        self, text: str, *, key: str = "key-1", tenant: TenantId = ACME, to: str = HERE
    ) -> Submitted | Refusal:
        """Submit one message."""
        return await self.submit()(
            Submission(
                tenant=tenant, conversation=to, content=Content(markdown=text), idempotency_key=key
            )
        )

    async def bind(
        self,
        tenant: TenantId,
        team: WorkspaceId,
        *,
        token: str | None = None,
        status: TenantStatus = TenantStatus.ACTIVE,
        limits: Limits | None = None,
    ) -> None:
        """Bind a team; without a token the workspace has no credential."""
        owner = Tenant(id=tenant, status=status, limits=limits or Limits())
        bound = Binding(tenant=owner, platform=Platform.SLACK, workspace=team, epoch=1)
        sealed = None
        if token is not None:
            credential = msgspec.json.encode(Credential(bot_token=token))
            sealed = self.seal.seal(credential.decode()).encode()
        await self.lookup.put_binding(bound, sealed)
        await self.lookup.put_endpoint(
            Endpoint(tenant=tenant, status=status, url="http://127.0.0.1:1/", sealed_secrets=())
        )

    async def taken(self, tenant: TenantId = ACME) -> list[Delivery]:
        """Take what of the tenant's may be sent now, as its worker would."""
        leases = LeaseStore(self.redis, owner="test", ttl_s=30)
        lease = await leases.acquire(shard_of(tenant, SHARDS), EGRESS)
        assert lease is not None
        taken = await self.store.take(lease, 100)
        await leases.release(lease)
        return taken.deliveries

    async def work(self, outbox: Outbox, tenant: TenantId = ACME) -> list[tuple[str, Outcome]]:
        """Attempt and settle all that is queued, as a worker would: what waits is due at once, and
        the clock goes on by so much. Gives the ids of the deliveries and how they ended.
        """
        leases = LeaseStore(self.redis, owner="test", ttl_s=30)
        shard = shard_of(tenant, SHARDS)
        lease = await leases.acquire(shard, EGRESS)
        assert lease is not None
        ends: list[tuple[str, Outcome]] = []
        while taken := (await self.store.take(lease, 1)).deliveries or await self._due(
            shard, lease
        ):
            for delivery in taken:
                outcome = await outbox.attempt(delivery, None)
                await self.settle(lease, delivery, outcome)
                ends.append((delivery.id, outcome))
                if isinstance(outcome, Deferred):
                    self.clock.now_s += outcome.after_s
        await leases.release(lease)
        return ends

    async def recover(self, tenant: TenantId = ACME) -> None:
        """Give back what a test has taken, as a new owner of the shard would."""
        leases = LeaseStore(self.redis, owner="test", ttl_s=30)
        lease = await leases.acquire(shard_of(tenant, SHARDS), EGRESS)
        assert lease is not None
        await self.store.recover(lease)
        await leases.release(lease)

    async def settle(self, lease: Lease, delivery: Delivery, outcome: Outcome) -> None:
        """Settle one attempt, with its record."""
        settlement = settle(outcome, AT_ONCE, attempt=delivery.attempt, age_s=0.0)
        record = record_of(delivery, settlement)
        settled = Settled(delivery=delivery, settlement=settlement, audit=record)
        await self.store.settle(lease, [settled])

    async def _due(self, shard: Shard, lease: Lease) -> list[Delivery]:
        schedule = shard.schedule(Direction.OUTBOUND)
        for member in await connection.run(self.redis, "ZRANGE", schedule, 0, -1):
            await connection.run(self.redis, "ZADD", schedule, 0, member)
        return (await self.store.take(lease, 1)).deliveries

    async def stored(self, tenant: TenantId = ACME) -> list[bytes]:
        """Payloads of all that is queued for a tenant, in order."""
        queue = shard_of(tenant, SHARDS).queue(tenant, Direction.OUTBOUND)
        found = await connection.run(self.redis, "XRANGE", queue, "-", "+")
        return [fields[b"p"] for _, fields in found]

    async def audit(self, tenant: TenantId = ACME) -> list[AuditRecord]:
        """The tenant's records, oldest first."""
        entries = await AuditLog(self.redis).read(shard_of(tenant, SHARDS), 1000)
        return [entry.record for entry in entries if entry.record.tenant == tenant]

    def metric(self, name: str, **labels: str) -> float:
        """A metric's value; 0 when nothing was counted."""
        return self.metrics.registry.get_sample_value(f"gateway_{name}", labels) or 0.0


@pytest.fixture
async def egress(clean_redis: str) -> AsyncIterator[Egress]:
    """Two tenants, each with a team of its own."""
    rules = SlackRules(post_rate=None, echo_own_messages=False)
    async with (
        connection.connect(clean_redis) as redis,
        SlackSandbox(app_token="xapp-placeholder", rules=rules) as slack,
        aiohttp.ClientSession() as session,
    ):
        config = SlackConfig(app_token="xapp-placeholder", api_base_url=slack.base_url)
        sender = SlackSender(config, session)
        made = Egress(
            redis=redis,
            lookup=TenantLookup(redis, Pepper(PEPPER), SHARDS),
            store=DeliveryStore(redis, SHARDS),
            seal=Seal([Fernet.generate_key().decode()]),
            slack=slack,
            outlet=Outlet(render=render, sender=sender, capabilities=CAPABILITIES),
            metrics=Metrics(),
            clock=Clock(),
        )
        for tenant, team in ((ACME, ACME_TEAM), (GLOBEX, GLOBEX_TEAM)):
            slack.add_team(team)
            slack.say(team, "C0AAAA", "U0ANNA", "the root of the thread", ts="1700000000.000100")
            await made.bind(tenant, team, token=f"xoxb-{team}")
        await made.lookup.mark_filled()
        yield made
