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
from gateway.core.deliveries import Delivery, Direction
from gateway.core.ids import Platform, TenantId, WorkspaceId
from gateway.core.ports import Outlet
from gateway.core.tenants import Binding, Credential, Endpoint, Limits, Tenant, TenantStatus
from gateway.egress.outbox import Outbox
from gateway.egress.pace import Pace
from gateway.egress.submit import Refusal, Submission, Submit, Submitted
from gateway.sandbox.slack import SlackRules, SlackSandbox
from gateway.sealing import Seal
from gateway.store import connection
from gateway.store.auditlog import AuditLog
from gateway.store.deliveries import DeliveryStore
from gateway.store.keys import Pepper, shard_of
from gateway.store.leases import EGRESS, LeaseStore
from gateway.store.tenants import TenantLookup
from gateway.telemetry.metrics import Metrics

SHARDS = 4
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

    def submit(self) -> Submit:
        """What takes agents' messages."""
        outlets = {Platform.SLACK: self.outlet}
        return Submit(self.lookup.resolve, self.store, outlets, self.metrics)

    def outbox(self, outlet: Outlet | None = None) -> Outbox:
        """What posts them: ten a second and channel, by the test's clock."""
        outlets = {Platform.SLACK: outlet or self.outlet}
        pace = Pace(10.0, now_s=self.clock)
        return Outbox(self.lookup, self.seal, outlets, pace, self.metrics)

    async def say(
        self, text: str, *, key: str = "key-1", tenant: TenantId = ACME, to: str = HERE
    ) -> Submitted | Refusal:
        """Submit one message."""
        return await self.submit()(
            Submission(tenant=tenant, conversation=to, markdown=text, idempotency_key=key)
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
            lookup=TenantLookup(redis, Pepper(b"a pepper for tests, long enough"), SHARDS),
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
