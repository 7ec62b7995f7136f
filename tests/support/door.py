"""The way in, from an event to the queues of the agents, in one process and on a real Redis."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.core.deliveries import Direction
from gateway.core.events import InboundEvent
from gateway.core.ids import Platform, TenantId, WorkspaceId
from gateway.core.tenants import AccessPolicy, Binding, HistoryPolicy, Tenant
from gateway.ingress import Ingress
from gateway.store.connection import Client, run
from gateway.store.deliveries import DeliveryStore
from gateway.store.keys import Pepper, Shard
from gateway.store.tenants import TenantLookup
from gateway.telemetry.metrics import Metrics
from plugin_bridge.wire import encode
from tests.support.passage import AMPLE, event
from tests.support.queues import ACME, GLOBEX

TEAM = WorkspaceId("T0ACME")
_EVENTS: Iterator[int] = itertools.count(1)


@dataclass
class Door:
    """The way in, up to the queue of the agents."""

    client: Client

    def __post_init__(self) -> None:
        self.store = DeliveryStore(self.client, 1)
        self.lookup = TenantLookup(self.client, Pepper(b"pepper"), 1)
        self.ingress = Ingress(self.lookup, self.store, encode, Metrics())

    async def bind(
        self,
        history: HistoryPolicy | None = None,
        *,
        tenant: TenantId = ACME,
        workspace: WorkspaceId = TEAM,
        access: AccessPolicy | None = None,
    ) -> None:
        """Give a workspace to a tenant with these rules."""
        owner = Tenant(
            id=tenant,
            limits=AMPLE,
            history=history or HistoryPolicy(),
            access=access or AccessPolicy(),
        )
        bound = Binding(tenant=owner, platform=Platform.SLACK, workspace=workspace, epoch=1)
        await self.lookup.put_binding(bound, None)
        await self.lookup.mark_filled()

    async def take_in(self, *events: InboundEvent) -> None:
        """Take events in, one after the other."""
        for each in events:
            await self.ingress.accept(each)

    async def bodies(self) -> list[dict[str, Any]]:
        """All that is queued for agents, tenant by tenant, oldest first."""
        found: list[dict[str, Any]] = []
        for tenant in (ACME, GLOBEX):
            queue = Shard(0).queue(tenant, Direction.INBOUND)
            queued = await run(self.client, "XRANGE", queue, "-", "+")
            found += [json.loads(fields[b"p"]) for _, fields in queued]
        return found

    async def heard(self, *events: InboundEvent) -> list[tuple[str, list[str]]]:
        """Take events in; return the text of each delivery so far with those of its history."""
        await self.take_in(*events)
        return [
            (body["text"], [entry["text"] for entry in body.get("history", [])])
            for body in await self.bodies()
        ]

    async def histories(self) -> list[str]:
        """The keys of all histories."""
        return sorted([key.decode() async for key in self.client.scan_iter(match="*:hist:*")])


def said(ts: int, text: str, *, thread: int | None = None, **fields: object) -> InboundEvent:
    """A message of a channel that mentions nobody, at `ts`; a root unless it names its thread."""
    made = event(TEAM, text, ts=str(ts), event_id=f"Ev{next(_EVENTS)}")
    ref = msgspec.structs.replace(made.conversation, thread=str(thread or ts))
    return msgspec.structs.replace(
        made, **{"conversation": ref, "mentioned": False, "dedupe_keys": (made.id,), **fields}
    )


def asked(ts: int, text: str, *, thread: int | None = None, **fields: object) -> InboundEvent:
    """A message that mentions the agent."""
    return said(ts, text, thread=thread, mentioned=True, **fields)


async def lookup_of(client: Client, *bindings: Binding) -> TenantLookup:
    """Fill the look-up keys with exactly these."""
    lookup = TenantLookup(client, Pepper(b"pepper"), 1)
    for each in bindings:
        await lookup.put_binding(each, None)
    await lookup.mark_filled()
    return lookup
