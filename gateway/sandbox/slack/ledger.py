"""What happened in the sandbox, for assertions, and waiting until it has. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.sandbox.changes import Changes
from gateway.sandbox.slack.book import Message, MessageBook
from gateway.sandbox.slack.directory import Directory
from gateway.sandbox.slack.envelopes import Courier, Delivery, Line
from gateway.sandbox.slack.http_events import HttpEvents
from gateway.sandbox.slack.rules import SlackRules
from gateway.sandbox.slack.sharing import Sharing
from gateway.sandbox.slack.socket_mode import SocketMode
from gateway.sandbox.slack.views import Triggers


class SlackLedger:
    """The reading half of SlackSandbox, and the state that both halves share."""

    def __init__(self, app_id: str, rules: SlackRules) -> None:
        self._changes = Changes()
        self._directory = Directory()
        self._book = MessageBook(self._changes)
        self._sockets = SocketMode(app_id, rules, self._changes)
        self.http = HttpEvents(rules)
        self._courier = Courier(rules, self._changes, self._next_line)
        self.http.told = self._courier
        self._triggers = Triggers(rules.trigger_lifetime_s)
        self._sharing = Sharing(self._directory)
        self._sockets.on_frame = self._courier.on_frame

    def _next_line(self) -> Line | None:
        return self.http if self.http.is_pointed else self._sockets.next_line()

    def messages(self, team_id: str, channel_id: str) -> list[Message]:
        """All that stands in the channel and its threads, oldest first."""
        return self._book.messages(team_id, channel_id)

    def bot_messages(self, team_id: str, channel_id: str) -> list[Message]:
        """What the app itself posted, oldest first."""
        bot_id = self._directory.team(team_id).bot_id
        return self._book.messages(team_id, channel_id, lambda m: m.bot_id == bot_id)

    def ephemerals(self, team_id: str, channel_id: str) -> list[Message]:
        """What the app showed to single users of the channel, in order."""
        return self._book.shown(team_id, channel_id)

    @property
    def deliveries(self) -> Sequence[Delivery]:
        """Every envelope sent, redeliveries included, in order."""
        return self._courier.deliveries

    @property
    def given_up(self) -> Sequence[str]:
        """Event ids (envelope ids where there is none) that nobody acknowledged in time."""
        return self._courier.given_up

    @property
    def stray_frames(self) -> Sequence[str]:
        """Frames from the app that acknowledge nothing that was sent."""
        return self._courier.stray_frames

    @property
    def sockets_opened(self) -> int:
        """How many connections were greeted since the start."""
        return self._sockets.opened

    def unacked(self) -> list[Delivery]:
        """Envelopes without any acknowledgement so far."""
        return [delivery for delivery in self.deliveries if not delivery.acked]

    async def wait_for_bot_messages(
        self, team_id: str, channel_id: str, count: int, timeout_s: float
    ) -> list[Message]:
        """Wait until the app posted `count` messages there. Raises TimeoutError."""
        bot_id = self._directory.team(team_id).bot_id

        def posted() -> int:
            return self._book.posted_by(team_id, channel_id, bot_id)

        await self._changes.until(
            lambda: posted() >= count,
            timeout_s,
            lambda: f"{count} bot messages in {channel_id} of {team_id}; there are {posted()}",
        )
        return self.bot_messages(team_id, channel_id)

    async def wait_for_sockets(self, count: int, timeout_s: float) -> None:
        """Wait until exactly `count` connections are open. Raises TimeoutError."""
        await self._changes.until(
            lambda: self._sockets.open_count == count,
            timeout_s,
            lambda: f"{count} open sockets; there are {self._sockets.open_count}",
        )

    async def wait_for_connects(self, total: int, timeout_s: float) -> None:
        """Wait until `total` connections were greeted since the start. Raises TimeoutError."""
        await self._changes.until(
            lambda: self.sockets_opened >= total,
            timeout_s,
            lambda: f"{total} connects; there were {self.sockets_opened}",
        )

    async def settled(self, timeout_s: float) -> None:
        """Wait until every envelope is acknowledged or out of retries. Raises TimeoutError."""
        await self._changes.until(
            lambda: self._courier.outstanding == 0,
            timeout_s,
            lambda: f"all envelopes settled; {self._courier.outstanding} are not",
        )
