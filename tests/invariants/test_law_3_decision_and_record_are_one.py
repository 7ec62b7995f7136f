"""Law 3: a decision and its audit record are one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import pytest

from gateway.core.audit import AuditAction
from gateway.core.errors import StoreError
from gateway.demo.world import World
from tests.support.evidence import idle, records
from tests.support.passage import Passage, event, heard_by, open_passage
from tests.support.queues import ACME
from tests.support.waiting import eventually
from tests.support.worlds import ACME_TEAM, GLOBEX_TEAM


@pytest.fixture
async def passage(clean_redis: str) -> AsyncIterator[Passage]:
    """One tenant in one workspace."""
    async with open_passage(clean_redis) as opened:
        await opened.admit(ACME, "T0ACME", "http://127.0.0.1:1/")
        yield opened


async def test_every_event_that_is_taken_leaves_one_record(passage: Passage) -> None:
    """Accepted, dropped or known already: each call of accept, one record."""
    events = [
        event("T0ACME", "first"),
        event("T0ACME", "first again"),
        event("T0NOBODY", "dropped"),
        event("T0ACME", "other", ts="1700000000.000200", event_id="Ev0BBBB"),
        event("T0NOBODY", "dropped again"),
    ]
    for each in events:
        await passage.ingress.accept(each)

    found = [entry.record for entry in await passage.records()]
    assert [each.id for each in events] == [record.event_id for record in found]
    assert ["accepted", "duplicate", "dropped", "accepted", "dropped"] == [
        record.outcome for record in found
    ]
    assert 2 == len(await passage.deliver())


async def test_what_cannot_be_stored_leaves_neither_delivery_nor_record(passage: Passage) -> None:
    """A Redis that is full takes nothing in, not even half of it."""
    await passage.client.config_set("maxmemory", "1")
    try:
        for workspace in ("T0ACME", "T0NOBODY"):
            with pytest.raises(StoreError):
                await passage.ingress.accept(event(workspace, "no room"))
    finally:
        await passage.client.config_set("maxmemory", "0")

    assert [] == await passage.records()
    assert [] == await passage.deliver()
    await passage.ingress.accept(event("T0ACME", "room again"))
    assert 1 == len(await passage.deliver())


@pytest.mark.e2e
async def test_a_killed_gateway_leaves_no_decision_without_its_record(world: World) -> None:
    """Killed in the middle of a burst: accepted = recorded = delivered, counted in both stores."""
    lease = {"GATEWAY_LEASE_S": "1"}
    await world.start_gateway(lease)
    said = {
        (team, world.slack.say(team, f"C0{number % 15}", "U0ANNA", str(number), mention=True))
        for number in range(30)
        for team in (ACME_TEAM, GLOBEX_TEAM)
    }
    await eventually(lambda: any(delivery.acked for delivery in world.slack.deliveries))
    await world.gateway.kill()
    await world.start_gateway(lease)
    await world.slack.settled(timeout_s=40)
    await eventually(lambda: idle(world), timeout_s=30)

    routed = [each for each in await records(world) if each.action is AuditAction.EVENT_ROUTED]
    accepted = Counter(each.delivery_id for each in routed if each.outcome == "accepted")
    delivered = {
        (event.conversation.workspace, event.message_id): delivery
        for agent in world.agents.values()
        for delivery in agent.deliveries
        for event in [heard_by(delivery)]
    }
    assert [] == world.slack.given_up
    assert said == set(delivered)
    assert accepted == Counter(each.delivery_id for each in delivered.values())
