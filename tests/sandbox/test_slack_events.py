"""The events of the sandbox, field by field, against the event pages on docs.slack.dev."""

from __future__ import annotations

import aiohttp

from gateway.sandbox.slack import SlackSandbox, Team
from tests.sandbox.conftest import ALPHA
from tests.sandbox.plain_app import PlainApp


async def test_a_message_in_a_channel_has_the_documented_envelope(
    slack: SlackSandbox, app: PlainApp, alpha: Team
) -> None:
    """Envelope, outer event, inner event: every field the documents name."""
    ts = slack.say(ALPHA, "C0GENERAL", "U0ANN", "hello")
    frame = await app.frame()
    await app.ack(frame)
    payload = frame["payload"]
    event = payload["event"]
    assert (
        frame["type"],
        frame["accepts_response_payload"],
        frame["retry_attempt"],
        frame["retry_reason"],
    ) == ("events_api", False, 0, "")
    assert {
        "token",
        "team_id",
        "context_team_id",
        "context_enterprise_id",
        "api_app_id",
        "event",
        "type",
        "event_id",
        "event_time",
        "authorizations",
        "is_ext_shared_channel",
        "event_context",
    } == payload.keys()
    assert [
        {
            "enterprise_id": None,
            "team_id": ALPHA,
            "user_id": alpha.bot_user_id,
            "is_bot": True,
            "is_enterprise_install": False,
        }
    ] == payload["authorizations"]
    assert ("message", "C0GENERAL", "channel", "U0ANN", "hello", ts, ts, ALPHA) == tuple(
        event[name]
        for name in ("type", "channel", "channel_type", "user", "text", "ts", "event_ts", "team")
    )


async def test_a_mention_comes_as_two_events_of_one_ts(slack: SlackSandbox, app: PlainApp) -> None:
    """message and app_mention share ts and client_msg_id, never the event id."""
    ts = slack.say(ALPHA, "C0GENERAL", "U0ANN", "help", mention=True)
    payloads = [(await app.frame())["payload"] for _ in range(2)]
    events = [payload["event"] for payload in payloads]
    assert [event["type"] for event in events] == ["message", "app_mention"]
    assert [ts, ts] == [event["ts"] for event in events]
    assert len({event["client_msg_id"] for event in events}) == 1
    assert len({payload["event_id"] for payload in payloads}) == 2
    assert "channel_type" not in events[1]


async def test_a_mention_in_a_direct_message_is_one_event(
    slack: SlackSandbox, app: PlainApp
) -> None:
    """DMs dispatch message.im only."""
    slack.say(ALPHA, "D0ANN", "U0ANN", "help", mention=True)
    slack.say(ALPHA, "D0ANN", "U0ANN", "next")
    frames = [await app.frame() for _ in range(2)]
    assert [
        (f["payload"]["event"]["type"], f["payload"]["event"]["channel_type"]) for f in frames
    ] == [("message", "im")] * 2


async def test_edits_deletions_threads_and_other_bots(slack: SlackSandbox, app: PlainApp) -> None:
    """message_changed, message_deleted, a reply with its parent's user, bot_message."""
    root = slack.say(ALPHA, "C0GENERAL", "U0ANN", "one")
    slack.say(ALPHA, "C0GENERAL", "U0BEN", "reply", thread_ts=root)
    slack.edit(ALPHA, "C0GENERAL", root, "two")
    slack.delete(ALPHA, "C0GENERAL", root)
    slack.bot_says(ALPHA, "C0GENERAL", "B0OTHER", "beep")
    _, reply, changed, deleted, bot = [(await app.frame())["payload"]["event"] for _ in range(5)]
    assert (root, "U0ANN") == (reply["thread_ts"], reply["parent_user_id"])
    assert (
        changed["subtype"],
        changed["message"]["text"],
        changed["previous_message"]["text"],
    ) == ("message_changed", "two", "one")
    assert ("message_deleted", root, True) == (
        deleted["subtype"],
        deleted["deleted_ts"],
        deleted["hidden"],
    )
    assert (bot["subtype"], bot["bot_id"]) == ("bot_message", "B0OTHER")
    assert "user" not in bot


async def test_the_bots_own_post_comes_back_as_an_event(session: aiohttp.ClientSession) -> None:
    """As on Slack: with the app's bot_id and app_id, and never as app_mention."""
    async with SlackSandbox() as slack:
        team = slack.add_team(ALPHA)
        slack.add_channel(ALPHA, "C0GENERAL")
        app = await PlainApp.connect(slack, session)
        arguments = {
            "token": team.bot_token,
            "channel": "C0GENERAL",
            "text": f"<@{team.bot_user_id}>",
        }
        async with session.post(f"{slack.base_url}chat.postMessage", data=arguments) as response:
            assert response.status == 200
        frame = await app.frame()
        await app.ack(frame)
        await slack.settled(5)
        event = frame["payload"]["event"]
        assert ("message", team.bot_id, team.bot_user_id, slack.app_id) == (
            event["type"],
            event["bot_id"],
            event["user"],
            event["app_id"],
        )
        assert len(slack.deliveries) == 1
        await app.close()


async def test_an_org_wide_install_names_no_team_in_its_authorization(
    slack: SlackSandbox, app: PlainApp
) -> None:
    """The workspace is in team_id of the payload only."""
    slack.add_team("T0ORGA", enterprise_id="E0ORG", is_enterprise_install=True)
    slack.say("T0ORGA", "C0GENERAL", "U0ANN", "hello")
    payload = (await app.frame())["payload"]
    authorization = payload["authorizations"][0]
    assert (payload["team_id"], payload["context_enterprise_id"]) == ("T0ORGA", "E0ORG")
    assert (
        authorization["team_id"],
        authorization["enterprise_id"],
        authorization["is_enterprise_install"],
    ) == (None, "E0ORG", True)


async def test_any_inner_event_can_be_sent_in_any_wrapper(
    slack: SlackSandbox, app: PlainApp
) -> None:
    """Slack Connect: the payload's team is a foreign one, the authorization is ours."""
    event_id = slack.send_event(
        ALPHA, {"type": "team_join"}, outer={"team_id": "T0FOREIGN", "is_ext_shared_channel": True}
    )
    payload = (await app.frame())["payload"]
    assert (event_id, "T0FOREIGN", ALPHA) == (
        payload["event_id"],
        payload["team_id"],
        payload["authorizations"][0]["team_id"],
    )
