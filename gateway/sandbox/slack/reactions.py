"""The Web API methods of emoji on messages: reactions.add, reactions.remove.

https://docs.slack.dev/reference/methods/reactions.add/
https://docs.slack.dev/reference/methods/reactions.remove/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from gateway.sandbox.slack.book import Message, MessageBook, ts_order
from gateway.sandbox.slack.calls import Call, SlackError
from gateway.sandbox.slack.chat import channel_of
from gateway.sandbox.slack.directory import Directory
from gateway.sandbox.slack.feed import Feed
from gateway.sandbox.wire import JsonObject

# Which names exist is the workspace's affair; this is only what a name looks like.
_NAME: Final = re.compile(r"[a-z0-9_+'-]{1,100}(?:::skin-tone-[2-6])?")


class ReactionMethods:
    """Reacting as the app's bot. `feed` is None when the app shall not hear of itself."""

    def __init__(self, directory: Directory, book: MessageBook, feed: Feed | None) -> None:
        self._directory = directory
        self._book = book
        self._feed = feed

    def table(self) -> Mapping[str, Callable[[Call], JsonObject]]:
        """Method name to what carries it out."""
        return {"reactions.add": self.add, "reactions.remove": self.remove}

    def add(self, call: Call) -> JsonObject:
        """Put an emoji on a message, once for each user."""
        name, message = self._named(call)
        user_id = call.team.bot_user_id
        if user_id in message.reactions.get(name, ()):
            raise SlackError("already_reacted")
        self._book.react(message, name, user_id)
        if self._feed is not None:
            self._feed.reacted("reaction_added", message, name, user_id)
        return {}

    def remove(self, call: Call) -> JsonObject:
        """Take the bot's own emoji off a message."""
        name, message = self._named(call)
        user_id = call.team.bot_user_id
        if user_id not in message.reactions.get(name, ()):
            raise SlackError("no_reaction")
        self._book.unreact(message, name, user_id)
        if self._feed is not None:
            self._feed.reacted("reaction_removed", message, name, user_id)
        return {}

    def _named(self, call: Call) -> tuple[str, Message]:
        name = call.required("name").strip(":")
        if not _NAME.fullmatch(name):
            raise SlackError("invalid_name")
        ts = call.text("timestamp")
        if ts is None or call.text("channel") is None:
            raise SlackError("no_item_specified")
        channel = channel_of(call, self._directory)
        message = self._book.get(channel.team_id, channel.channel_id, _checked_ts(ts))
        if message is None:
            raise SlackError("message_not_found")
        if channel.is_archived:
            raise SlackError("is_archived")
        return name, message


def _checked_ts(ts: str) -> str:
    try:
        ts_order(ts)
    except ValueError:
        raise SlackError("bad_timestamp") from None
    return ts
