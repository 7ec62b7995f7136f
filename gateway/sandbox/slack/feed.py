"""Tells the app what happened in its channels: which events one act produces, and for whom."""

from __future__ import annotations

from gateway.sandbox.slack.book import Message, MessageBook
from gateway.sandbox.slack.directory import Channel, Directory
from gateway.sandbox.slack.envelopes import Courier
from gateway.sandbox.slack.events import (
    changed_event,
    deleted_event,
    mention_event,
    mentions,
    message_event,
    outer_event,
    reaction_event,
)
from gateway.sandbox.slack.sharing import Sharing
from gateway.sandbox.wire import JsonObject


class Feed:
    """The app's event subscriptions: message.*, app_mention, reaction_added, reaction_removed."""

    def __init__(
        self,
        app_id: str,
        directory: Directory,
        book: MessageBook,
        courier: Courier,
        sharing: Sharing,
    ) -> None:
        self._app_id = app_id
        self._directory = directory
        self._book = book
        self._courier = courier
        self._sharing = sharing

    def send(self, team_id: str, event: JsonObject, outer: JsonObject | None = None) -> str:
        """Wrap and offer any inner event; `outer` overrides fields of the wrapper.

        Returns the event id.
        """
        payload = outer_event(event, self._directory.team(team_id), self._app_id)
        payload |= self._sharing.around(event) | (outer or {})
        self._courier.offer_event(payload)
        return str(payload["event_id"])

    def posted(self, message: Message) -> None:
        """A message event; and, outside DMs, a second event when the bot is named.

        https://docs.slack.dev/reference/events/app_mention/ : DMs dispatch message.im only.
        """
        team = self._directory.team(message.team_id)
        channel = self._channel_of(message)
        thread_ts = message.thread_ts or message.ts
        parent = self._book.get(message.team_id, message.channel_id, thread_ts)
        self.send(message.team_id, message_event(message, team, channel, parent))
        named = message.app_id is None and mentions(message.text, team.bot_user_id)
        if named and channel.kind != "im":
            self.send(message.team_id, mention_event(message, team))

    def changed(self, before: Message, after: Message) -> None:
        """A message was edited."""
        team = self._directory.team(after.team_id)
        at_ts = after.edited_ts or after.ts
        self.send(team.team_id, changed_event(before, after, team, self._channel_of(after), at_ts))

    def deleted(self, before: Message) -> None:
        """A message was deleted."""
        team = self._directory.team(before.team_id)
        channel = self._channel_of(before)
        self.send(team.team_id, deleted_event(before, team, channel, self._book.new_ts()))

    def reacted(self, kind: str, message: Message, name: str, user_id: str) -> None:
        """An emoji was put on a message (reaction_added) or taken off (reaction_removed)."""
        at_ts = self._book.new_ts()
        self.send(message.team_id, reaction_event(kind, message, name, user_id, at_ts))

    def _channel_of(self, message: Message) -> Channel:
        return self._directory.add_channel(message.team_id, message.channel_id)
