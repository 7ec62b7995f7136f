"""Law 8: an agent can only speak into conversations of workspaces bound to its tenant."""

from __future__ import annotations

import msgspec
import pytest

from gateway.core.audit import AuditAction, AuditRecord
from gateway.core.deliveries import Reason
from gateway.core.ids import Platform, WorkspaceId
from gateway.core.tenants import Credential
from gateway.demo.world import World
from gateway.sandbox.slack import RateLimited
from gateway.store.deadletters import DeadLetterStore
from tests.support.evidence import idle, metric, records
from tests.support.waiting import eventually
from tests.support.worlds import ACME, ACME_TEAM, GLOBEX, GLOBEX_TEAM

pytestmark = pytest.mark.e2e

VIOLATIONS = "gateway_isolation_violations_total"


async def of_action(world: World, action: AuditAction) -> list[AuditRecord]:
    """The records of one action."""
    return [record for record in await records(world) if record.action is action]


async def test_an_agent_cannot_speak_into_a_conversation_of_another_tenant(world: World) -> None:
    """404 as for one that does not exist; but here it is noticed."""
    await world.start_gateway()
    world.slack.add_channel(GLOBEX_TEAM, "C0GENERAL")
    acme = world.agents[ACME]

    foreign = await acme.send(f"slack:{GLOBEX_TEAM}:C0GENERAL", "psst", idempotency_key="1")
    nowhere = await acme.send("slack:T0NOBODY:C0GENERAL", "hello?", idempotency_key="2")

    assert (404, 404) == (foreign.status, nowhere.status)
    assert msgspec.json.decode(foreign.body) == msgspec.json.decode(nowhere.body)
    [violation] = await of_action(world, AuditAction.ISOLATION_VIOLATION)
    assert (ACME, GLOBEX_TEAM) == (violation.tenant, violation.workspace)
    assert 1 == len(await of_action(world, AuditAction.CONVERSATION_REFUSED))
    assert 1 == await metric(world.gateway, VIOLATIONS)
    assert await idle(world)
    assert [] == world.slack.bot_messages(GLOBEX_TEAM, "C0GENERAL")


async def test_what_is_queued_for_a_workspace_is_not_posted_for_its_next_tenant(
    world: World,
) -> None:
    """The workspace changes hands while an answer waits: it stays unsaid, and is kept."""
    await world.start_gateway()
    world.slack.add_channel(ACME_TEAM, "C0GENERAL")
    world.slack.fail_next("chat.postMessage", RateLimited(1))
    sent = await world.agents[ACME].send(
        f"slack:{ACME_TEAM}:C0GENERAL", "acme's secret", idempotency_key="1"
    )
    assert 202 == sent.status
    await eventually(lambda: [r for r in world.slack.requests if r.method == "chat.postMessage"])

    provisioning = world.stores.provisioning
    await provisioning.unbind(Platform.SLACK, ACME_TEAM)
    credential = Credential(bot_token=f"xoxb-{ACME_TEAM}", bot_user="U0BOT0ACME")
    await provisioning.bind(GLOBEX, Platform.SLACK, ACME_TEAM, credential)
    await eventually(lambda: idle(world))

    letters = DeadLetterStore(world.stores.redis, world.settings.shards)
    [letter] = await letters.page(ACME)
    assert Reason.ISOLATION is letter.reason
    assert [] == await letters.page(GLOBEX)
    assert 1 == await metric(world.gateway, VIOLATIONS)
    assert [] == world.slack.bot_messages(ACME_TEAM, "C0GENERAL")
    # The new owner speaks there as if nothing had been.
    hello = await world.agents[GLOBEX].send(
        f"slack:{ACME_TEAM}:C0GENERAL", "hello from globex", idempotency_key="1"
    )
    assert 202 == hello.status
    [posted] = await world.slack.wait_for_bot_messages(ACME_TEAM, "C0GENERAL", 1, timeout_s=10)
    assert "hello from globex" == posted.text


async def test_an_organisations_token_does_not_speak_for_its_other_tenants(world: World) -> None:
    """It reaches every workspace of the organisation, one of which is another tenant's by itself.

    Refused as what is not there, and noticed; its own people are answered, and spoken to first.
    """
    slack, bind = world.slack, world.stores.provisioning.bind
    org, theirs = WorkspaceId("E0ORG"), WorkspaceId("T0TWO")
    slack.add_team("T0ONE", bot_token="xoxb-org", enterprise_id=org, is_enterprise_install=True)
    slack.add_team(theirs, enterprise_id=org)
    slack.add_channel("T0ONE", "C0OURS")
    slack.add_channel(theirs, "C0THEIRS")
    await bind(ACME, Platform.SLACK, org, Credential(bot_token="xoxb-org"))
    await bind(GLOBEX, Platform.SLACK, theirs, Credential(bot_token=f"xoxb-{theirs}"))
    await world.start_gateway()
    acme = world.agents[ACME]

    foreign = await acme.send(f"slack:{org}:C0THEIRS", "psst", idempotency_key="1")
    nowhere = await acme.send(f"slack:{org}:C0NOWHERE", "hello?", idempotency_key="2")
    ours = await acme.send(f"slack:{org}:C0OURS", "good morning", idempotency_key="3")
    slack.say("T0ONE", "C0OURS", "U0ANNA", "and to you", mention=True)
    answers = await slack.wait_for_bot_messages("T0ONE", "C0OURS", 2, timeout_s=10)

    assert (404, 404, 202) == (foreign.status, nowhere.status, ours.status)
    assert foreign.body == nowhere.body
    [violation] = await of_action(world, AuditAction.ISOLATION_VIOLATION)
    assert (ACME, org) == (violation.tenant, violation.workspace)
    assert 1 == await metric(world.gateway, VIOLATIONS)
    assert {"good morning", "*acme*: you said: and to you"} == {each.text for each in answers}
    assert await eventually(lambda: idle(world))
    assert [] == slack.bot_messages(theirs, "C0THEIRS")
