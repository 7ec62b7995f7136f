"""Slack's own SDK is the judge of the sandbox's wire: it must work against it as against Slack."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from gateway.sandbox.slack import RateLimited, SlackSandbox, Team
from tests.sandbox.conftest import ALPHA, HASTY


class SdkApp:
    """A Socket Mode app made of the SDK, which acknowledges or is silent."""

    def __init__(self, slack: SlackSandbox, session: aiohttp.ClientSession) -> None:
        web = AsyncWebClient(base_url=slack.base_url, session=session)
        self.requests: asyncio.Queue[SocketModeRequest] = asyncio.Queue()
        self.acknowledges = True
        self.client = SocketModeClient(slack.app_token, web_client=web, ping_interval=0.1)
        self.client.socket_mode_request_listeners.append(self._on_request)

    async def next_request(self) -> SocketModeRequest:
        """The next envelope the SDK hands to its listeners."""
        return await asyncio.wait_for(self.requests.get(), 5)

    async def _on_request(
        self, client: AsyncBaseSocketModeClient, request: SocketModeRequest
    ) -> None:
        if self.acknowledges:
            await client.send_socket_mode_response(SocketModeResponse(request.envelope_id))
        self.requests.put_nowait(request)


@pytest.fixture
async def sdk(
    slack: SlackSandbox, session: aiohttp.ClientSession, alpha: Team
) -> AsyncIterator[SdkApp]:
    """A connected SDK app."""
    app = SdkApp(slack, session)
    await app.client.connect()  # type: ignore[no-untyped-call]  # untyped in the SDK
    yield app
    client = app.client
    tasks = [client.message_processor, client.message_receiver, client.current_session_monitor]
    await client.close()  # type: ignore[no-untyped-call]  # untyped in the SDK
    # The SDK cancels its tasks in close() and does not wait for them.
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await (task or asyncio.sleep(0))


async def test_an_event_reaches_the_sdk_and_its_ack_ends_the_matter(
    slack: SlackSandbox, sdk: SdkApp
) -> None:
    """An acknowledged event is delivered once."""
    ts = slack.say(ALPHA, "C0GENERAL", "U0ANN", "good morning")
    request = await sdk.next_request()
    await slack.settled(5)
    assert request.type == "events_api"
    assert ts == request.payload["event"]["ts"]
    assert request.retry_attempt == 0
    assert [delivery.acked for delivery in slack.deliveries] == [True]


@pytest.mark.parametrize("slack", [HASTY], indirect=True)
async def test_an_event_without_ack_comes_again_three_times(
    slack: SlackSandbox, sdk: SdkApp
) -> None:
    """Same event id, new envelope id, counted attempts, then given up."""
    sdk.acknowledges = False
    slack.say(ALPHA, "C0GENERAL", "U0ANN", "anybody there?")
    requests = [await sdk.next_request() for _ in range(4)]
    await slack.settled(5)
    assert [request.retry_attempt for request in requests] == [0, 1, 2, 3]
    assert [r.retry_reason for r in requests] == ["", "timeout", "timeout", "timeout"]
    assert len({request.envelope_id for request in requests}) == 4
    assert [requests[0].payload["event_id"]] == slack.given_up
    assert len(slack.unacked()) == 4


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
async def test_a_disconnect_frame_makes_the_sdk_connect_anew(
    slack: SlackSandbox, sdk: SdkApp, reason: str
) -> None:
    """After the disconnect frame events arrive over another connection."""
    await slack.wait_for_sockets(1, 5)
    slack.disconnect_all(reason)
    await slack.wait_for_connects(2, 5)
    await slack.wait_for_sockets(1, 5)
    slack.say(ALPHA, "C0GENERAL", "U0ANN", "still here?")
    assert (await sdk.next_request()).payload["event"]["text"] == "still here?"
    await slack.settled(5)
    assert slack.deliveries[-1].socket > 1


async def test_the_sdk_comes_back_after_a_reset(slack: SlackSandbox, sdk: SdkApp) -> None:
    """A TCP reset ends a connection as seen from both sides."""
    await slack.wait_for_sockets(1, 5)
    slack.drop_sockets()
    await slack.wait_for_connects(2, 5)
    slack.say(ALPHA, "C0GENERAL", "U0ANN", "back?")
    assert (await sdk.next_request()).payload["event"]["text"] == "back?"


async def test_posting_and_reading_a_thread_with_metadata(
    slack: SlackSandbox, web: AsyncWebClient
) -> None:
    """A reply stands in the thread; its metadata is shown to those who ask for it."""
    root_ts = slack.say(ALPHA, "C0GENERAL", "U0ANN", "question", ts="1700000000.000100")
    metadata = {"event_type": "reply", "event_payload": {"delivery": "dlv_1"}}
    posted = await web.chat_postMessage(
        channel="C0GENERAL", text="answer", thread_ts=root_ts, metadata=metadata
    )
    plain = await web.conversations_replies(channel="C0GENERAL", ts=root_ts)
    full = await web.conversations_replies(
        channel="C0GENERAL", ts=root_ts, include_all_metadata=True
    )
    assert [root_ts, posted["ts"]] == [message["ts"] for message in plain["messages"]]
    assert "metadata" not in plain["messages"][1]
    assert metadata == full["messages"][1]["metadata"]
    assert full["messages"][0]["reply_count"] == 1
    assert [m.text for m in await slack.wait_for_bot_messages(ALPHA, "C0GENERAL", 1, 5)] == [
        "answer"
    ]


async def test_the_sdk_sees_a_rate_limit(slack: SlackSandbox, web: AsyncWebClient) -> None:
    """429, Retry-After and `ratelimited`, as the rate limits page says."""
    slack.fail_next("chat.postMessage", RateLimited(retry_after_s=7))
    with pytest.raises(SlackApiError) as caught:
        await web.chat_postMessage(channel="C0GENERAL", text="too fast")
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "7"
    assert caught.value.response["error"] == "ratelimited"
    assert slack.bot_messages(ALPHA, "C0GENERAL") == []


async def test_the_sdk_retries_a_rate_limited_call_by_itself(
    slack: SlackSandbox, web: AsyncWebClient
) -> None:
    """The SDK's own handler understands the answer and the second try is stored once."""
    web.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=1))
    slack.fail_next("chat.postMessage", RateLimited(retry_after_s=0))
    answer = await web.chat_postMessage(channel="C0GENERAL", text="patience")
    assert [answer["ts"]] == [message.ts for message in slack.bot_messages(ALPHA, "C0GENERAL")]
