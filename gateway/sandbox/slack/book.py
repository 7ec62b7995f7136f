"""The messages of every channel, and the order that `ts` gives them. Sends no events.

A `ts` is unique within one channel of one team only: two teams may well hold the same channel id
and the same ts. https://docs.slack.dev/messaging/retrieving-messages/
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from gateway.sandbox.changes import Changes
from gateway.sandbox.wire import JsonObject


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it stands now: edits replace it, deletion removes it.

    `reactions` are user ids by the emoji's name. `visible_to` is the only user who sees it.
    """

    team_id: str
    channel_id: str
    ts: str
    text: str
    at: datetime
    user: str | None = None
    bot_id: str | None = None
    app_id: str | None = None
    thread_ts: str | None = None
    subtype: str | None = None
    client_msg_id: str | None = None
    metadata: JsonObject | None = None
    blocks: list[object] | None = None
    edited_ts: str | None = None
    attachments: list[object] | None = None
    reactions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    visible_to: str | None = None
    files: list[object] | None = None
    streams_until_s: float | None = None
    app_context: JsonObject | None = None

    def grows(self, now_s: float) -> bool:
        """Whether it is a stream that nobody has ended, by the clock of the loop."""
        return self.streams_until_s is not None and now_s < self.streams_until_s

    @property
    def is_reply(self) -> bool:
        """A message inside a thread; the root carries its own ts or none."""
        return self.thread_ts not in (None, self.ts)

    @property
    def is_in_channel(self) -> bool:
        """Shown in the channel itself, not only inside its thread."""
        return not self.is_reply or self.subtype == "thread_broadcast"


def ts_order(ts: str) -> tuple[int, int]:
    """Sort key of a ts; exact, which a float is not. Raises ValueError when it is no ts."""
    seconds, _, fraction = ts.partition(".")
    return int(seconds), int(fraction.ljust(6, "0") or 0)


class MessageBook:
    """Messages by team, channel and ts."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._channels: dict[tuple[str, str], dict[str, Message]] = {}
        self._ephemeral: list[Message] = []
        self._by_bot: Counter[tuple[str, str, str]] = Counter()
        self._last_us = 0

    def new_ts(self) -> str:
        """The present moment, but never the same twice."""
        self._last_us = max(self._last_us + 1, time.time_ns() // 1000)
        return f"{self._last_us // 1_000_000}.{self._last_us % 1_000_000:06d}"

    def add(self, message: Message) -> None:
        """Raises ValueError when the channel already holds this ts."""
        channel = self._channels.setdefault((message.team_id, message.channel_id), {})
        if message.ts in channel:
            raise ValueError(f"{message.channel_id} of {message.team_id} already has {message.ts}")
        ts_order(message.ts)
        channel[message.ts] = message
        if message.bot_id is not None:
            self._by_bot[message.team_id, message.channel_id, message.bot_id] += 1
        self._changes.announce()

    def replace(self, message: Message) -> None:
        """Put an edited message in the place of the old one."""
        self._channels[message.team_id, message.channel_id][message.ts] = message
        self._changes.announce()

    def remove(self, message: Message) -> None:
        """Forget a message; its thread stays."""
        del self._channels[message.team_id, message.channel_id][message.ts]
        self._changes.announce()

    def react(self, message: Message, name: str, user_id: str) -> None:
        """Put a user's emoji on a message."""
        users = (*message.reactions.get(name, ()), user_id)
        self.replace(replace(message, reactions={**message.reactions, name: users}))

    def unreact(self, message: Message, name: str, user_id: str) -> None:
        """Take a user's emoji off a message."""
        users = tuple(each for each in message.reactions.get(name, ()) if each != user_id)
        reactions = {**message.reactions, name: users}
        self.replace(replace(message, reactions={k: v for k, v in reactions.items() if v}))

    def show(self, message: Message) -> None:
        """Show a message to one user. It stands in no history and cannot be found again."""
        self._ephemeral.append(message)
        self._changes.announce()

    def shown(self, team_id: str, channel_id: str) -> list[Message]:
        """What was shown to single users of the channel, in order."""
        where = (team_id, channel_id)
        return [each for each in self._ephemeral if (each.team_id, each.channel_id) == where]

    def get(self, team_id: str, channel_id: str, ts: str) -> Message | None:
        """None when this team's channel has no such message."""
        return self._channels.get((team_id, channel_id), {}).get(ts)

    def root_ts(self, team_id: str, channel_id: str, ts: str) -> str:
        """The thread's root, also when `ts` names a reply: Slack has no threads inside threads."""
        named = self.get(team_id, channel_id, ts)
        return named.thread_ts if named is not None and named.thread_ts else ts

    def messages(
        self, team_id: str, channel_id: str, keep: Callable[[Message], bool] = lambda _: True
    ) -> list[Message]:
        """Oldest first."""
        channel = self._channels.get((team_id, channel_id), {})
        return sorted(filter(keep, channel.values()), key=lambda message: ts_order(message.ts))

    def thread(self, team_id: str, channel_id: str, root_ts: str) -> list[Message]:
        """The root and its replies, oldest first."""
        return self.messages(team_id, channel_id, lambda m: root_ts in (m.ts, m.thread_ts))

    def posted_by(self, team_id: str, channel_id: str, bot_id: str) -> int:
        """How many messages this bot ever posted here, also those deleted since."""
        return self._by_bot[team_id, channel_id, bot_id]
