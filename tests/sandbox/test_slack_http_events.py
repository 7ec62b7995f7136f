"""Requests as Slack sends them, and what it does with the answers."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator
from urllib.parse import parse_qs

import aiohttp
import orjson
import pytest
from aiohttp import web
from slack_sdk.signature import SignatureVerifier

from gateway.sandbox.slack import SlackRules, SlackSandbox
from gateway.sandbox.wire import LoopbackServer
from tests.sandbox.plain_app import PlainApp

TEAM, CHANNEL, ANN, SECRET = "T0AAAA", "C0GENERAL", "U0ANN", "a-signing-secret"
QUICK = SlackRules(redelivery_delays_s=(0.0, 0.02, 0.05))


class App:
    """An app with request URLs. It answers as planned, else with HTTP 200 and nothing."""

    def __init__(self) -> None:
        self.requests: list[tuple[web.Request, bytes]] = []
        self.answers: deque[web.Response] = deque()
        self._app = web.Application()
        self._app.router.add_post("/slack/{kind}", self._answer)
        self.server = LoopbackServer(self._app)

    async def _answer(self, request: web.Request) -> web.Response:
        self.requests.append((request, await request.read()))
        return self.answers.popleft() if self.answers else web.Response()


@pytest.fixture
async def app() -> AsyncIterator[App]:
    """An app that nobody calls yet."""
    listening = App()
    yield listening
    await listening.server.close()


@pytest.fixture
async def slack(app: App) -> AsyncIterator[SlackSandbox]:
    """Slack, with the app's addresses."""
    async with SlackSandbox(rules=QUICK) as sandbox:
        sandbox.add_team(TEAM)
        port = await app.server.start("127.0.0.1", 0)
        sandbox.http.point_at(f"http://127.0.0.1:{port}", SECRET)
        yield sandbox


async def test_requests_are_signed_as_slacks_sdk_verifies_them(
    app: App, slack: SlackSandbox
) -> None:
    """Each kind in its own form, on its own path."""
    slack.say(TEAM, CHANNEL, ANN, "hello")
    slack.run_command(TEAM, CHANNEL, ANN, "/ask", "why?")
    slack.use_shortcut(TEAM, ANN, "brief")
    await slack.settled(5)
    verifier = SignatureVerifier(SECRET)
    by_path = {request.path: body for request, body in app.requests}
    assert all(verifier.is_valid_request(body, dict(r.headers)) for r, body in app.requests)
    assert "hello" == orjson.loads(by_path["/slack/events"])["event"]["text"]
    assert ["why?"] == parse_qs(by_path["/slack/commands"].decode())["text"]
    [payload] = parse_qs(by_path["/slack/interactive"].decode())["payload"]
    assert "brief" == orjson.loads(payload)["callback_id"]
    assert {0} == {delivery.socket for delivery in slack.deliveries}
    assert {200} == {request.status for request in slack.http.requests}


async def test_events_come_again_by_the_ladder(app: App, slack: SlackSandbox) -> None:
    """Four times in all, with the number and the reason of each repetition, then no more."""
    app.answers.extend(web.Response(status=503) for _ in range(4))
    slack.say(TEAM, CHANNEL, ANN, "hello")
    await slack.settled(5)
    told = [
        (r.headers.get("X-Slack-Retry-Num"), r.headers.get("X-Slack-Retry-Reason"))
        for r, _ in app.requests
    ]
    again = [(number, "http_error") for number in ("1", "2", "3")]
    assert [(None, None), *again] == told
    assert 1 == len({body for _, body in app.requests})
    assert 1 == len(slack.given_up)
    delays = SlackRules().redelivery_delays_s
    assert (0.0, 60.0, 300.0) == delays


async def test_an_app_may_forbid_repetition(app: App, slack: SlackSandbox) -> None:
    """X-Slack-No-Retry."""
    app.answers.append(web.Response(status=500, headers={"X-Slack-No-Retry": "1"}))
    slack.say(TEAM, CHANNEL, ANN, "hello")
    await slack.settled(5)
    assert (1, 1) == (len(app.requests), len(slack.given_up))


async def test_commands_come_once_and_may_be_answered(app: App, slack: SlackSandbox) -> None:
    """What is answered in JSON is shown."""
    reply = {"response_type": "ephemeral", "text": "On it."}
    app.answers.append(web.json_response(reply))
    slack.run_command(TEAM, CHANNEL, ANN, "/ask")
    await slack.settled(5)
    app.answers.append(web.Response(status=500))
    failed = slack.run_command(TEAM, CHANNEL, ANN, "/ask")
    await slack.settled(5)
    assert [reply, None] == [delivery.response for delivery in slack.deliveries]
    assert ([failed], 2) == (list(slack.given_up), len(app.requests))


async def test_who_cannot_be_reached_is_called_again(app: App, slack: SlackSandbox) -> None:
    """Connections fail at once, and are tried as often."""
    await app.server.close()
    slack.say(TEAM, CHANNEL, ANN, "hello")
    await slack.settled(5)
    reasons = [r.headers.get("X-Slack-Retry-Reason") for r in slack.http.requests]
    assert [None, *["connection_failed"] * 3] == reasons


async def test_an_address_is_verified_by_its_answer(app: App, slack: SlackSandbox) -> None:
    """It has to say what it was told."""
    assert not await slack.http.verify()
    body = orjson.loads(app.requests[0][1])
    assert {"type", "challenge", "token"} == set(body)
    timestamp = int(app.requests[0][0].headers["X-Slack-Request-Timestamp"])
    assert abs(time.time() - timestamp) < 60


async def test_without_addresses_sockets_serve_again(app: App, slack: SlackSandbox) -> None:
    """An app can go back."""
    slack.http.point_nowhere()
    async with aiohttp.ClientSession() as session:
        plain = await PlainApp.connect(slack, session)
        slack.say(TEAM, CHANNEL, ANN, "hello")
        frame = await plain.frame()
        await plain.ack(frame)
        await slack.settled(5)
        await plain.close()
    assert "hello" == frame["payload"]["event"]["text"]
    assert [] == app.requests
