"""What the webhook does with Slack's requests, and with those of others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import msgspec
import orjson
import pytest

from adapters.slack.config import SlackConfig
from adapters.slack.http_source import SlackWebhook
from adapters.slack.signing import WINDOW_S, Refusal, Seen, Signing
from gateway.core.errors import QueueFullError, StoreError
from gateway.core.events import Command, Ignored, IgnoredReason
from gateway.sandbox.slack import SlackSandbox
from gateway.sandbox.slack.http_events import SentRequest, sign
from tests.adapters.slack.calling import SECRET, called
from tests.adapters.slack.conftest import ANN, CHANNEL, TEAM, Door
from tests.support.waiting import eventually

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
OLDER = "an-older-signing-secret"


@pytest.fixture
def http_config(request: pytest.FixtureRequest, config: SlackConfig) -> SlackConfig:
    """Two secrets are valid. Its parameter changes more."""
    changes = getattr(request, "param", {})
    return msgspec.structs.replace(config, signing_secrets=(SECRET, OLDER), **changes)


@pytest.fixture
async def url(http_config: SlackConfig, slack: SlackSandbox, door: Door) -> AsyncIterator[str]:
    """A gateway that Slack calls."""
    webhook = SlackWebhook(http_config, ignore=door.ignore, observe=door)
    async with called(webhook, slack, door) as address:
        yield address


def event_request(
    secret: str = SECRET, *, age_s: int = 0, body: bytes = b'{ "type" :"hologram"}'
) -> SentRequest:
    """A signed request of some age."""
    timestamp = str(int(time.time()) - age_s)
    signed = {
        "Content-Type": JSON,
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": sign(secret, timestamp, body),
    }
    return SentRequest("/slack/events", signed, body)


async def status_of(slack: SlackSandbox, request: SentRequest) -> int:
    """Send a request; returns the status of its answer."""
    response, _ = await slack.http.resend(request)
    return response.status


@pytest.mark.usefixtures("url")
async def test_an_event_is_answered_after_its_commit_and_not_before(
    slack: SlackSandbox, door: Door
) -> None:
    """Durable before ack: what is not stored must be sent again."""
    door.open.clear()
    slack.say(TEAM, CHANNEL, ANN, "hello")
    await eventually(lambda: door.entered)
    assert [None] == [request.status for request in slack.http.requests]
    door.open.set()
    await slack.settled(5)
    assert [200] == [request.status for request in slack.http.requests]
    assert [(True, None)] == [(each.acked, each.response) for each in slack.deliveries]
    assert ["hello"] == door.texts
    assert ["events_api"] == door.frames


@pytest.mark.usefixtures("url")
@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        (StoreError("down"), 503, "store_error"),
        (QueueFullError("full"), 503, "queue_full"),
        (RuntimeError("a bug"), 500, "fault"),
    ],
)
async def test_what_was_not_stored_comes_again_at_once(
    slack: SlackSandbox, door: Door, fault: Exception, status: int, reason: str
) -> None:
    """Within the same second, so under the same signature: that is no replay."""
    door.faults.append(fault)
    slack.say(TEAM, CHANNEL, ANN, "hello")
    await slack.settled(5)
    assert [status, 200] == [request.status for request in slack.http.requests]
    retries = [request.headers.get("X-Slack-Retry-Num") for request in slack.http.requests]
    assert [None, "1"] == retries
    assert "http_error" == slack.http.requests[1].headers["X-Slack-Retry-Reason"]
    assert [0, 1] == [event.retry for event in door.entered]
    assert [reason] == door.unacknowledged
    assert ["hello"] == door.texts


@pytest.mark.usefixtures("url")
async def test_a_replay_is_refused(slack: SlackSandbox, door: Door) -> None:
    """Whoever records a request must not be able to use it."""
    slack.say(TEAM, CHANNEL, ANN, "hello")
    await slack.settled(5)
    assert 401 == await status_of(slack, slack.http.requests[0])
    assert ["hello"] == [event.text for event in door.entered]
    assert ["replayed"] == door.unacknowledged


@pytest.mark.usefixtures("url")
@pytest.mark.parametrize("secret", [SECRET, OLDER])
@pytest.mark.parametrize("age_s", [0, 290, -290])
async def test_genuine_requests_are_let_in(slack: SlackSandbox, secret: str, age_s: int) -> None:
    """Of any valid secret, and of clocks that are apart; the signature is of the bytes."""
    assert 200 == await status_of(slack, event_request(secret, age_s=age_s))


GENUINE = event_request()


@pytest.mark.usefixtures("url")
@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (event_request("somebody's guess"), "bad_signature"),
        (event_request(age_s=310), "stale"),
        (event_request(age_s=-86_400), "stale"),
        (replace(GENUINE, body=GENUINE.body + b" "), "bad_signature"),
        (replace(GENUINE, headers={}), "bad_signature"),
        (
            replace(GENUINE, headers={**GENUINE.headers, "X-Slack-Signature": "v0=\u00fc"}),
            "bad_signature",
        ),
        (
            replace(GENUINE, headers={**GENUINE.headers, "X-Slack-Request-Timestamp": "1e9"}),
            "bad_signature",
        ),
    ],
)
async def test_strangers_are_refused(
    slack: SlackSandbox, door: Door, request_: SentRequest, reason: str
) -> None:
    """Before anything of the request is read."""
    assert 401 == await status_of(slack, request_)
    assert ([reason], [], []) == (door.unacknowledged, door.entered, door.ignored)


def test_without_a_secret_nobody_is_let_in(config: SlackConfig) -> None:
    """An empty list must not mean that all are welcome."""
    now_s = time.time()
    made = sign("", str(int(now_s)), b"{}")
    refusal = Signing(config.signing_secrets).refusal(str(int(now_s)), made, b"{}", now_s=now_s)
    assert Refusal.BAD_SIGNATURE is refusal


@pytest.mark.parametrize("http_config", [{"max_body_bytes": 1000}], indirect=True)
@pytest.mark.parametrize("chunked", [False, True])
async def test_large_bodies_are_refused(
    url: str, session: aiohttp.ClientSession, door: Door, chunked: bool
) -> None:
    """Announced or not."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * 100

    body: Any = chunks() if chunked else b"x" * 1100
    async with session.post(f"{url}/slack/events", data=body) as response:
        assert 413 == response.status
    assert ["too_large"] == door.unacknowledged


@pytest.mark.parametrize("http_config", [{"body_timeout_s": 0.05}], indirect=True)
async def test_slow_bodies_are_cut_off(
    url: str, session: aiohttp.ClientSession, door: Door
) -> None:
    """Nobody may hold a request open for ever."""
    never = asyncio.Event()

    async def dribble() -> AsyncIterator[bytes]:
        yield b"{"
        await never.wait()

    async with session.post(f"{url}/slack/events", data=dribble()) as response:
        assert 408 == response.status
    assert ["too_slow"] == door.unacknowledged


@pytest.mark.parametrize("http_config", [{"max_in_flight": 1}], indirect=True)
@pytest.mark.usefixtures("url")
async def test_too_much_at_once_comes_again(slack: SlackSandbox, door: Door) -> None:
    """A store that is slow must not fill the memory; Slack keeps what is refused."""
    door.open.clear()
    slack.say(TEAM, CHANNEL, ANN, "first")
    await eventually(lambda: door.entered)
    assert 503 == await status_of(slack, event_request())
    assert ["busy"] == door.unacknowledged
    door.open.set()
    await slack.settled(5)
    assert 200 == await status_of(slack, event_request(body=b"{}"))


@pytest.mark.usefixtures("url")
async def test_the_events_address_can_be_verified(slack: SlackSandbox, door: Door) -> None:
    """Slack asks for proof when the address is entered in the app's settings."""
    assert await slack.http.verify()
    assert (200, []) == (slack.http.requests[0].status, door.ignored)
    stranger = event_request("a guess", body=b'{"type":"url_verification","challenge":"abc"}')
    assert 401 == await status_of(slack, stranger)


async def test_the_certificate_can_be_looked_at(
    url: str, session: aiohttp.ClientSession, door: Door
) -> None:
    """Such a request has no signature, and does nothing."""
    address = f"{url}/slack/commands"
    async with session.get(address, params={"ssl_check": "1", "token": "t"}) as response:
        assert 200 == response.status
    async with session.post(address, data={"ssl_check": "1", "token": "t"}) as response:
        assert 200 == response.status
    async with session.get(address) as response:
        assert 405 == response.status
    assert ([], [], []) == (door.entered, door.ignored, door.unacknowledged)


@pytest.mark.usefixtures("url")
async def test_commands_and_interactions_come_in(slack: SlackSandbox, door: Door) -> None:
    """By the same parser as over a socket, each on its path."""
    slack.run_command(TEAM, CHANNEL, ANN, "/ask", "what & why?")
    slack.use_shortcut(TEAM, ANN, "brief")
    await slack.settled(5)
    paths = {"/slack/commands", "/slack/interactive"}
    assert paths == {request.path for request in slack.http.requests}
    heard = {event.text: event.detail for event in door.accepted}
    assert {"what & why?": Command(name="ask"), "": Command(name="brief")} == heard
    assert {None} == {delivery.response for delivery in slack.deliveries}


@pytest.mark.parametrize("http_config", [{"command_reply": "On it."}], indirect=True)
@pytest.mark.usefixtures("url")
async def test_a_command_is_replied_to_at_once(slack: SlackSandbox, door: Door) -> None:
    """In the answer itself, to nobody but who used it; other interactions get none."""
    slack.run_command(TEAM, CHANNEL, ANN, "/ask", "why?")
    slack.use_shortcut(TEAM, ANN, "brief")
    await slack.settled(5)
    answers = {delivery.event_type: delivery.response for delivery in slack.deliveries}
    reply = {"response_type": "ephemeral", "text": "On it."}
    assert {"/ask": reply, "shortcut": None} == answers
    assert 2 == len(door.accepted)


@pytest.mark.parametrize("http_config", [{"command_reply": "On it."}], indirect=True)
@pytest.mark.usefixtures("url")
async def test_a_command_that_was_not_stored_is_not_replied_to(
    slack: SlackSandbox, door: Door
) -> None:
    """Slack sends it once, and tells the person that it failed."""
    door.faults.append(StoreError("down"))
    envelope_id = slack.run_command(TEAM, CHANNEL, ANN, "/ask", "why?")
    await slack.settled(5)
    assert [envelope_id] == list(slack.given_up)
    assert [503] == [request.status for request in slack.http.requests]


@pytest.mark.usefixtures("url")
@pytest.mark.parametrize(
    ("kind", "body", "media_type"),
    [
        ("events_api", b"{", JSON),
        ("events_api", b"[]", JSON),
        ("events_api", b"\xff\x00", JSON),
        ("interactive", b"payload=%7B", FORM),
        ("interactive", b"nothing=1", FORM),
        ("interactive", b"&".join(b"a=1" for _ in range(500)), FORM),
        ("slash_commands", b"", FORM),
        ("slash_commands", b"\xff=\xff", FORM),
    ],
)
async def test_what_cannot_be_read_is_answered_and_ignored(
    slack: SlackSandbox, door: Door, kind: str, body: bytes, media_type: str
) -> None:
    """To be sent it again would help nobody."""
    response, _ = await slack.http.post(kind, body, media_type)
    assert 200 == response.status
    assert [] == door.entered
    assert 1 == len(door.ignored)
    assert door.ignored[0].reason in {IgnoredReason.MALFORMED, IgnoredReason.NO_WORKSPACE}


@pytest.mark.usefixtures("url")
async def test_what_is_no_event_is_answered_and_ignored(slack: SlackSandbox, door: Door) -> None:
    """Slack counts what fails against the app."""
    body = orjson.dumps({"type": "app_rate_limited", "team_id": TEAM})
    response, _ = await slack.http.post("events_api", body, JSON)
    assert 200 == response.status
    reason = Ignored(IgnoredReason.NOT_AN_EVENT, "payload.type is app_rate_limited")
    assert [reason] == door.ignored


@pytest.mark.usefixtures("url")
@pytest.mark.parametrize("number", ["-1", "two", "99999999999", ""])
async def test_odd_retry_numbers_are_no_retries(
    slack: SlackSandbox, door: Door, number: str
) -> None:
    """They are not signed."""
    slack.say(TEAM, CHANNEL, ANN, "hello")
    await slack.settled(5)
    payload = orjson.loads(slack.http.requests[0].body) | {"event_id": "Ev0OTHER"}
    await slack.http.post("events_api", orjson.dumps(payload), JSON, {"X-Slack-Retry-Num": number})
    assert [0, 0] == [event.retry for event in door.entered]


def test_seen_signatures_are_bounded_and_pass() -> None:
    """Memory must not grow with traffic; after its time no signature is valid anyway."""
    seen = Seen(most=2)
    assert seen.enter("a", now_s=0.0)
    assert not seen.enter("a", now_s=2 * WINDOW_S - 1)
    assert seen.enter("a", now_s=2 * WINDOW_S + 1)
    assert seen.enter("b", now_s=2 * WINDOW_S + 1)
    assert seen.enter("c", now_s=2 * WINDOW_S + 1)
    assert seen.enter("a", now_s=2 * WINDOW_S + 2)
    assert not seen.enter("c", now_s=2 * WINDOW_S + 2)
