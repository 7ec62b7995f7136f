"""The Web API methods that find conversations: conversations.info, .list, .members and .open.

https://docs.slack.dev/reference/methods/conversations.info/
https://docs.slack.dev/reference/methods/conversations.list/
https://docs.slack.dev/reference/methods/conversations.members/
https://docs.slack.dev/reference/methods/conversations.open/
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from gateway.sandbox.slack.calls import Call, SlackError
from gateway.sandbox.slack.chat import channel_of
from gateway.sandbox.slack.directory import Channel, ChannelKind, Directory
from gateway.sandbox.wire import JsonObject

_TYPES: Final[Mapping[str, ChannelKind]] = {
    "public_channel": "channel",
    "private_channel": "group",
    "mpim": "mpim",
    "im": "im",
}
_MAX_LISTED: Final = 999
_MAX_OPENED_WITH: Final = 8


class ConversationMethods:
    """Finding and opening conversations as the app's bot."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def table(self) -> Mapping[str, Callable[[Call], JsonObject]]:
        """Method name to what carries it out."""
        return {
            "conversations.info": self.info,
            "conversations.list": self.list,
            "conversations.members": self.members,
            "conversations.open": self.open,
        }

    def info(self, call: Call) -> JsonObject:
        """One conversation object."""
        channel = channel_of(call, self._directory)
        body = _channel_json(channel)
        people = self._directory.members(channel.team_id, channel.channel_id)
        return {"channel": body | ({"user": people[0]} if channel.kind == "im" and people else {})}

    def members(self, call: Call) -> JsonObject:
        """The first page of who is in a conversation, the bot among them."""
        channel = channel_of(call, self._directory)
        people = self._directory.members(channel.team_id, channel.channel_id)
        everybody = [*people, call.team.bot_user_id] if channel.is_member else [*people]
        return {
            "members": everybody[: _limit(call)],
            "response_metadata": {"next_cursor": ""},
        }

    def list(self, call: Call) -> JsonObject:
        """A page of what the bot can see. A token of a whole organisation must name the team."""
        if call.team.is_enterprise_install and call.text("team_id") is None:
            raise SlackError("missing_argument")
        kinds = {_kind(name) for name in (call.text("types") or "public_channel").split(",")}
        wanted = [
            channel
            for channel in self._directory.channels(call.team.team_id)
            if channel.kind in kinds
            and channel.is_visible
            and not (channel.is_archived and call.flag("exclude_archived"))
        ]
        start = _cursor_index(call.text("cursor"), wanted)
        end = start + _limit(call)
        following = wanted[end : end + 1]
        return {
            "channels": [_channel_json(channel) for channel in wanted[start:end]],
            "response_metadata": {
                "next_cursor": _cursor_of(following[0]) if following else "",
            },
        }

    def open(self, call: Call) -> JsonObject:
        """Open a direct message, or find the one there is. Either users or a channel are named."""
        channel, existed = self._direct(call)
        brief: JsonObject = {"id": channel.channel_id}
        answer: JsonObject = {
            "channel": _channel_json(channel) if call.flag("return_im") else brief
        }
        return answer | ({"no_op": True, "already_open": True} if existed else {})

    def _direct(self, call: Call) -> tuple[Channel, bool]:
        if call.text("channel") is not None:
            channel = channel_of(call, self._directory)
            if channel.kind not in {"im", "mpim"}:
                raise SlackError("method_not_supported_for_channel_type")
            return channel, True
        user_ids = [each.strip() for each in (call.text("users") or "").split(",") if each.strip()]
        if not user_ids:
            raise SlackError("users_list_not_supplied")
        if len(user_ids) > _MAX_OPENED_WITH:
            raise SlackError("too_many_users")
        if any(self._directory.user_seen_by(call.team, each) is None for each in user_ids):
            raise SlackError("user_not_found")
        teams = self._directory.teams_with(user_ids[0], call.team.enterprise_id)
        here = call.team.team_id
        at_home = here if here in teams or not teams else teams[0]
        return self._directory.open_direct(at_home, user_ids)


def _kind(name: str) -> ChannelKind:
    kind = _TYPES.get(name.strip())
    if kind is None:
        raise SlackError("invalid_types")
    return kind


def _limit(call: Call) -> int:
    """ "Must be an integer under 1000.\""""
    limit = call.number("limit", 100, 1000)
    if limit > _MAX_LISTED:
        raise SlackError("invalid_limit")
    return limit


def _channel_json(channel: Channel) -> JsonObject:
    """https://docs.slack.dev/reference/objects/conversation-object/"""
    return {
        "id": channel.channel_id,
        "name": channel.name,
        "is_channel": channel.kind == "channel",
        "is_group": channel.kind == "group",
        "is_im": channel.kind == "im",
        "is_mpim": channel.kind == "mpim",
        "is_private": channel.kind != "channel",
        "is_member": channel.is_member,
        "is_archived": channel.is_archived,
        "context_team_id": channel.team_id,
        "shared_team_ids": list(channel.team_ids or (channel.team_id,)),
    }


def _cursor_of(channel: Channel) -> str:
    return base64.b64encode(f"team:{channel.channel_id}".encode()).decode()


def _cursor_index(cursor: str | None, channels: Sequence[Channel]) -> int:
    if cursor is None:
        return 0
    try:
        channel_id = base64.b64decode(cursor, validate=True).decode().removeprefix("team:")
        return next(index for index, each in enumerate(channels) if each.channel_id == channel_id)
    except (binascii.Error, UnicodeDecodeError, StopIteration):
        raise SlackError("invalid_cursor") from None
