"""Slack's JSON of what happens around messages: members, App Home, agent sessions, channels, the
app itself. Pure: sends nothing.

Shapes: the event's page under https://docs.slack.dev/reference/events/
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.sandbox.slack.directory import Channel, Team
from gateway.sandbox.wire import JsonObject


def joined_event(
    channel: Channel, team: Team, user_id: str, at_ts: str, inviter: str | None
) -> JsonObject:
    """https://docs.slack.dev/reference/events/member_joined_channel/"""
    event = _member("member_joined_channel", channel, team, user_id, at_ts)
    return event | ({} if inviter is None else {"inviter": inviter})


def left_event(channel: Channel, team: Team, user_id: str, at_ts: str) -> JsonObject:
    """https://docs.slack.dev/reference/events/member_left_channel/"""
    return _member("member_left_channel", channel, team, user_id, at_ts)


def bot_left_event(channel: Channel, actor_id: str, at_ts: str) -> JsonObject:
    """https://docs.slack.dev/reference/events/channel_left/ and .../group_left/"""
    kind = "channel_left" if channel.kind == "channel" else "group_left"
    return {
        "type": kind,
        "channel": channel.channel_id,
        "actor_id": actor_id,
        "event_ts": at_ts,
    }


def home_opened_event(channel: Channel, user_id: str, tab: str, at_ts: str) -> JsonObject:
    """https://docs.slack.dev/reference/events/app_home_opened/"""
    return {
        "type": "app_home_opened",
        "user": user_id,
        "channel": channel.channel_id,
        "tab": tab,
        "event_ts": at_ts,
    }


def context_changed_event(
    channel: Channel, user_id: str, seen: JsonObject, at_ts: str
) -> JsonObject:
    """https://docs.slack.dev/reference/events/app_context_changed"""
    return {
        "type": "app_context_changed",
        "user": user_id,
        "channel": channel.channel_id,
        "context": seen,
        "event_ts": at_ts,
    }


def assistant_started_event(
    channel: Channel, user_id: str, thread_ts: str, at_ts: str
) -> JsonObject:
    """https://docs.slack.dev/reference/events/assistant_thread_started/"""
    thread: JsonObject = {
        "user_id": user_id,
        "context": {},
        "channel_id": channel.channel_id,
        "thread_ts": thread_ts,
    }
    return {"type": "assistant_thread_started", "assistant_thread": thread, "event_ts": at_ts}


def stopped_event(
    channel: Channel, user_id: str, thread_ts: str, streaming: Sequence[str], at_ts: str
) -> JsonObject:
    """https://docs.slack.dev/reference/events/agent_session_stopped/"""
    return {
        "type": "agent_session_stopped",
        "channel": channel.channel_id,
        "user": user_id,
        "thread_ts": thread_ts,
        "streaming_message_ts": list(streaming),
        "event_ts": at_ts,
    }


def archived_event(channel: Channel, user_id: str, at_ts: str) -> JsonObject:
    """https://docs.slack.dev/reference/events/channel_archive/ and .../group_archive/"""
    kind = "channel_archive" if channel.kind == "channel" else "group_archive"
    return {
        "type": kind,
        "channel": channel.channel_id,
        "user": user_id,
        "is_moved": 0,
        "event_ts": at_ts,
    }


def closed_event(channel: Channel, user_id: str, at_ts: str) -> JsonObject:
    """https://docs.slack.dev/reference/events/im_close/"""
    return {
        "type": "im_close",
        "user": user_id,
        "channel": channel.channel_id,
        "event_ts": at_ts,
    }


def revoked_event(team: Team) -> JsonObject:
    """The bot's token. https://docs.slack.dev/reference/events/tokens_revoked/"""
    return {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [team.bot_user_id]}}


def access_event(team_ids: Sequence[str], *, granted: bool) -> JsonObject:
    """https://docs.slack.dev/reference/events/team_access_granted/ and .../team_access_revoked/"""
    kind = "team_access_granted" if granted else "team_access_revoked"
    return {"type": kind, "team_ids": list(team_ids)}


def uninstalled_event() -> JsonObject:
    """https://docs.slack.dev/reference/events/app_uninstalled/"""
    return {"type": "app_uninstalled"}


def _member(kind: str, channel: Channel, team: Team, user_id: str, at_ts: str) -> JsonObject:
    event: JsonObject = {
        "type": kind,
        "user": user_id,
        "channel": channel.channel_id,
        # A letter here, where messages have a word.
        "channel_type": "C" if channel.kind == "channel" else "G",
        "team": team.team_id,
        "event_ts": at_ts,
    }
    if team.enterprise_id is not None:
        event["enterprise"] = team.enterprise_id
    return event
