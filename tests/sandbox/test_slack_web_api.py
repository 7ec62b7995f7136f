"""The Web API of the sandbox against the method pages on docs.slack.dev."""

from __future__ import annotations

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from gateway.sandbox.slack import (
    ApiError,
    HttpStatus,
    Rate,
    ResetAfter,
    ResetBefore,
    SlackRules,
    SlackSandbox,
    Slow,
    Team,
)
from tests.sandbox.conftest import ALPHA, BETA
from tests.sandbox.plain_app import open_url


async def error_of(
    slack: SlackSandbox, session: aiohttp.ClientSession, method: str, **kwargs: str
) -> str:
    """The `error` of a form-encoded call; all errors are HTTP 200."""
    async with session.post(slack.base_url + method, data=kwargs) as response:
        assert response.status == 200
        body = await response.json()
    assert body["ok"] is False
    return str(body["error"])


async def test_calls_without_a_right_to_be_made_fail_by_name(
    slack: SlackSandbox, session: aiohttp.ClientSession
) -> None:
    """Slack's error codes for a missing token, a wrong one, a wrong kind and an unknown method."""
    assert await error_of(slack, session, "auth.test") == "not_authed"
    assert await error_of(slack, session, "auth.test", token="xoxb-wrong") == "invalid_auth"
    assert await error_of(slack, session, "chat.sing", token="xoxb-x") == "unknown_method"
    assert (
        await error_of(slack, session, "apps.connections.open", token=slack.app_token)
        == "not_authed"
    )


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"text": "hi"}, "invalid_arguments"),
        ({"channel": "C0NOWHERE", "text": "hi"}, "channel_not_found"),
        ({"channel": "C0GENERAL"}, "no_text"),
        (
            {"channel": "C0GENERAL", "text": "hi", "metadata": '{"event_type":1}'},
            "invalid_metadata_format",
        ),
        (
            {"channel": "C0GENERAL", "text": "hi", "blocks": "[" + "{}," * 50 + "{}]"},
            "invalid_blocks",
        ),
        ({"channel": "C0GENERAL", "markdown_text": "x" * 12_001}, "msg_too_long"),
        ({"channel": "C0GENERAL", "markdown_text": "x", "text": "x"}, "markdown_text_conflict"),
    ],
)
async def test_a_wrong_post_is_refused_by_name(
    slack: SlackSandbox,
    session: aiohttp.ClientSession,
    alpha: Team,
    arguments: dict[str, str],
    error: str,
) -> None:
    """https://docs.slack.dev/reference/methods/chat.postMessage/#errors"""
    arguments["token"] = alpha.bot_token
    assert error == await error_of(slack, session, "chat.postMessage", **arguments)


@pytest.mark.parametrize(
    ("content_type", "body", "error"),
    [
        ("application/json", "{", "invalid_json"),
        ("application/json", "[]", "json_not_object"),
        ("application/xml", "<a/>", "invalid_post_type"),
    ],
)
async def test_an_unreadable_body_is_refused_by_name(
    slack: SlackSandbox, session: aiohttp.ClientSession, content_type: str, body: str, error: str
) -> None:
    """The general errors of every method."""
    headers = {"Content-Type": content_type}
    url = f"{slack.base_url}chat.postMessage"
    async with session.post(url, data=body, headers=headers) as response:
        assert {"ok": False, "error": error} == await response.json()


async def test_a_post_answers_with_the_message(
    slack: SlackSandbox, web: AsyncWebClient, alpha: Team
) -> None:
    """ok, channel, ts and the message with the bot's identity."""
    answer = await web.chat_postMessage(channel="C0GENERAL", text="hello")
    message = answer["message"]
    assert answer["channel"] == "C0GENERAL"
    assert (answer["ts"], "hello", alpha.bot_id, alpha.bot_user_id, slack.app_id) == (
        message["ts"],
        message["text"],
        message["bot_id"],
        message["user"],
        message["app_id"],
    )


async def test_a_very_long_text_is_cut_and_not_refused(web: AsyncWebClient) -> None:
    """chat.postMessage cuts at 40,000 characters and warns; chat.update refuses over 4,000."""
    answer = await web.chat_postMessage(channel="C0GENERAL", text="x" * 40_001)
    assert len(answer["message"]["text"]) == 40_000
    assert answer["warning"] == "message_truncated"
    with pytest.raises(SlackApiError, match="msg_too_long"):
        await web.chat_update(channel="C0GENERAL", ts=answer["ts"], text="x" * 4_001)


async def test_own_messages_can_be_changed_and_deleted_but_no_others(
    slack: SlackSandbox, web: AsyncWebClient
) -> None:
    """chat.update and chat.delete."""
    theirs = slack.say(ALPHA, "C0GENERAL", "U0ANN", "mine")
    own = (await web.chat_postMessage(channel="C0GENERAL", text="one"))["ts"]
    await web.chat_update(channel="C0GENERAL", ts=own, text="two")
    assert [message.text for message in slack.messages(ALPHA, "C0GENERAL")] == ["mine", "two"]
    await web.chat_delete(channel="C0GENERAL", ts=own)
    for call, error in (
        (web.chat_update(channel="C0GENERAL", ts=theirs, text="x"), "cant_update_message"),
        (web.chat_delete(channel="C0GENERAL", ts=theirs), "cant_delete_message"),
        (web.chat_delete(channel="C0GENERAL", ts=own), "message_not_found"),
    ):
        with pytest.raises(SlackApiError, match=error):
            await call


async def test_history_is_newest_first_without_thread_replies_and_in_pages(
    slack: SlackSandbox, web: AsyncWebClient
) -> None:
    """conversations.history: order, threads, cursor, time window."""
    roots = [f"170000000{n}.000100" for n in range(5)]
    for ts in roots:
        slack.say(ALPHA, "C0GENERAL", "U0ANN", "root", ts=ts)
    slack.say(ALPHA, "C0GENERAL", "U0BEN", "inside", thread_ts=roots[0])
    first = await web.conversations_history(channel="C0GENERAL", limit=2)
    cursor = first["response_metadata"]["next_cursor"]
    second = await web.conversations_history(channel="C0GENERAL", limit=2, cursor=cursor)
    window = await web.conversations_history(
        channel="C0GENERAL", oldest=roots[1], latest=roots[3], inclusive=True
    )
    assert roots[:2:-1] == [message["ts"] for message in first["messages"]]
    assert [roots[2], roots[1]] == [message["ts"] for message in second["messages"]]
    assert (first["has_more"], second["has_more"]) == (True, True)
    assert roots[3:0:-1] == [message["ts"] for message in window["messages"]]


async def test_a_reply_to_a_reply_joins_the_thread(
    slack: SlackSandbox, web: AsyncWebClient
) -> None:
    """Slack has no threads inside threads; conversations.replies takes a reply's ts too."""
    root = slack.say(ALPHA, "C0GENERAL", "U0ANN", "root")
    inner = slack.say(ALPHA, "C0GENERAL", "U0BEN", "inside", thread_ts=root)
    await web.chat_postMessage(channel="C0GENERAL", text="deeper", thread_ts=inner)
    thread = await web.conversations_replies(channel="C0GENERAL", ts=inner)
    assert [message["text"] for message in thread["messages"]] == ["root", "inside", "deeper"]
    with pytest.raises(SlackApiError, match="thread_not_found"):
        await web.conversations_replies(channel="C0GENERAL", ts="1.000001")


async def test_two_teams_with_the_same_channel_and_ts_do_not_touch(
    slack: SlackSandbox, web: AsyncWebClient
) -> None:
    """The same ids in two teams are different things; one team's token never sees the other's."""
    for team_id, text in ((ALPHA, "alpha's"), (BETA, "beta's")):
        slack.say(team_id, "C0GENERAL", "U0ANN", text, ts="1700000000.000100")
    slack.say(BETA, "C0ONLYBETA", "U0ANN", "private")
    history = await web.conversations_history(channel="C0GENERAL")
    assert [message["text"] for message in history["messages"]] == ["alpha's"]
    with pytest.raises(SlackApiError, match="channel_not_found"):
        await web.chat_postMessage(channel="C0ONLYBETA", text="x")
    with pytest.raises(ValueError, match="already has"):
        slack.say(ALPHA, "C0GENERAL", "U0ANN", "again", ts="1700000000.000100")


async def test_an_org_wide_token_speaks_in_the_team_that_has_the_channel(
    slack: SlackSandbox, session: aiohttp.ClientSession
) -> None:
    """Teams of one org-wide install share a token."""
    for team_id in ("T0ORGA", "T0ORGB"):
        slack.add_team(
            team_id, bot_token="xoxb-org", enterprise_id="E0ORG", is_enterprise_install=True
        )
    slack.add_channel("T0ORGB", "C0OFB")
    web = AsyncWebClient(token="xoxb-org", base_url=slack.base_url, session=session)
    await web.chat_postMessage(channel="C0OFB", text="to b")
    assert [message.text for message in slack.bot_messages("T0ORGB", "C0OFB")] == ["to b"]


async def test_names_are_looked_up(slack: SlackSandbox, web: AsyncWebClient, alpha: Team) -> None:
    """auth.test, users.info, conversations.info."""
    slack.add_user(ALPHA, "U0ANN", "Ann")
    slack.add_channel(ALPHA, "D0ANN", "im")
    auth = await web.auth_test()
    assert (ALPHA, alpha.bot_user_id, alpha.bot_id) == (
        auth["team_id"],
        auth["user_id"],
        auth["bot_id"],
    )
    assert (await web.users_info(user="U0ANN"))["user"]["real_name"] == "Ann"
    assert True is (await web.conversations_info(channel="D0ANN"))["channel"]["is_im"]
    with pytest.raises(SlackApiError, match="user_not_found"):
        await web.users_info(user="U0NOBODY")


async def test_posting_faster_than_the_channel_allows_is_limited(
    session: aiohttp.ClientSession,
) -> None:
    """The limit is per channel and per team, and names the seconds to wait."""
    async with SlackSandbox(rules=SlackRules(post_rate=Rate(per_second=0.1, burst=2))) as slack:
        for team_id in (ALPHA, BETA):
            slack.add_team(team_id)
            slack.add_channel(team_id, "C0GENERAL")
        outcomes = []
        for token in (f"xoxb-{ALPHA}",) * 3 + (f"xoxb-{BETA}",):
            arguments = {"token": token, "channel": "C0GENERAL", "text": "hi"}
            async with session.post(
                f"{slack.base_url}chat.postMessage", data=arguments
            ) as response:
                outcomes.append((response.status, response.headers.get("Retry-After")))
        assert outcomes == [(200, None), (200, None), (429, "10"), (200, None)]


@pytest.mark.parametrize(("fault", "stored"), [(ResetBefore(), 0), (ResetAfter(), 1)])
async def test_a_lost_answer_may_or_may_not_have_been_stored(
    slack: SlackSandbox, web: AsyncWebClient, fault: ResetBefore | ResetAfter, stored: int
) -> None:
    """A reset before the message is stored, and one after: the caller cannot tell them apart."""
    slack.fail_next("chat.postMessage", fault)
    with pytest.raises(aiohttp.ClientConnectionError):
        await web.chat_postMessage(channel="C0GENERAL", text="hello?")
    assert stored == len(slack.bot_messages(ALPHA, "C0GENERAL"))


async def test_faults_hit_the_named_team_and_then_end(
    slack: SlackSandbox, web: AsyncWebClient, session: aiohttp.ClientSession
) -> None:
    """A fault planned for one team leaves the other alone."""
    slack.fail_next("auth.test", HttpStatus(500), team_id=ALPHA)
    slack.fail_next("auth.test", ApiError("fatal_error"), team_id=ALPHA)
    slack.fail_next("auth.test", Slow(0.01), team_id=ALPHA)
    beta = AsyncWebClient(token=f"xoxb-{BETA}", base_url=slack.base_url, session=session)
    await beta.auth_test()
    with pytest.raises(SlackApiError):
        await web.auth_test()
    with pytest.raises(SlackApiError, match="fatal_error"):
        await web.auth_test()
    await web.auth_test()
    assert [request.team_id for request in slack.requests] == [BETA, ALPHA, ALPHA, ALPHA]


async def test_a_wait_that_is_not_met_says_what_was_missing(slack: SlackSandbox) -> None:
    """A failing test must tell more than that time ran out."""
    with pytest.raises(TimeoutError, match="2 bot messages in C0GENERAL of T0AAAA; there are 0"):
        await slack.wait_for_bot_messages(ALPHA, "C0GENERAL", 2, 0.01)


async def test_opening_a_socket_can_be_made_to_fail(
    slack: SlackSandbox, session: aiohttp.ClientSession
) -> None:
    """By Slack's error and by a bare status; then it works."""
    slack.fail_connections_open(1, error="internal_error")
    slack.fail_connections_open(1, status=502)
    headers = {"Authorization": f"Bearer {slack.app_token}"}
    url = f"{slack.base_url}apps.connections.open"
    async with session.post(url, headers=headers) as response:
        assert await response.json() == {"ok": False, "error": "internal_error"}
    async with session.post(url, headers=headers) as response:
        assert response.status == 502
    assert (await open_url(slack, session)).startswith("ws://127.0.0.1:")
