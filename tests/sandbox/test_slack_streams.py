"""Messages that grow, against the pages of chat.startStream, chat.appendStream, chat.stopStream."""

from __future__ import annotations

from dataclasses import replace

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from gateway.sandbox.slack import SlackSandbox
from gateway.sandbox.slack.rules import TIERS
from tests.sandbox.conftest import ALPHA, QUICK
from tests.support.waiting import eventually

CHANNEL, ANN = "C0GENERAL", "U0ANN"
WHO = {"recipient_team_id": ALPHA, "recipient_user_id": ANN}


async def started(slack: SlackSandbox, web: AsyncWebClient, **arguments: object) -> str:
    """A stream below a question of Ann's."""
    root = slack.say(ALPHA, CHANNEL, ANN, "hello?")
    given = {"channel": CHANNEL, "thread_ts": root, "markdown_text": "One", **WHO, **arguments}
    answer = await web.api_call("chat.startStream", json=given)
    return str(answer["ts"])


async def refused(web: AsyncWebClient, method: str, **arguments: object) -> str:
    """The error of a call."""
    with pytest.raises(SlackApiError) as caught:
        await web.api_call(method, json=arguments)
    return str(caught.value.response["error"])


async def test_the_sdk_streams(slack: SlackSandbox, web: AsyncWebClient) -> None:
    """Slack's own helper, from the first word to the last."""
    root = slack.say(ALPHA, CHANNEL, ANN, "hello?")
    stream = await web.chat_stream(channel=CHANNEL, thread_ts=root, buffer_size=4, **WHO)
    for word in ("Hello", ", ", "**world**"):
        await stream.append(markdown_text=word)
    await stream.stop(metadata={"event_type": "x", "event_payload": {}})

    [message] = slack.bot_messages(ALPHA, CHANNEL)
    assert ("Hello, **world**", root) == (message.text, message.thread_ts)
    assert {"event_type": "x", "event_payload": {}} == message.metadata


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"thread_ts": ""}, "invalid_arguments"),
        ({"channel": "C0NOWHERE"}, "channel_not_found"),
        ({"recipient_team_id": ""}, "missing_recipient_team_id"),
        ({"recipient_user_id": ""}, "missing_recipient_user_id"),
        ({"recipient_user_id": "U0NOBODY"}, "user_not_found"),
        ({"markdown_text": "x" * 12_001}, "msg_too_long"),
        ({"chunks": []}, "cannot_provide_both_markdown_text_and_chunks"),
    ],
)
async def test_a_wrong_start_is_refused_by_name(
    slack: SlackSandbox, web: AsyncWebClient, arguments: dict[str, object], error: str
) -> None:
    """https://docs.slack.dev/reference/methods/chat.startStream/#errors"""
    root = slack.say(ALPHA, CHANNEL, ANN, "hello?")
    given = {"channel": CHANNEL, "thread_ts": root, "markdown_text": "One", **WHO, **arguments}
    assert error == await refused(web, "chat.startStream", **given)
    assert [] == slack.bot_messages(ALPHA, CHANNEL)


async def test_nobody_need_be_named_in_a_direct_message(
    slack: SlackSandbox, web: AsyncWebClient
) -> None:
    """There is one person only."""
    root = slack.say(ALPHA, "D0ANN", ANN, "hello?")
    answer = await web.api_call("chat.startStream", json={"channel": "D0ANN", "thread_ts": root})
    assert answer["ok"]


async def test_what_has_ended_grows_no_more(slack: SlackSandbox, web: AsyncWebClient) -> None:
    """By chat.stopStream; and it can be edited from then on, not before."""
    ts = await started(slack, web)
    place = {"channel": CHANNEL, "ts": ts}
    early = await refused(web, "chat.update", **place, text="edited")
    await web.api_call("chat.stopStream", json=place)

    assert "streaming_state_conflict" == early
    for method in ("chat.appendStream", "chat.stopStream"):
        found = await refused(web, method, **place, markdown_text="more")
        assert "message_not_in_streaming_state" == found
    await web.chat_update(channel=CHANNEL, ts=ts, text="edited")
    assert ["edited"] == [each.text for each in slack.bot_messages(ALPHA, CHANNEL)]


@pytest.mark.parametrize("slack", [replace(QUICK, stream_lifetime_s=0.05)], indirect=True)
async def test_slack_ends_it_by_itself(
    slack: SlackSandbox, web: AsyncWebClient, session: aiohttp.ClientSession
) -> None:
    """After its time, however much is added meanwhile."""
    ts = await started(slack, web)

    async def error() -> str:
        call = {"channel": CHANNEL, "ts": ts, "markdown_text": "."}
        async with session.post(
            f"{slack.base_url}chat.appendStream",
            json=call,
            headers={"Authorization": f"Bearer xoxb-{ALPHA}"},
        ) as response:
            return str((await response.json()).get("error", ""))

    assert "message_not_in_streaming_state" == await eventually(error)


async def test_a_user_stops_it(slack: SlackSandbox, web: AsyncWebClient) -> None:
    """Who would add something is told so; the app gets the event as well."""
    ts = await started(slack, web)
    root = slack.bot_messages(ALPHA, CHANNEL)[0].thread_ts or ""
    slack.stop_agent(ALPHA, CHANNEL, ANN, root, streaming=[ts])
    place = {"channel": CHANNEL, "ts": ts}

    assert "stopped_by_user" == await refused(
        web, "chat.appendStream", **place, markdown_text="more"
    )
    assert "message_not_in_streaming_state" == await refused(web, "chat.stopStream", **place)
    await web.chat_update(channel=CHANNEL, ts=ts, text="edited")


async def test_others_and_odd_additions_are_refused(
    slack: SlackSandbox, web: AsyncWebClient
) -> None:
    """https://docs.slack.dev/reference/methods/chat.appendStream/#errors"""
    ts = await started(slack, web)
    posted = await web.chat_postMessage(channel=CHANNEL, text="no stream")
    said = slack.say(ALPHA, CHANNEL, ANN, "mine")
    place = {"channel": CHANNEL, "ts": ts}
    chunks = [{"type": "markdown_text", "text": "x"}]
    cases: list[tuple[dict[str, object], str]] = [
        ({**place}, "markdown_text_or_chunks_required"),
        ({**place, "chunks": chunks}, "streaming_mode_mismatch"),
        ({**place, "chunks": "no list"}, "invalid_arguments"),
        (
            {"channel": CHANNEL, "ts": posted["ts"], "markdown_text": "x"},
            "message_not_in_streaming_state",
        ),
        ({"channel": CHANNEL, "ts": said, "markdown_text": "x"}, "message_not_owned_by_app"),
        ({"channel": CHANNEL, "ts": "1.000001", "markdown_text": "x"}, "message_not_found"),
    ]
    for arguments, error in cases:
        assert error == await refused(web, "chat.appendStream", **arguments)


@pytest.mark.parametrize("slack", [replace(QUICK, method_rates=TIERS)], indirect=True)
async def test_twenty_begin_in_a_minute(slack: SlackSandbox, web: AsyncWebClient) -> None:
    """Tier 2; Retry-After says when there is room again."""
    for _ in range(20):
        await started(slack, web)
    with pytest.raises(SlackApiError) as caught:
        await started(slack, web)

    assert 429 == caught.value.response.status_code
    assert 1 <= int(caught.value.response.headers["Retry-After"]) <= 3


async def test_sessions_have_a_status(slack: SlackSandbox, web: AsyncWebClient) -> None:
    """https://docs.slack.dev/reference/methods/agents.sessions.setStatus/"""
    root = slack.say(ALPHA, CHANNEL, ANN, "hello?")
    place = {"channel_id": CHANNEL, "thread_ts": root}
    await web.api_call("agents.sessions.setStatus", json={**place, "status": "processing"})

    assert [(root, "processing")] == [(x.thread_ts, x.status) for x in slack.sessions.statuses]
    method = "agents.sessions.setStatus"
    assert "invalid_status" == await refused(web, method, **place, status="busy")
    assert "thread_ts_required" == await refused(web, method, channel_id=CHANNEL, status="active")
    assert "channel_not_found" == await refused(
        web, method, channel_id="C0NOWHERE", thread_ts=root, status="active"
    )


@pytest.mark.parametrize("slack", [replace(QUICK, agent_view=False)], indirect=True)
async def test_apps_of_the_older_view_have_none(slack: SlackSandbox, web: AsyncWebClient) -> None:
    """feature_disabled."""
    found = await refused(
        web, "agents.sessions.setStatus", channel_id=CHANNEL, thread_ts="1.1", status="active"
    )
    assert "feature_disabled" == found
