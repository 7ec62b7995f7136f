"""Containers without our plugin: Slack on one side, OpenClaw's own HTTP surface on the other."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest

from gateway.archive.records import TenantSpec
from gateway.core.audit import AuditAction
from gateway.core.tenants import DirectRoad, Mode
from gateway.demo.world import World
from gateway.sandbox.agent import Hang
from gateway.sandbox.openclaw import OpenClawSandbox, Turn
from tests.support.commands import run_command
from tests.support.evidence import records
from tests.support.waiting import eventually
from tests.support.worlds import ACME, ACME_TEAM, GLOBEX

pytestmark = pytest.mark.e2e

TOKEN = "gateway-token-of-acme"
SHORT = {"GATEWAY_LEASE_S": "2", "GATEWAY_SLACK_POSTS_PER_S": "100"}


def answer(turn: Turn) -> str:
    """An answer that can be recognised."""
    return f"to {turn.message}"


@pytest.fixture
async def openclaw() -> AsyncIterator[OpenClawSandbox]:
    """ACME's container, as OpenClaw comes but for its two switches."""
    async with OpenClawSandbox(token=TOKEN, say=answer) as started:
        yield started


async def lead(world: World, openclaw: OpenClawSandbox, mode: Mode) -> None:
    """Let ACME's deliveries go there."""

    def changed(spec: TenantSpec) -> TenantSpec:
        road = DirectRoad(url=openclaw.url)
        return msgspec.structs.replace(
            spec, mode=mode, direct=road, endpoint_url=f"{openclaw.url}/aegis/v1/events"
        )

    await world.stores.provisioning.edit_tenant(ACME, changed, TOKEN)


async def said(world: World, channel: str, count: int) -> list[str]:
    """What the bot wrote there."""
    messages = await world.slack.wait_for_bot_messages(ACME_TEAM, channel, count, timeout_s=20)
    return [each.text for each in messages]


async def test_each_conversation_is_a_session_with_its_answers_in_order(
    world: World, openclaw: OpenClawSandbox
) -> None:
    """Two people who write three times each; the neighbour's agent hears nothing."""
    await lead(world, openclaw, Mode.DIRECT)
    await world.start_gateway(SHORT)

    for number in range(3):
        for channel, person in (("D0ANNA", "U0ANNA"), ("D0BORIS", "U0BORIS")):
            world.slack.say(ACME_TEAM, channel, person, f"number {number}")

    for channel, person in (("D0ANNA", "U0ANNA"), ("D0BORIS", "U0BORIS")):
        texts = await said(world, channel, 3)
        assert [f"number {n}" for n in range(3)] == [text.partition(": ")[2] for text in texts]
        assert all(person in text for text in texts)
    assert 2 == len({turn.session for turn in openclaw.turns})
    assert 6 == len(openclaw.turns)
    assert [] == world.agents[GLOBEX].deliveries
    assert [] == world.agents[ACME].deliveries


async def test_a_message_to_a_container_without_a_plugin_is_answered_all_the_same(
    world: World, openclaw: OpenClawSandbox
) -> None:
    """`auto`: it waits until the gateway has found the other way, which an operator can see."""
    await lead(world, openclaw, Mode.AUTO)
    await world.start_gateway(SHORT)

    world.slack.say(ACME_TEAM, "D0ANNA", "U0ANNA", "hello")
    [text] = await said(world, "D0ANNA", 1)

    assert text.endswith(": hello")
    shown = await run_command(world.environment(), "tenant", "show", ACME)
    assert shown["state"]["way"].startswith("direct since ")
    assert shown["state"]["way"].endswith("no healthy plugin: HTTP 404")
    switched = [
        (each.outcome, each.tenant)
        for each in await records(world)
        if each.action is AuditAction.ENDPOINT_SWITCHED
    ]
    assert [("direct", ACME)] == switched


async def test_a_gateway_killed_in_mid_turn_runs_it_once(
    world: World, openclaw: OpenClawSandbox
) -> None:
    """Whether the agent was done nobody knows: an operator finds it, and may run it again."""
    await lead(world, openclaw, Mode.DIRECT)
    gateway = await world.start_gateway(SHORT)
    openclaw.fail_next(Hang(60.0))
    world.slack.say(ACME_TEAM, "D0ANNA", "U0ANNA", "first")
    await openclaw.wait_for_turns(1, timeout_s=10)

    await gateway.kill()
    await world.start_gateway(SHORT)
    world.slack.say(ACME_TEAM, "D0ANNA", "U0ANNA", "second")

    assert ["second"] == [text.partition(": ")[2] for text in await said(world, "D0ANNA", 1)]
    [letter] = (await run_command(world.environment(), "dlq", "list", ACME))["letters"]
    assert "outcome_unknown" == letter["reason"]
    assert 2 == len(openclaw.turns)

    await run_command(world.environment(), "dlq", "replay", ACME, letter["delivery"])
    await eventually(lambda: len(openclaw.turns) == 3)
    texts = await said(world, "D0ANNA", 2)
    assert ["second", "first"] == [text.partition(": ")[2] for text in texts]
