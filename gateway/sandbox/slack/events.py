"""Slack's JSON of messages and events, made from the book. Pure: decides nothing, sends nothing.

Shapes: https://docs.slack.dev/reference/events/message/ (and its subtypes),
https://docs.slack.dev/reference/events/app_mention/ and, for what wraps them,
https://docs.slack.dev/apis/events-api/#callback-field
"""

from __future__ import annotations

import base64
import re
import time
import uuid
from typing import Final

import orjson

from gateway.sandbox.slack.book import Message
from gateway.sandbox.slack.directory import Channel, Team
from gateway.sandbox.wire import JsonObject

_MENTION: Final = re.compile(r"(<@[UW][A-Z0-9]+(?:\|[^>]*)?>)")


def message_json(message: Message, team: Team) -> JsonObject:
    """A message as the Web API returns it, without metadata (given only to those who ask)."""
    optional: JsonObject = {
        "client_msg_id": message.client_msg_id,
        "subtype": message.subtype,
        "user": message.user,
        "bot_id": message.bot_id,
        "app_id": message.app_id,
        "thread_ts": message.thread_ts,
        "attachments": message.attachments,
        "files": message.files,
        "reactions": _reactions(message) or None,
    }
    body: JsonObject = {name: value for name, value in optional.items() if value is not None}
    body |= {"type": "message", "ts": message.ts, "text": message.text, "team": team.team_id}
    body["blocks"] = message.blocks or _rich_text(message.text)
    if message.app_id is not None:
        body["bot_profile"] = _bot_profile(message, team)
    if message.subtype == "bot_message":
        body["username"] = message.bot_id
    if message.edited_ts is not None:
        body["edited"] = {"user": message.user, "ts": message.edited_ts}
    return body


def message_event(
    message: Message, team: Team, channel: Channel, parent: Message | None
) -> JsonObject:
    """A new message. https://docs.slack.dev/reference/events/message.channels/"""
    event = message_json(message, team)
    if message.is_reply and parent is not None and parent.user is not None:
        event["parent_user_id"] = parent.user
    where = {"channel": channel.channel_id, "event_ts": message.ts, "channel_type": channel.kind}
    if message.app_context is not None and channel.kind == "im":
        # `app_context` of GenericMessageEvent, in the documents of Slack's own SDK.
        event["app_context"] = message.app_context
    return event | where


def mention_event(message: Message, team: Team) -> JsonObject:
    """A mention: the same ts as the message event, without a channel_type."""
    event = message_json(message, team)
    return event | {
        "type": "app_mention",
        "channel": message.channel_id,
        "event_ts": message.ts,
    }


def changed_event(
    before: Message, after: Message, team: Team, channel: Channel, at_ts: str
) -> JsonObject:
    """https://docs.slack.dev/reference/events/message/message_changed/"""
    return {
        "type": "message",
        "subtype": "message_changed",
        "message": message_json(after, team),
        "previous_message": message_json(before, team),
        "channel": channel.channel_id,
        "hidden": True,
        "ts": at_ts,
        "event_ts": at_ts,
        "channel_type": channel.kind,
    }


def deleted_event(before: Message, team: Team, channel: Channel, at_ts: str) -> JsonObject:
    """https://docs.slack.dev/reference/events/message/message_deleted/"""
    return {
        "type": "message",
        "subtype": "message_deleted",
        "previous_message": message_json(before, team),
        "channel": channel.channel_id,
        "hidden": True,
        "deleted_ts": before.ts,
        "ts": at_ts,
        "event_ts": at_ts,
        "channel_type": channel.kind,
    }


def reaction_event(kind: str, message: Message, name: str, user_id: str, at_ts: str) -> JsonObject:
    """`kind` is reaction_added or reaction_removed.

    https://docs.slack.dev/reference/events/reaction_added/
    """
    return {
        "type": kind,
        "user": user_id,
        "reaction": name,
        "item_user": message.user,
        "item": {"type": "message", "channel": message.channel_id, "ts": message.ts},
        "event_ts": at_ts,
    }


def outer_event(event: JsonObject, team: Team, app_id: str) -> JsonObject:
    """The payload that carries an event.

    `authorizations` names at most one installation:
    https://docs.slack.dev/changelog/2020-09-15-events-api-truncate-authed-users
    """
    return {
        "token": "sandbox-verification-token",
        "team_id": team.team_id,
        "context_team_id": team.team_id,
        "context_enterprise_id": team.enterprise_id,
        "api_app_id": app_id,
        "event": event,
        "type": "event_callback",
        "event_id": f"Ev{uuid.uuid4().hex[:14].upper()}",
        "event_time": int(time.time()),
        "authorizations": [authorization(team)],
        "is_ext_shared_channel": False,
        "event_context": _event_context(event, team, app_id),
    }


def mentions(text: str, user_id: str) -> bool:
    """Whether `text` names this user in Slack's markup."""
    return f"<@{user_id}>" in text or f"<@{user_id}|" in text


def authorization(team: Team) -> JsonObject:
    """An installation of the app. https://docs.slack.dev/apis/events-api/#authorizations"""
    return {
        "enterprise_id": team.enterprise_id,
        # An org-wide install belongs to no single workspace, so Slack names none here.
        "team_id": None if team.is_enterprise_install else team.team_id,
        "user_id": team.bot_user_id,
        "is_bot": True,
        "is_enterprise_install": team.is_enterprise_install,
    }


def _event_context(event: JsonObject, team: Team, app_id: str) -> str:
    item = event.get("item")
    channel_id = event.get("channel") or (item.get("channel") if isinstance(item, dict) else None)
    about = {"et": event["type"], "tid": team.team_id, "aid": app_id, "cid": channel_id}
    return f"4-{base64.urlsafe_b64encode(orjson.dumps(about)).decode()}"


def _reactions(message: Message) -> list[JsonObject]:
    return [
        {"name": name, "users": list(users), "count": len(users)}
        for name, users in message.reactions.items()
    ]


def _bot_profile(message: Message, team: Team) -> JsonObject:
    return {
        "id": message.bot_id,
        "app_id": message.app_id,
        "name": "sandbox-app",
        "deleted": False,
        "team_id": team.team_id,
    }


def _rich_text(text: str) -> list[object]:
    parts = [_rich_element(part) for part in _MENTION.split(text) if part]
    section = {"type": "rich_text_section", "elements": parts}
    return [{"type": "rich_text", "block_id": "sandbox", "elements": [section]}]


def _rich_element(part: str) -> JsonObject:
    if _MENTION.fullmatch(part):
        return {"type": "user", "user_id": part[2:-1].partition("|")[0]}
    return {"type": "text", "text": part}
