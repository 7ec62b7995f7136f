"""Slack's other way in, and what both ways bring: forms, commands, channels of two tenants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
import msgspec
import orjson
import pytest

from gateway.archive.records import TenantSpec
from gateway.core.audit import AuditAction
from gateway.core.ids import UNROUTED, TenantId
from gateway.demo.world import World
from gateway.sandbox.process import GatewayProcess
from gateway.sandbox.slack import Message
from tests.support.evidence import records
from tests.support.waiting import eventually
from tests.support.worlds import ACME, ACME_TEAM, GLOBEX, GLOBEX_TEAM

pytestmark = pytest.mark.e2e

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
ANN, SHARED, LOBBY, NOBODYS = "U0ANN", "C0SHARED", "C0LOBBY", "T0NOBODYS"
HTTP = {"SLACK_MODE": "http", "SLACK_SIGNING_SECRET": SECRET, "GATEWAY_PUBLIC_PORT": "0"}
FORM = {
    "type": "form",
    "id": "order",
    "title": "Order",
    "fields": [{"id": "dish", "label": "Dish"}],
}


async def start(world: World, env: Mapping[str, str]) -> GatewayProcess:
    """Start a gateway that Slack calls, and tell Slack where."""
    gateway = GatewayProcess({**world.environment(), **HTTP, **env})
    world.gateways.append(gateway)
    await gateway.start()
    await gateway.listening()
    world.slack.http.point_at(gateway.public, SECRET)
    for agent in world.agents.values():
        agent.gateway_url = gateway.agent_api
    return gateway


def bodies(world: World, tenant: TenantId) -> list[dict[str, Any]]:
    """What a tenant's agent was given, each delivery once."""
    given = {each.delivery_id: each.body for each in world.agents[tenant].deliveries}
    return list(given.values())


async def post_form(world: World) -> str:
    """Let Acme's agent bring a form into the lobby; returns the message's ts."""
    world.slack.add_channel(ACME_TEAM, LOBBY)
    async with aiohttp.ClientSession(world.gateway.agent_api) as session:
        message = {
            "conversation": f"slack:{ACME_TEAM}:{LOBBY}",
            "text": "Hungry?",
            "components": [FORM],
        }
        headers = {"Authorization": f"Bearer {world.keys[ACME]}", "Idempotency-Key": "form-1"}
        async with session.post("/v1/messages", json=message, headers=headers) as answer:
            assert answer.status in {200, 202}, await answer.text()
    [posted] = await world.slack.wait_for_bot_messages(ACME_TEAM, LOBBY, 1, timeout_s=20)
    return posted.ts


async def test_the_whole_road_over_http(world: World) -> None:
    """No socket is opened, no app token is needed, and the answer stands in the channel."""
    gateway = await start(world, {"SLACK_APP_TOKEN": "", "SLACK_COMMAND_REPLY": "On it."})
    assert await world.slack.http.verify()
    world.slack.say(ACME_TEAM, "D0ANN", ANN, "good morning")
    world.slack.run_command(ACME_TEAM, LOBBY, ANN, "/ask", "why?")
    await world.slack.wait_for_bot_messages(ACME_TEAM, "D0ANN", 1, timeout_s=20)
    await world.slack.settled(10)
    await world.agents[ACME].wait_for(2, 20)

    assert {"message.created", "command.invoked"} == {each["type"] for each in bodies(world, ACME)}
    assert 0 == world.slack.sockets_opened
    answers = [each.response for each in world.slack.deliveries if each.type == "slash_commands"]
    assert [{"response_type": "ephemeral", "text": "On it."}] == answers
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{gateway.public}/v1/conversations") as answer:
            assert 404 == answer.status
        async with session.get(f"{gateway.agent_api}/slack/events") as answer:
            assert 404 == answer.status


async def test_what_comes_both_ways_is_one_thing(world: World) -> None:
    """While an app moves from one mode to the other, Slack may send an event by each."""
    await start(world, {"SLACK_MODE": "both"})
    await world.slack.wait_for_sockets(2, 20)
    world.slack.say(ACME_TEAM, "D0ANN", ANN, "once")
    await world.slack.settled(10)
    payload = orjson.loads(world.slack.http.requests[0].body)

    world.slack.http.point_nowhere()
    world.slack.send_envelope({"type": "events_api", "payload": payload})
    world.slack.say(ACME_TEAM, "D0ANN", ANN, "twice")
    await world.slack.settled(10)
    await world.slack.wait_for_bot_messages(ACME_TEAM, "D0ANN", 2, timeout_s=20)

    assert [0, 1] == sorted({min(each.socket, 1) for each in world.slack.deliveries})
    assert ["once", "twice"] == [each["text"] for each in bodies(world, ACME)]
    outcomes = [
        each.outcome for each in await records(world) if each.event_id == payload["event_id"]
    ]
    assert 1 == outcomes.count("accepted")
    assert 1 == outcomes.count("duplicate")


async def test_a_form_is_opened_and_answered(world: World) -> None:
    """Over HTTP: the dialog is the platform's, the answers are the agent's."""
    await start(world, {})
    ts = await post_form(world)
    [message] = world.slack.bot_messages(ACME_TEAM, LOBBY)
    blocks: list[Any] = message.blocks or []
    action_id = blocks[-1]["elements"][0]["action_id"]
    world.slack.press(ACME_TEAM, LOBBY, ANN, ts, action_id)
    await world.slack.settled(10)
    [view] = world.slack.views
    assert (ACME_TEAM, ANN) == (view.team_id, view.user_id)

    world.slack.submit(ACME_TEAM, ANN, view.content, {"dish": "Soup"})
    await world.slack.settled(10)
    await world.agents[ACME].wait_for(1, 20)
    [heard] = bodies(world, ACME)
    assert "action.invoked" == heard["type"]
    assert {"dish": ["Soup"]} == heard["action"]["fields"]
    asked = [each for each in await records(world) if each.action is AuditAction.FORM_REQUESTED]
    assert [(ACME, "found", "order")] == [(e.tenant, e.outcome, e.detail) for e in asked]
    assert [] == bodies(world, GLOBEX)


async def test_nobody_opens_another_tenants_form(world: World) -> None:
    """Laws 2 and 4: a press in one workspace finds no form of another, whatever it names."""
    await start(world, {})
    await post_form(world)
    [message] = world.slack.bot_messages(ACME_TEAM, LOBBY)
    world.slack.add_team(NOBODYS)
    for team in (GLOBEX_TEAM, NOBODYS):
        ts = await _post_copy(world, team, message)
        world.slack.press(team, LOBBY, ANN, ts, "gw:f0:order")
    await world.slack.settled(10)

    assert {True} == {each.acked for each in world.slack.deliveries if each.type == "interactive"}
    shown: list[Any] = [(view.team_id, view.content["title"]) for view in world.slack.views]
    assert [(GLOBEX_TEAM, "Not available")] == [(team, title["text"]) for team, title in shown]
    asked = [each for each in await records(world) if each.action is AuditAction.FORM_REQUESTED]
    expected = {(GLOBEX, "gone", ""), (UNROUTED, "dropped", "unbound_workspace")}
    assert expected == {(each.tenant, each.outcome, each.reason) for each in asked}


async def test_a_channel_of_two_tenants_is_heard_by_both_and_kept_apart(world: World) -> None:
    """Slack Connect: one event, two agents, each within its own workspace; no id of the other's."""
    await start(world, {})
    world.slack.share_channel(SHARED, ACME_TEAM, GLOBEX_TEAM)
    for tenant in (ACME, GLOBEX):
        await world.stores.provisioning.edit_tenant(tenant, _hears_all)
    ts = world.slack.say(ACME_TEAM, SHARED, ANN, "hello all")
    await world.slack.settled(10)
    for team in (ACME_TEAM, GLOBEX_TEAM):
        [answer] = await world.slack.wait_for_bot_messages(team, SHARED, 1, timeout_s=20)
        assert ts == answer.thread_ts

    for tenant, team, other in ((ACME, ACME_TEAM, GLOBEX_TEAM), (GLOBEX, GLOBEX_TEAM, ACME_TEAM)):
        [heard] = bodies(world, tenant)
        assert f"slack:{team}:{SHARED}:{ts}" == heard["conversation"]["id"]
        assert other not in str(heard)
        assert "hello all" == heard["text"]
    # Law 8: each may answer in its own workspace, and not in the other's, though both are there.
    agent = world.agents[GLOBEX]
    reply = await agent.send(f"slack:{ACME_TEAM}:{SHARED}:{ts}", "psst", idempotency_key="k1")
    assert reply.status in {403, 404}
    assert 1 == len(world.slack.bot_messages(ACME_TEAM, SHARED))


async def test_without_leave_to_ask_the_named_tenant_alone_hears_it(world: World) -> None:
    """No app token, or one without `authorizations:read`: as if the channel were not shared."""
    await start(world, {"SLACK_APP_TOKEN": ""})
    world.slack.share_channel(SHARED, ACME_TEAM, GLOBEX_TEAM)
    world.slack.say(ACME_TEAM, SHARED, ANN, "hello", mention=True)
    await world.slack.settled(10)
    await world.agents[ACME].wait_for(1, 20)
    routed = [each for each in await records(world) if each.action is AuditAction.EVENT_ROUTED]
    assert {ACME} == {each.tenant for each in routed}


async def test_a_gateway_that_stops_finishes_what_it_was_asked(world: World) -> None:
    """The listener is closed first; who calls later finds nobody and tries again. No log line has
    told the secret.
    """
    gateway = await start(world, {"GATEWAY_LOG_LEVEL": "debug"})
    world.slack.say(ACME_TEAM, "D0ANN", ANN, "hello")
    await world.slack.settled(10)
    assert 0 == await gateway.stop()
    assert "event.handled" in {entry["event"] for entry in gateway.logs}
    assert SECRET not in str([*gateway.logs, *gateway.stray_lines])
    with pytest.raises(aiohttp.ClientConnectorError):
        await world.slack.http.verify()

    async def recorded() -> bool:
        return any(each.outcome == "accepted" for each in await records(world))

    assert await eventually(recorded)


def _hears_all(spec: TenantSpec) -> TenantSpec:
    access = msgspec.structs.replace(spec.access, require_mention=False)
    return msgspec.structs.replace(spec, access=access)


async def _post_copy(world: World, team: str, message: Message) -> str:
    """Post the same message in another workspace, marker and all; returns its ts."""
    world.slack.add_channel(team, LOBBY)
    copy = {"channel": LOBBY, "blocks": message.blocks, "metadata": message.metadata}
    headers = {"Authorization": f"Bearer xoxb-{team}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{world.slack.base_url}chat.postMessage", json=copy, headers=headers
        ) as answer,
    ):
        return str((await answer.json())["ts"])
