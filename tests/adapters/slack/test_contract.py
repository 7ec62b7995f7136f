"""Slack passes the contract of what agents say, by itself and on the wire."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.slack.capabilities import CAPABILITIES
from adapters.slack.outbound import render
from adapters.slack.sender import SlackSender
from gateway.core.conversations import ConversationRef
from gateway.core.events import Attachment
from gateway.core.ports import Renderer, Sender
from gateway.sandbox.slack import Message, SlackSandbox
from tests.adapters.slack.acts import BOT, place
from tests.adapters.slack.client import SlackSubject
from tests.adapters.slack.conftest import ANN, CHANNEL, TEAM
from tests.contracts.live_subject import Seen
from tests.contracts.outbound import OutboundContract, TextContract
from tests.contracts.outbound_live import LiveContract


class TestSlack(OutboundContract):
    """Buttons, menus, forms, cards and thumbs."""

    subject = SlackSubject()


class TestSlackText(TextContract):
    """Markdown."""

    subject = SlackSubject()


class LiveSlack:
    """The adapter and the stand-in."""

    capabilities = CAPABILITIES
    credential = BOT
    here = place()
    channel_name = "general"
    member = ANN
    raw: dict[str, Any] = {  # noqa: RUF012 - the contract reads it only
        "blocks": [{"type": "header", "text": {"type": "plain_text", "text": "RAW"}}]
    }

    def __init__(self, slack: SlackSandbox, sender: SlackSender) -> None:
        self._slack = slack
        self._sender = sender
        slack.add_channel(TEAM, CHANNEL, name=self.channel_name)
        slack.add_user(TEAM, ANN)

    @property
    def render(self) -> Renderer:
        """The renderer of Markdown."""
        return render

    @property
    def sender(self) -> Sender:
        """The adapter."""
        return self._sender

    def ask(self) -> tuple[ConversationRef, str]:
        """Ann asks in the channel."""
        ts = self._slack.say(TEAM, CHANNEL, ANN, "hello?")
        return place(ts), ts

    def seen(self, conversation: ConversationRef | None = None) -> list[Seen]:
        """What the bot has posted there, and shown to single users."""
        channel = (conversation or self.here).channel
        posted = self._slack.bot_messages(TEAM, channel)
        return [self._seen(each) for each in [*posted, *self._slack.ephemerals(TEAM, channel)]]

    def typing_seen(self) -> list[bool]:
        """Statuses; an empty one takes the one before it back."""
        return [bool(status.text) for status in self._slack.statuses]

    def share(self, name: str, content: bytes) -> Attachment:
        """Ann shares a file."""
        file = self._slack.share_file(TEAM, CHANNEL, ANN, name, content)
        return Attachment(
            id=file.file_id, name=file.name, media_type=file.mimetype, size_bytes=file.size
        )

    def _seen(self, message: Message) -> Seen:
        ids = [file["id"] for file in message.files or [] if isinstance(file, dict)]
        blocks: list[Any] = message.blocks or []
        contents = {file.file_id: file.content for file in self._slack.files}
        return Seen(
            id=message.ts,
            text="".join(each["text"] for each in blocks if each["type"] == "markdown"),
            thread=message.thread_ts,
            is_edited=message.edited_ts is not None,
            reactions=tuple(message.reactions),
            visible_to=message.visible_to,
            files=tuple(contents[file_id] or b"" for file_id in ids),
            payload=[each for each in blocks if each["type"] != "markdown"] or None,
        )


class TestSlackLive(LiveContract):
    """Calls of the Web API."""

    @pytest.fixture
    def subject(self, slack: SlackSandbox, sender: SlackSender) -> LiveSlack:
        """The adapter, pointed at the stand-in."""
        return LiveSlack(slack, sender)
