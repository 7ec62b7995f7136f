"""The one step between a decision and its commit that asks somebody else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import msgspec
import pytest

from gateway.core.deliveries import Direction
from gateway.core.events import (
    EventKind,
    InboundEvent,
    Installation,
    InstallationChange,
    Sender,
    SenderRole,
)
from gateway.core.ids import EventId
from gateway.core.tenants import Binding
from gateway.ingress import Ingress
from gateway.store.auditlog import AuditLog
from gateway.store.connection import Client, connect, run
from gateway.store.deliveries import DeliveryStore
from gateway.store.keys import Shard
from gateway.telemetry.metrics import Metrics
from plugin_bridge.wire import encode
from tests.routing.factories import USER, binding, event
from tests.support.door import lookup_of
from tests.support.queues import ACME
from tests.support.waiting import eventually


class Registrar:
    """Knows everybody, once the gate is open."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def fill(self, _binding: Binding, said: InboundEvent) -> InboundEvent:
        self.asked.append(said.id)
        await self.gate.wait()
        owner = Sender(id=USER, name="Anna", roles=(SenderRole.OWNER,))
        return msgspec.structs.replace(said, sender=owner)


@pytest.fixture
async def client(clean_redis: str) -> AsyncIterator[Client]:
    """An empty Redis."""
    async with connect(clean_redis) as opened:
        yield opened


async def _ingress(client: Client, registrar: Registrar) -> Ingress:
    store, lookup = DeliveryStore(client, 1), await lookup_of(client, binding())
    return Ingress(lookup, store, encode, Metrics(), registrar.fill)


def _said(name: str, **fields: object) -> InboundEvent:
    fields = {"sender": Sender(id=USER)} | fields
    return event(id=EventId(name), dedupe_keys=(name,), **fields)


async def _queued(client: Client) -> list[dict[str, object]]:
    queue = Shard(0).queue(ACME, Direction.INBOUND)
    return [json.loads(entry[b"p"]) for _, entry in await run(client, "XRANGE", queue, "-", "+")]


async def test_what_is_learnt_of_a_sender_goes_out_with_the_event(client: Client) -> None:
    """The roles too: they decide whose commands count."""
    await (await _ingress(client, Registrar())).accept(_said("Ev1"))

    [body] = await _queued(client)
    expected = {
        "id": USER,
        "name": "Anna",
        "is_bot": False,
        "locale": None,
        "roles": ["owner"],
        "may_command": True,
    }
    assert expected == body["sender"]


async def test_nobody_is_asked_for_what_goes_nowhere(client: Client) -> None:
    """A busy channel in which nobody speaks to the agent costs no look-ups."""
    registrar = Registrar()

    await (await _ingress(client, registrar)).accept(_said("Ev1", mentioned=False))

    assert [] == registrar.asked


async def test_a_conversation_keeps_its_order_while_somebody_is_asked_for(client: Client) -> None:
    """The second event waits for the first, however long its sender takes to be found."""
    registrar = Registrar()
    registrar.gate.clear()
    ingress = await _ingress(client, registrar)
    first = asyncio.create_task(ingress.accept(_said("Ev1")))
    await eventually(lambda: registrar.asked)
    second = asyncio.create_task(ingress.accept(_said("Ev2")))
    registrar.gate.set()
    await asyncio.gather(first, second)

    assert ["Ev1", "Ev2"] == [body["id"] for body in await _queued(client)]


async def test_a_change_of_the_installation_stands_in_the_audit_log(client: Client) -> None:
    """Routed like any event, with what became of the app."""
    change = Installation(change=InstallationChange.REVOKED)

    await (await _ingress(client, Registrar())).accept(
        _said("Ev1", kind=EventKind.INSTALLATION_CHANGED, detail=change)
    )

    [entry] = await AuditLog(client).read(Shard(0), 10)
    assert ("event.routed", "revoked") == (entry.record.action.value, entry.record.detail)
