"""The Web API methods of messages that grow: chat.startStream, chat.appendStream, chat.stopStream.

https://docs.slack.dev/reference/methods/chat.startStream/
https://docs.slack.dev/reference/methods/chat.appendStream/
https://docs.slack.dev/reference/methods/chat.stopStream/

Assumed, for the documents are silent: a stream ends by itself after five minutes, also an active
one (https://github.com/slackapi/python-slack-sdk/issues/1859), and what it has shown stays. That a
user stopped it is told by chat.appendStream alone, whose page names that error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from gateway.sandbox.slack.blocks import read_blocks
from gateway.sandbox.slack.book import Message, MessageBook
from gateway.sandbox.slack.calls import Call, SlackError
from gateway.sandbox.slack.chat import channel_of, postable_channel, read_metadata
from gateway.sandbox.slack.directory import Directory
from gateway.sandbox.slack.events import message_json
from gateway.sandbox.slack.feed import Feed
from gateway.sandbox.slack.rules import MARKDOWN_TEXT_LIMIT
from gateway.sandbox.wire import JsonObject


class StreamMethods:
    """Streaming as the app's bot. `feed` is None when the app shall not hear its own messages."""

    def __init__(
        self,
        app_id: str,
        directory: Directory,
        book: MessageBook,
        feed: Feed | None,
        lifetime_s: float,
    ) -> None:
        self._app_id = app_id
        self._directory = directory
        self._book = book
        self._feed = feed
        self._lifetime_s = lifetime_s
        self._modes: dict[tuple[str, str, str], str] = {}
        self._stopped: set[tuple[str, str, str]] = set()

    def table(self) -> Mapping[str, Callable[[Call], JsonObject]]:
        """Method name to what carries it out."""
        return {
            "chat.startStream": self.start,
            "chat.appendStream": self.append,
            "chat.stopStream": self.stop,
        }

    def expire(self) -> None:
        """End all that grows, as if its time had come."""
        for team_id, channel_id, ts in self._modes:
            message = self._book.get(team_id, channel_id, ts)
            if message is not None:
                self._book.replace(replace(message, streams_until_s=None))

    def stopped_by_user(self, team_id: str, channel_id: str, ts: str) -> None:
        """End a stream as a user does. Raises KeyError when there is no such message."""
        message = self._book.get(team_id, channel_id, ts)
        if message is None:
            raise KeyError(f"no message {ts} in {channel_id} of {team_id}")
        self._stopped.add((team_id, channel_id, ts))
        self._book.replace(replace(message, streams_until_s=None))

    def start(self, call: Call) -> JsonObject:
        """Post a message that grows, below another one. In a channel a recipient is named."""
        channel = postable_channel(call, self._directory)
        root_ts = self._book.root_ts(
            channel.team_id, channel.channel_id, call.required("thread_ts")
        )
        if channel.kind != "im":
            for argument in ("recipient_team_id", "recipient_user_id"):
                if call.text(argument) is None:
                    raise SlackError(f"missing_{argument}")
        recipient = call.text("recipient_user_id")
        if recipient and self._directory.user(channel.team_id, recipient) is None:
            raise SlackError("user_not_found")
        mode, text = _content(call)
        now_s = asyncio.get_running_loop().time()
        message = Message(
            team_id=channel.team_id,
            channel_id=channel.channel_id,
            ts=self._book.new_ts(),
            text=text,
            at=datetime.now(UTC),
            user=call.team.bot_user_id,
            bot_id=call.team.bot_id,
            app_id=self._app_id,
            thread_ts=root_ts,
            streams_until_s=now_s + self._lifetime_s,
        )
        self._book.add(message)
        self._modes[_key(message)] = mode
        if self._feed is not None:
            self._feed.posted(message)
        return {"channel": message.channel_id, "ts": message.ts}

    def append(self, call: Call) -> JsonObject:
        """Add text to what is shown."""
        message = self._own(call)
        if _key(message) in self._stopped:
            raise SlackError("stopped_by_user")
        _check_growing(message)
        mode, text = _content(call)
        if not mode:
            raise SlackError("markdown_text_or_chunks_required")
        self._check_mode(message, mode)
        self._book.replace(replace(message, text=message.text + text))
        return {"channel": message.channel_id, "ts": message.ts}

    def stop(self, call: Call) -> JsonObject:
        """End it, with more text, blocks and metadata if there are any."""
        message = self._own(call)
        _check_growing(message)
        mode, text = _content(call)
        self._check_mode(message, mode)
        metadata = read_metadata(call)
        after = replace(
            message,
            text=message.text + text,
            blocks=read_blocks(call),
            metadata=metadata or message.metadata,
            streams_until_s=None,
        )
        self._book.replace(after)
        if self._feed is not None:
            self._feed.changed(message, replace(after, edited_ts=self._book.new_ts()))
        told = message_json(after, call.team) | {"streaming_state": "completed"}
        return {"channel": after.channel_id, "ts": after.ts, "message": told}

    def _own(self, call: Call) -> Message:
        channel = channel_of(call, self._directory)
        message = self._book.get(channel.team_id, channel.channel_id, call.required("ts"))
        if message is None:
            raise SlackError("message_not_found")
        if message.bot_id != call.team.bot_id:
            raise SlackError("message_not_owned_by_app")
        return message

    def _check_mode(self, message: Message, mode: str) -> None:
        begun = self._modes[_key(message)]
        if begun and mode and begun != mode:
            raise SlackError("streaming_mode_mismatch")
        self._modes[_key(message)] = begun or mode


def _key(message: Message) -> tuple[str, str, str]:
    return message.team_id, message.channel_id, message.ts


def _check_growing(message: Message) -> None:
    if not message.grows(asyncio.get_running_loop().time()):
        raise SlackError("message_not_in_streaming_state")


def _content(call: Call) -> tuple[str, str]:
    """By which argument text is given, "" for none, and the text."""
    markdown, chunks = call.text("markdown_text"), call.structure("chunks")
    if markdown is not None and chunks is not None:
        raise SlackError("cannot_provide_both_markdown_text_and_chunks")
    if chunks is not None:
        return "chunks", _text_of(chunks)
    if markdown is not None and len(markdown) > MARKDOWN_TEXT_LIMIT:
        raise SlackError("msg_too_long")
    return ("", "") if markdown is None else ("markdown_text", markdown)


def _text_of(chunks: object) -> str:
    if not isinstance(chunks, list) or not all(isinstance(each, dict) for each in chunks):
        raise SlackError("invalid_chunks")
    texts = [str(each.get("text", "")) for each in chunks if each.get("type") == "markdown_text"]
    if any(len(text) > MARKDOWN_TEXT_LIMIT for text in texts):
        raise SlackError("invalid_chunks")
    return "".join(texts)
