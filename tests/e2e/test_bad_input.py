"""Odd and broken input on the real wire: the gateway goes on, and what was acked is not lost."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from gateway.archive.pages import AuditFilter
from gateway.core.audit import AuditAction, AuditRecord
from gateway.core.ids import UNROUTED, TenantId
from gateway.demo.world import World
from tests.support.waiting import eventually
from tests.support.worlds import ACME, ACME_TEAM, GLOBEX

pytestmark = pytest.mark.e2e

CHANNEL = "C0GENERAL"
FAST = {"GATEWAY_SLACK_POSTS_PER_S": "100"}


async def _records(world: World, tenant: TenantId, action: AuditAction) -> list[AuditRecord]:
    wanted = AuditFilter(tenant=tenant, action=action)
    page = await world.stores.archive.search(wanted, limit=1000)
    return [entry.record for entry in page.entries]


async def _still_answers(world: World, said: str = "are you there") -> None:
    """A message that comes after must find everything in order."""
    before = len(world.slack.bot_messages(ACME_TEAM, CHANNEL))
    world.slack.say(ACME_TEAM, CHANNEL, "U0ANNA", said, mention=True)
    answers = await world.slack.wait_for_bot_messages(ACME_TEAM, CHANNEL, before + 1, timeout_s=10)
    assert f"*acme*: you said: {said}" == answers[-1].text


async def test_frames_that_are_no_envelopes_change_nothing(world: World) -> None:
    """Not JSON, no object, no id, nested without end, larger than any event."""
    await world.start_gateway(FAST)
    opened = world.slack.sockets_opened

    for frame in (
        "not json",
        "",
        "[]",
        "null",
        '"\\ud800"',
        "{}",
        '{"type":"events_api"}',
        '{"type":"events_api","envelope_id":7,"payload":{}}',
        '{"type":7}',
        "[" * 100_000,
        json.dumps({"type": "events_api", "padding": "x" * 5_000_000}),
    ):
        world.slack.send_raw(frame)

    await _still_answers(world)
    assert opened == world.slack.sockets_opened
    assert [] == list(world.slack.stray_frames)


async def test_envelopes_of_every_type_are_acked(world: World) -> None:
    """Unacked, Slack would send them again and at last switch the app off."""
    await world.start_gateway(FAST)

    for envelope_type in ("interactive", "slash_commands", "something_new", "", None):
        world.slack.send_envelope({"type": envelope_type, "payload": {"team": {"id": "T0ACME"}}})
    payloads: list[object] = [None, [], "text", 7, {}, {"event": None}, {"event": {"type": 7}}]
    for payload in payloads:
        world.slack.send_envelope({"type": "events_api", "payload": payload})
    await world.slack.settled(timeout_s=10)

    assert [] == world.slack.unacked()
    await _still_answers(world)
    assert 1 == len(world.agents[ACME].accepted_ids)


async def test_events_with_broken_fields_are_acked_and_reach_nobody(world: World) -> None:
    """Each field missing, of a wrong type or of a size nobody needs."""
    await world.start_gateway(FAST)
    good: dict[str, object] = {
        "type": "message",
        "channel": CHANNEL,
        "channel_type": "channel",
        "user": "U0ANNA",
        "text": "<@U0BOT0ACME> hello",
        "ts": "1700000000.000100",
        "event_ts": "1700000000.000100",
    }

    broken: list[object] = [None, 7, [], {}, ""]
    for name in ("type", "channel", "user", "ts"):
        for value in broken:
            world.slack.send_event(ACME_TEAM, {**good, name: value})
    for outer in ({"event_id": None}, {"authorizations": 7, "team_id": 7, "context_team_id": []}):
        world.slack.send_event(ACME_TEAM, good, outer=dict(outer))
    world.slack.send_event(ACME_TEAM, {"type": "reaction_added", "item": "no object"})
    await world.slack.settled(timeout_s=10)

    assert [] == world.slack.unacked()
    assert [] == list(world.slack.given_up)
    await _still_answers(world)
    assert ["are you there"] == [each.body["text"] for each in world.agents[ACME].deliveries]


async def test_an_unknown_team_is_acked_and_on_record_and_goes_nowhere(world: World) -> None:
    """Its record belongs to the pseudo-tenant and names the workspace."""
    await world.start_gateway(FAST)
    world.slack.add_team("T0STRANGER")

    world.slack.say("T0STRANGER", CHANNEL, "U0ANNA", "let me in", mention=True)
    await world.slack.settled(timeout_s=10)

    async def dropped() -> list[AuditRecord]:
        return await _records(world, UNROUTED, AuditAction.EVENT_DROPPED)

    records: list[AuditRecord] = await eventually(dropped)

    assert [] == world.slack.unacked()
    assert {("T0STRANGER", "unbound_workspace", ("tenant: unbound_workspace",))} == {
        (record.workspace, record.reason, record.trail) for record in records
    }
    assert [] == world.agents[ACME].deliveries + world.agents[GLOBEX].deliveries
    assert [] == world.slack.bot_messages("T0STRANGER", CHANNEL)


async def test_forty_thousand_characters_go_both_ways(world: World) -> None:
    """In as one delivery, out as several messages, in order and complete."""
    await world.start_gateway(FAST)
    text = " ".join(f"word{number}" for number in range(5_000))[:39_900].rstrip()

    world.slack.say(ACME_TEAM, CHANNEL, "U0ANNA", text, mention=True)
    [delivery] = await world.agents[ACME].wait_for(1, timeout_s=10)
    [reply] = await world.agents[ACME].wait_for_replies(1, timeout_s=10)
    parts = json.loads(reply.body)["parts"]
    answers = await world.slack.wait_for_bot_messages(ACME_TEAM, CHANNEL, parts, timeout_s=20)

    assert text == delivery.body["text"]
    assert 4 == parts  # of 12,000 characters each, as many as Slack's markdown block holds
    said = " ".join(answer.text for answer in answers)
    assert f"*acme*: you said: {text}".split() == said.split()


async def test_a_longer_answer_is_refused_with_its_field(world: World) -> None:
    """The agent learns it at once; nothing of it is posted."""
    await world.start_gateway(FAST)

    reply = await world.agents[ACME].send(
        f"slack:{ACME_TEAM}:{CHANNEL}", "x" * 40_001, idempotency_key="k"
    )

    assert (400, "text") == (reply.status, json.loads(reply.body)["error"]["field"])
    await _still_answers(world)


@pytest.mark.parametrize(
    "text",
    [
        "\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f1e9\U0001f1ea \u2764\ufe0f",
        "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd mixed 123",
        "e\u0301 \u0e01\u0e33 \u4f60\u597d \ufb01 \U00020000",
    ],
    ids=["emoji", "right to left", "combining"],
)
async def test_letters_of_all_kinds_stay_as_they_are(world: World, text: str) -> None:
    """There and back, code point by code point."""
    await world.start_gateway(FAST)

    world.slack.say(ACME_TEAM, CHANNEL, "U0ANNA", text, mention=True)
    [answer] = await world.slack.wait_for_bot_messages(ACME_TEAM, CHANNEL, 1, timeout_s=10)

    assert [text] == [each.body["text"] for each in world.agents[ACME].deliveries]
    assert f"*acme*: you said: {text}" == answer.text


async def test_marks_that_turn_text_around_reach_the_agent_and_nobody_else(world: World) -> None:
    """In an answer they could make a link read as another."""
    await world.start_gateway(FAST)
    text = "\u202ereversed\u202c \u2066isolated\u2069"

    world.slack.say(ACME_TEAM, CHANNEL, "U0ANNA", text, mention=True)
    [answer] = await world.slack.wait_for_bot_messages(ACME_TEAM, CHANNEL, 1, timeout_s=10)

    assert [text] == [each.body["text"] for each in world.agents[ACME].deliveries]
    assert "*acme*: you said: reversed isolated" == answer.text


async def test_odd_requests_at_the_agents_door_leave_it_open(world: World) -> None:
    """Bytes that are no HTTP, headers without end, half a request, a body that never comes."""
    gateway = await world.start_gateway(FAST)
    host, port = gateway.agent_api.removeprefix("http://").split(":")

    for raw in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + b"k" * 100_000,
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"GET /\r\n\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf",
    ):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(raw)
        await writer.drain()
        writer.close()
    async with aiohttp.ClientSession() as session:
        url = f"{gateway.agent_api}/v1/messages"
        async with session.post(url, data=b"{}", headers={"Authorization": "Bearer x"}) as answer:
            assert 401 == answer.status

    await _still_answers(world)


async def test_no_log_line_holds_what_was_said_or_a_secret(world: World) -> None:
    """A whole conversation, a refused one and a stop: ids and reasons, nothing else."""
    gateway = await world.start_gateway({**FAST, "GATEWAY_LOG_LEVEL": "debug"})
    world.slack.say(ACME_TEAM, CHANNEL, "U0ANNA", "the launch code is swordfish", mention=True)
    await world.slack.wait_for_bot_messages(ACME_TEAM, CHANNEL, 1, timeout_s=10)
    await world.agents[ACME].send("slack:T0GLOBEX:C0GENERAL", "swordfish", idempotency_key="k")
    await gateway.stop()

    lines = [*(json.dumps(entry) for entry in gateway.logs), *gateway.stray_lines]
    events = {entry["event"] for entry in gateway.logs}
    secrets = ["swordfish", "xoxb-", "xapp-", "cgk_", "whsec_", *world.keys.values()]
    assert {"event.handled", "request.queued", "delivery.attempted"} <= events
    assert "isolation.violation" in events
    assert [] == list(gateway.stray_lines)
    assert [] == [line for line in lines for secret in secrets if secret in line]
