"""Socket Mode of the sandbox, frame by frame, against the documents and seen without an SDK."""

from __future__ import annotations

import aiohttp
import pytest

from gateway.sandbox.slack import SlackRules, SlackSandbox
from tests.sandbox.conftest import ALPHA, BETA, HASTY
from tests.sandbox.plain_app import PlainApp, open_url


async def test_the_greeting_names_the_app(slack: SlackSandbox, app: PlainApp) -> None:
    """`hello` with the number of connections."""
    assert app.hello["type"] == "hello"
    assert {"app_id": slack.app_id} == app.hello["connection_info"]
    assert app.hello["num_connections"] == 1


async def test_a_ticket_works_once(slack: SlackSandbox, session: aiohttp.ClientSession) -> None:
    """A client that dials an old URL again is refused, whatever became of the first try."""
    url = await open_url(slack, session)
    slack.refuse_upgrades(1)
    statuses = []
    for _ in range(2):
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(url.replace("ticket=", "ticket=x"))
        statuses.append(caught.value.status)
    async with session.ws_connect(url) as ws:
        await ws.receive_str(timeout=5)
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await session.ws_connect(url)
    assert [*statuses, caught.value.status] == [503, 403, 403]


async def test_one_socket_too_many_is_told_so(session: aiohttp.ClientSession) -> None:
    """At most `max_sockets` (ten on Slack)."""
    async with SlackSandbox(rules=SlackRules(max_sockets=1)) as slack:
        first = await PlainApp.connect(slack, session)
        second = await PlainApp.connect(slack, session)
        assert (
            second.hello["type"],
            second.hello["reason"],
        ) == ("disconnect", "too_many_websockets")
        assert await second.end() == aiohttp.WSMsgType.CLOSE
        await first.close()


async def test_every_event_goes_to_one_of_the_sockets(
    slack: SlackSandbox, session: aiohttp.ClientSession
) -> None:
    """Connections share the events; no event goes to two."""
    apps = [await PlainApp.connect(slack, session) for _ in range(2)]
    for number in range(4):
        slack.say(ALPHA if number % 2 else BETA, "C0GENERAL", "U0ANN", str(number))
    texts = []
    for app in apps:
        for _ in range(2):
            frame = await app.frame()
            await app.ack(frame)
            texts.append(frame["payload"]["event"]["text"])
    await slack.settled(5)
    assert sorted(texts) == ["0", "1", "2", "3"]
    for app in apps:
        await app.close()


async def test_an_event_waits_for_a_socket(
    slack: SlackSandbox, session: aiohttp.ClientSession
) -> None:
    """With nobody connected an event counts as not acknowledged and comes again."""
    slack.say(ALPHA, "C0GENERAL", "U0ANN", "anyone?")
    slack.lose_patience()
    app = await PlainApp.connect(slack, session)
    frame = await app.frame()
    await app.ack(frame)
    await slack.settled(5)
    assert frame["retry_attempt"] >= 1
    assert frame["retry_reason"] == "timeout"
    assert slack.given_up == []
    await app.close()


@pytest.mark.parametrize("slack", [HASTY], indirect=True)
async def test_a_late_ack_does_not_stop_the_redelivery(slack: SlackSandbox, app: PlainApp) -> None:
    """The three seconds are counted by Slack, not by the app."""
    slack.say(ALPHA, "C0GENERAL", "U0ANN", "slow one")
    first = await app.frame()
    second = await app.frame()
    await app.ack(first)
    await app.ack(second)
    await slack.settled(5)
    assert first["payload"]["event_id"] == second["payload"]["event_id"]
    assert [delivery.acked for delivery in slack.deliveries[:2]] == [True, True]
    assert slack.rules.ack_deadline_s <= (slack.deliveries[0].acked_after_s or 0)


async def test_an_ack_may_come_over_another_socket(
    slack: SlackSandbox, app: PlainApp, session: aiohttp.ClientSession
) -> None:
    """The ledger tells where an envelope went and where its ack came from."""
    slack.say(ALPHA, "C0GENERAL", "U0ANN", "hello")
    frame = await app.frame()
    other = await PlainApp.connect(slack, session)
    await other.ack(frame)
    await slack.settled(5)
    assert (slack.deliveries[0].socket, slack.deliveries[0].acked_on_socket) == (1, 2)
    await other.close()


@pytest.mark.parametrize("slack", [HASTY], indirect=True)
async def test_other_envelopes_come_once_and_may_be_answered(
    slack: SlackSandbox, app: PlainApp
) -> None:
    """Slash commands accept a payload in the acknowledgement and are not sent again."""
    payload = {"command": "/ask", "team_id": ALPHA, "text": "why"}
    envelope = {"type": "slash_commands", "accepts_response_payload": True, "payload": payload}
    envelope_id = slack.send_envelope(envelope)
    frame = await app.frame()
    await app.ack(frame, {"text": "because"})
    unanswered_id = slack.send_envelope({"type": "interactive", "payload": {}})
    await app.frame()
    await slack.settled(5)
    assert envelope | {"envelope_id": envelope_id} == frame
    assert [delivery.response for delivery in slack.deliveries] == [{"text": "because"}, None]
    assert unanswered_id in slack.given_up


async def test_frames_that_make_no_sense_pass_both_ways(slack: SlackSandbox, app: PlainApp) -> None:
    """The sandbox can send what is no JSON, and notes what acknowledges nothing."""
    slack.send_raw("{not json")
    assert await app.text() == "{not json"
    for stray in ("hm", "[]", '{"envelope_id":"unknown"}'):
        await app.say(stray)
    slack.say(ALPHA, "C0GENERAL", "U0ANN", "hello")
    await app.ack(await app.frame())
    await slack.settled(5)
    assert slack.stray_frames == ["hm", "[]", '{"envelope_id":"unknown"}']


async def test_a_disconnect_is_announced_before_it_happens(
    slack: SlackSandbox, app: PlainApp
) -> None:
    """Events still come between the frame and the end."""
    slack.disconnect_all("warning")
    slack.say(ALPHA, "C0GENERAL", "U0ANN", "last one")
    frames = [await app.frame() for _ in range(2)]
    assert (frames[0]["type"], frames[0]["reason"]) == ("disconnect", "warning")
    assert frames[1]["payload"]["event"]["text"] == "last one"
    assert await app.end() == aiohttp.WSMsgType.CLOSE
    await slack.wait_for_sockets(0, 5)


async def test_the_server_pings(slack: SlackSandbox, session: aiohttp.ClientSession) -> None:
    """Slack pings its clients; the frame reaches those who read control frames themselves."""
    url = await open_url(slack, session)
    async with session.ws_connect(url, autoping=False) as ws:
        await ws.receive_str(timeout=5)
        assert (await ws.receive(timeout=5)).type == aiohttp.WSMsgType.PING


async def test_a_frozen_socket_stays_open_and_is_silent(
    slack: SlackSandbox, session: aiohttp.ClientSession
) -> None:
    """No event, no ping, no pong, no end: only the client's own clock can tell."""
    url = await open_url(slack, session)
    async with session.ws_connect(url, autoping=False) as ws:
        await ws.receive_str(timeout=5)
        slack.freeze_sockets()
        slack.say(ALPHA, "C0GENERAL", "U0ANN", "hello?")
        await ws.ping()
        with pytest.raises(TimeoutError):
            await ws.receive(timeout=0.3)
        slack.drop_sockets()
        assert (await ws.receive(timeout=5)).type == aiohttp.WSMsgType.CLOSED
