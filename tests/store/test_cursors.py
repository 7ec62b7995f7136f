"""How far was heard: per tenant, never backwards, and bounded."""

from __future__ import annotations

import pytest

from gateway.core.conversations import ConversationKind, ConversationRef
from gateway.core.ids import Platform, TenantId, WorkspaceId
from gateway.core.ports import Spot
from gateway.store.cursors import MOST_SPOTS, Cursors, Place
from tests.support.queues import ACME, GLOBEX, Queues

SLACK = Platform.SLACK
TEAM = WorkspaceId("T0SHARED")


def place(tenant: TenantId = ACME, workspace: WorkspaceId = TEAM) -> Place:
    """A workspace of a tenant's."""
    return Place(tenant, SLACK, workspace)


def spot(channel: str = "C0GENERAL", thread: str | None = None) -> Spot:
    """A channel or a thread."""
    ref = ConversationRef(platform=SLACK, workspace=TEAM, channel=channel, thread=thread)
    return Spot(ref, ConversationKind.CHANNEL)


@pytest.fixture
def cursors(queues: Queues) -> Cursors:
    """Over several shards."""
    return Cursors(queues.client, 16)


async def test_what_was_noted_is_found_the_latest_first(cursors: Cursors) -> None:
    """Exactly: a microsecond is the difference between two messages."""
    heard = {spot(): 1_700_000_000_000_100, spot(thread="1700000000.000100"): 1_700_000_000_000_101}
    await cursors.note(place(), heard)
    await cursors.note(place(), {spot(): 1_600_000_000_000_000})
    assert [*heard.items()][::-1] == await cursors.spots(place(), 10)
    assert [*heard.items()][::-1][:1] == await cursors.spots(place(), 1)


async def test_tenants_do_not_share_a_workspace(cursors: Cursors) -> None:
    """Who has it now does not learn where the last tenant spoke."""
    await cursors.note(place(ACME), {spot("C0ACME"): 1})
    await cursors.note(place(GLOBEX), {spot("C0GLOBEX"): 2})
    assert [(spot("C0ACME"), 1)] == await cursors.spots(place(ACME), 10)
    assert [(spot("C0GLOBEX"), 2)] == await cursors.spots(place(GLOBEX), 10)
    assert await cursors.claim(place(ACME))
    assert await cursors.claim(place(GLOBEX))


async def test_places_are_listed_over_all_shards(cursors: Cursors) -> None:
    """The latest first, and none from before; an organisation's keep its name."""
    org = Place(GLOBEX, SLACK, WorkspaceId("T0ORG"), WorkspaceId("E0ORG"))
    await cursors.note(place(), {spot(): 100})
    await cursors.note(org, {spot(): 200})
    await cursors.note(place(TenantId("initech")), {spot(): 50})
    assert [org, place()] == await cursors.places(SLACK, 60)
    assert [] == await cursors.places(Platform.TEAMS, 60)


async def test_only_the_last_spots_are_kept(cursors: Cursors) -> None:
    """A busy workspace must not fill the memory."""
    await cursors.note(place(), {spot(f"C{number}"): number + 1 for number in range(300)})
    kept = await cursors.spots(place(), 1000)
    assert (MOST_SPOTS, spot("C299")) == (len(kept), kept[0][0])


async def test_known_is_what_was_routed(cursors: Cursors, queues: Queues) -> None:
    """By any of its names, and only to its own tenant."""
    many = Cursors(queues.client, queues.shards)
    await queues.commit(ACME, "c", "d1", keys=("slack:T:e1", "slack:T:message:C:1"))
    names = [("x", "slack:T:message:C:1"), ("x", "slack:T:message:C:2")]
    assert [True, False] == await many.known(ACME, names)
    assert [False, False] == await many.known(GLOBEX, names)
    assert [] == await cursors.known(ACME, [])


async def test_one_alone_is_told_of_a_gap(cursors: Cursors) -> None:
    """Of replicas that come back together."""
    marks = [await cursors.listening(SLACK, at_ms) for at_ms in (1000, 60_000, 60_001)]
    assert [None, 1000, 60_000] == marks


async def test_a_claim_is_one_replicas(cursors: Cursors) -> None:
    """Until it is given back."""
    claims = [await cursors.claim(place()), await cursors.claim(place())]
    await cursors.release(place())
    assert [True, False, True] == [*claims, await cursors.claim(place())]
