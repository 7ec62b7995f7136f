"""Slack Connect: channels that stand in several workspaces, and who may know of their events.

One event is sent for all of them, with one installation of the app in it; the others are told by
apps.event.authorizations.list. https://docs.slack.dev/apis/slack-connect/ ,
https://docs.slack.dev/apis/events-api/#authorizations and
https://docs.slack.dev/reference/methods/apps.event.authorizations.list/
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import orjson

from gateway.sandbox.slack.calls import SlackError
from gateway.sandbox.slack.directory import Directory
from gateway.sandbox.slack.events import authorization
from gateway.sandbox.wire import JsonObject

_PAGE_SIZE: Final = 100


class Sharing:
    """Which workspaces share which channel."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._teams: dict[str, tuple[str, ...]] = {}

    def share(self, channel_id: str, team_ids: Sequence[str]) -> None:
        """Let a channel stand in all of these workspaces, under the same id."""
        for team_id in team_ids:
            channel = self._directory.add_channel(team_id, channel_id)
            self._directory.change_channel(replace(channel, team_ids=tuple(team_ids)))
        self._teams[channel_id] = tuple(team_ids)

    def around(self, event: JsonObject) -> JsonObject:
        """The fields of the outer event that tell of it."""
        return {"is_ext_shared_channel": True} if _channel_of(event) in self._teams else {}

    def authorizations(self, args: Mapping[str, object]) -> JsonObject:
        """apps.event.authorizations.list. Raises SlackError.

        Assumed: every installation in the channel may know of everything there, mentions too.
        """
        about = _read_context(args.get("event_context"))
        team_ids = self._teams.get(str(about.get("cid")), (str(about.get("tid")),))
        listed = [authorization(self._directory.team(each)) for each in team_ids]
        start, limit = _start(args.get("cursor")), _limit(args.get("limit"))
        end = start + limit
        answer: JsonObject = {"authorizations": listed[start:end]}
        if end < len(listed):
            answer["response_metadata"] = {"next_cursor": str(end)}
        return answer


def _channel_of(event: Mapping[str, object]) -> object:
    item = event.get("item")
    return event.get("channel") or (item.get("channel") if isinstance(item, dict) else None)


def _read_context(context: object) -> JsonObject:
    try:
        about = orjson.loads(base64.urlsafe_b64decode(str(context).removeprefix("4-")))
    except (binascii.Error, orjson.JSONDecodeError):
        raise SlackError("invalid_event_context") from None
    if not isinstance(about, dict):
        raise SlackError("invalid_event_context")
    return about


def _start(cursor: object) -> int:
    if cursor and not str(cursor).isdecimal():
        raise SlackError("invalid_cursor")
    return int(str(cursor)) if cursor else 0


def _limit(limit: object) -> int:
    text = str(limit or "")
    return min(int(text), _PAGE_SIZE) if text.isdecimal() and int(text) else _PAGE_SIZE
