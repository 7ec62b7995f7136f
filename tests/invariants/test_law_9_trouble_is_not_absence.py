"""Law 9: store trouble is never read as "unknown tenant"."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.core.audit import AuditAction
from gateway.core.errors import StoreError
from gateway.core.ids import Platform, WorkspaceId
from gateway.demo.world import open_world
from gateway.egress.requests import Content, Submission
from tests.support.evidence import archived, unarchived
from tests.support.link import Link, open_link
from tests.support.own_servers import OwnServer
from tests.support.passage import Passage, event, open_passage
from tests.support.queues import ACME
from tests.support.waiting import eventually
from tests.support.worlds import ACME_TEAM, PATIENT, companies


@pytest.fixture
async def link(clean_redis: str, tmp_path: Path) -> AsyncIterator[Link]:
    """A wire to Redis that can be cut."""
    async with open_link(tmp_path, clean_redis) as opened:
        yield opened


@pytest.fixture
async def passage(link: Link) -> AsyncIterator[Passage]:
    """One tenant, known to a Redis at the other end of the wire."""
    async with open_passage(link.url) as opened:
        await opened.admit(ACME, "T0ACME", "http://127.0.0.1:1/")
        yield opened


@pytest.mark.parametrize("workspace", ["T0ACME", "T0NOBODY"])
async def test_an_event_that_nobody_can_place_now_is_not_taken(
    passage: Passage, link: Link, workspace: str
) -> None:
    """It raises, so nothing is acknowledged; afterwards it is routed as if nothing had been."""
    link.cut()
    with pytest.raises(StoreError):
        await passage.ingress.accept(event(workspace, "hello"))
    link.mend()
    await passage.ingress.accept(event(workspace, "hello"))

    [entry] = await passage.records()
    assert ("accepted" if workspace == "T0ACME" else "dropped") == entry.record.outcome


async def test_an_agent_that_nobody_can_know_now_is_not_refused(
    passage: Passage, link: Link
) -> None:
    """Neither its key nor its conversation is "unknown" when Redis cannot be asked."""
    link.cut()
    answer = Submission(
        tenant=ACME,
        conversation="slack:T0ACME:C0",
        content=Content(markdown="hi"),
        idempotency_key="1",
    )
    with pytest.raises(StoreError):
        await passage.submit(answer)
    with pytest.raises(StoreError):
        await passage.lookup.holder_of_key("cgk_some")
    with pytest.raises(StoreError):
        await passage.lookup.bound_workspace(Platform.SLACK, WorkspaceId("T0ACME"))
    link.mend()

    assert [] == await passage.records()


async def test_a_look_up_key_that_cannot_be_read_is_trouble(passage: Passage) -> None:
    """Half a binding could route to the wrong place."""
    key = passage.lookup.workspace_key(Platform.SLACK, WorkspaceId("T0ACME"))
    await passage.client.hset(key, "b", b'{"tenant": {"id": "acme"')

    with pytest.raises(StoreError):
        await passage.ingress.accept(event("T0ACME", "hello"))
    assert [] == await passage.records()


@pytest.mark.e2e
async def test_without_postgresql_messages_still_flow_and_the_archive_catches_up(
    clean_redis: str, own_postgres: OwnServer
) -> None:
    """Only the archive waits; its records are kept in Redis until it is back."""
    async with open_world(clean_redis, own_postgres.url, companies(), rules=PATIENT) as world:
        await world.start_gateway()
        await own_postgres.kill()
        world.slack.say(ACME_TEAM, "C0GENERAL", "U0ANNA", "anybody there?", mention=True)
        await world.slack.wait_for_bot_messages(ACME_TEAM, "C0GENERAL", 1, timeout_s=10)
        await world.slack.settled(timeout_s=10)
        kept = await unarchived(world.stores.redis, world.settings.shards)
        assert AuditAction.EVENT_ROUTED in {entry.record.action for entry in kept}

        await own_postgres.start()

        async def all_archived() -> bool:
            left = await unarchived(world.stores.redis, world.settings.shards)
            return not left

        await eventually(all_archived, timeout_s=30)
        found = {entry.id: entry for entry in await archived(world.stores.archive)}
        assert {entry.id for entry in kept} <= set(found)
