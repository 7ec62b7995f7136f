"""What happens in the sandbox besides messages, field by field, against docs.slack.dev."""

from __future__ import annotations

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from gateway.sandbox.slack import SlackSandbox, Team
from tests.sandbox.conftest import ALPHA
from tests.sandbox.plain_app import PlainApp

GENERAL, ANN = "C0GENERAL", "U0ANN"


async def event_of(app: PlainApp) -> dict[str, Any]:
    """The next frame's inner event."""
    event: dict[str, Any] = (await app.frame())["payload"]["event"]
    return event


async def test_reactions_name_the_message_and_its_author(
    slack: SlackSandbox, app: PlainApp
) -> None:
    """https://docs.slack.dev/reference/events/reaction_added/"""
    ts = slack.say(ALPHA, GENERAL, ANN, "hello")
    await app.frame()
    slack.react(ALPHA, GENERAL, "U0BEN", ts, "tada")
    slack.unreact(ALPHA, GENERAL, "U0BEN", ts, "tada")
    added, removed = await event_of(app), await event_of(app)
    assert {"type", "user", "reaction", "item_user", "item", "event_ts"} == added.keys()
    assert ("reaction_added", "reaction_removed", ANN) == (
        added["type"],
        removed["type"],
        added["item_user"],
    )
    assert {"type": "message", "channel": GENERAL, "ts": ts} == added["item"]
    assert {} == slack.messages(ALPHA, GENERAL)[0].reactions


async def test_members_come_and_go(slack: SlackSandbox, app: PlainApp, alpha: Team) -> None:
    """A letter for the channel's type; the bot hears channel_left of itself."""
    slack.join(ALPHA, GENERAL, ANN, inviter="U0BEN")
    slack.leave(ALPHA, GENERAL, ANN)
    slack.leave(ALPHA, GENERAL, alpha.bot_user_id, actor_id="U0BEN")
    joined, left, removed = [await event_of(app) for _ in range(3)]
    assert {"type", "user", "channel", "channel_type", "team", "inviter", "event_ts"} == (
        joined.keys()
    )
    assert ("C", ALPHA, "U0BEN") == (joined["channel_type"], joined["team"], joined["inviter"])
    assert "inviter" not in left
    assert ("channel_left", "U0BEN") == (removed["type"], removed["actor_id"])


async def test_who_is_not_in_a_channel_cannot_post_there(
    slack: SlackSandbox, app: PlainApp, alpha: Team, web: AsyncWebClient
) -> None:
    """Until it is invited back."""
    slack.leave(ALPHA, GENERAL, alpha.bot_user_id)
    await app.frame()
    with pytest.raises(SlackApiError, match="not_in_channel"):
        await web.chat_postMessage(channel=GENERAL, text="hello?")
    slack.join(ALPHA, GENERAL, alpha.bot_user_id)
    assert (await web.chat_postMessage(channel=GENERAL, text="hello"))["ok"] is True


async def test_the_app_is_opened_and_an_assistant_thread_begun(
    slack: SlackSandbox, app: PlainApp
) -> None:
    """Both in the direct message of the user with the app."""
    slack.open_home(ALPHA, ANN)
    thread_ts = slack.start_assistant_thread(ALPHA, ANN)
    home, started = await event_of(app), await event_of(app)
    thread = started["assistant_thread"]
    assert {"type", "user", "channel", "tab", "event_ts"} == home.keys()
    assert ("messages", True) == (home["tab"], home["channel"].startswith("D"))
    assert {"user_id", "context", "channel_id", "thread_ts"} == thread.keys()
    assert (home["channel"], thread_ts) == (thread["channel_id"], thread["thread_ts"])


async def test_what_a_user_looks_at_comes_along(slack: SlackSandbox, app: PlainApp) -> None:
    """https://docs.slack.dev/reference/events/app_context_changed"""
    slack.look_at(ALPHA, ANN, GENERAL)
    looked = await event_of(app)
    assert {"type", "user", "channel", "context", "event_ts"} == looked.keys()
    [entity] = looked["context"]["entities"]
    assert ("slack#/types/channel_id", GENERAL) == (entity["type"], entity["value"])
    slack.open_home(ALPHA, ANN)
    assert looked["context"] == (await event_of(app))["context"]
    slack.say(ALPHA, looked["channel"], ANN, "this?")
    assert looked["context"] == (await event_of(app))["app_context"]
    slack.say(ALPHA, GENERAL, ANN, "all?")
    assert "app_context" not in await event_of(app)


async def test_stop_names_the_thread_and_what_was_growing_there(
    slack: SlackSandbox, app: PlainApp
) -> None:
    """https://docs.slack.dev/reference/events/agent_session_stopped/"""
    slack.stop_agent(ALPHA, GENERAL, ANN, "1.1", streaming=["1.2"])
    event = await event_of(app)
    assert {"type", "channel", "user", "thread_ts", "streaming_message_ts", "event_ts"} == (
        event.keys()
    )
    assert ("agent_session_stopped", "1.1", ["1.2"]) == (
        event["type"],
        event["thread_ts"],
        event["streaming_message_ts"],
    )


async def test_channels_close(slack: SlackSandbox, app: PlainApp) -> None:
    """Private channels have an event of their own."""
    slack.archive(ALPHA, GENERAL, ANN)
    slack.archive(ALPHA, "G0PRIVATE", ANN)
    slack.close_direct(ALPHA, "D0ANN", ANN)
    events = [await event_of(app) for _ in range(3)]
    assert ["channel_archive", "group_archive", "im_close"] == [event["type"] for event in events]
    assert [GENERAL, "G0PRIVATE", "D0ANN"] == [event["channel"] for event in events]


async def test_an_uninstalled_app_has_no_token_any_more(
    slack: SlackSandbox, app: PlainApp, alpha: Team, web: AsyncWebClient
) -> None:
    """tokens_revoked names users, never tokens; app_uninstalled names nothing."""
    slack.uninstall(ALPHA)
    revoked, uninstalled = await event_of(app), await event_of(app)
    assert {"oauth": [], "bot": [alpha.bot_user_id]} == revoked["tokens"]
    assert {"type": "app_uninstalled"} == uninstalled
    with pytest.raises(SlackApiError, match="invalid_auth"):
        await web.chat_postMessage(channel=GENERAL, text="still there?")
