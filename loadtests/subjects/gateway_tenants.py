"""The gateway subject's tenants: written to Redis as provisioning would, and queues filled for one
of them without the accept path, which is not what those measures are about.
"""

from __future__ import annotations

import asyncio

from gateway.core.audit import AuditAction, AuditRecord
from gateway.core.deliveries import Direction, NewDelivery
from gateway.core.ids import ConversationId, Platform, TenantId, WorkspaceId, new_delivery_id
from gateway.core.tenants import Binding, Endpoint, Limits, Tenant, TenantStatus
from gateway.sealing import Seal
from gateway.settings import Settings
from gateway.store.connection import Client
from gateway.store.deliveries import Commit, DeliveryStore
from gateway.store.keys import Pepper
from gateway.store.tenants import TenantLookup
from loadtests.commands import Fields, Handler
from loadtests.messages import Plan

_AT_ONCE = 32
_COMMIT_SIZE = 50


class Tenants:
    """Each tenant's workspace is named like the tenant."""

    def __init__(self, client: Client, settings: Settings, limits: Limits) -> None:
        self.lookup = TenantLookup(
            client, Pepper(settings.pepper.get_secret_value().encode()), settings.shards
        )
        self.seal = Seal([key.get_secret_value() for key in settings.sealing_keys])
        self._limits = limits
        self._store = DeliveryStore(client, settings.shards)
        # One secret for all: sealing 10,000 would take longer than what is measured.
        self._sealed = self.seal.seal("whsec_" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz")

    def handlers(self) -> dict[str, Handler]:
        """Commands that only the gateway has."""
        return {"bind": self.bind, "backlog": self.backlog}

    async def bind(self, fields: Fields) -> Fields:
        """Bind the tenants of a plan, each with its agent at the plan's receiver."""
        plan = Plan.from_json(fields["plan"])
        names = iter(plan.tenants)

        async def some() -> None:
            for name in names:
                await self._bind(TenantId(name), plan.url(name))

        await asyncio.gather(*(some() for _ in range(_AT_ONCE)))
        return {}

    async def backlog(self, fields: Fields) -> Fields:
        """Queue all messages of a plan: many deliveries of one conversation in one commit."""
        plan = Plan.from_json(fields["plan"])
        for lane in range(plan.lanes):
            numbers = range(lane, plan.count, plan.lanes)
            for start in range(0, len(numbers), _COMMIT_SIZE):
                await self._commit(plan, numbers[start : start + _COMMIT_SIZE])
        return {}

    async def _bind(self, name: TenantId, url: str) -> None:
        binding = Binding(
            tenant=Tenant(id=name, limits=self._limits),
            platform=Platform.SLACK,
            workspace=WorkspaceId(name),
            epoch=1,
        )
        endpoint = Endpoint(
            tenant=name,
            status=TenantStatus.ACTIVE,
            url=url,
            sealed_secrets=(self._sealed,),
            concurrency=self._limits.concurrency,
        )
        await self.lookup.put_binding(binding, None)
        await self.lookup.put_endpoint(endpoint)

    async def _commit(self, plan: Plan, numbers: range) -> None:
        messages = [plan.message(number) for number in numbers]
        tenant = TenantId(messages[0].key.tenant)
        await self._store.commit(
            Commit(
                tenant=tenant,
                direction=Direction.INBOUND,
                conversation=ConversationId(messages[0].key.conversation),
                deliveries=tuple(
                    NewDelivery(id=new_delivery_id(), payload=plan.body(each)) for each in messages
                ),
                audit=AuditRecord(tenant=tenant, action=AuditAction.EVENT_ROUTED),
                limits=self._limits,
            )
        )
