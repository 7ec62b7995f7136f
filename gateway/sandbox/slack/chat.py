"""The Web API methods that write: chat.postMessage, chat.update, chat.delete.

https://docs.slack.dev/reference/methods/chat.postMessage/
https://docs.slack.dev/reference/methods/chat.update/
https://docs.slack.dev/reference/methods/chat.delete/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from gateway.sandbox.slack.book import Message, MessageBook
from gateway.sandbox.slack.calls import Call, SlackError
from gateway.sandbox.slack.directory import Channel, Directory
from gateway.sandbox.slack.events import message_json
from gateway.sandbox.slack.feed import Feed
from gateway.sandbox.slack.rules import (
    BLOCKS_LIMIT,
    MARKDOWN_TEXT_LIMIT,
    TEXT_LIMIT,
    UPDATE_TEXT_LIMIT,
)
from gateway.sandbox.wire import JsonObject


class ChatMethods:
    """Posting as the app's bot. `feed` is None when the app shall not hear its own messages."""

    def __init__(
        self, app_id: str, directory: Directory, book: MessageBook, feed: Feed | None
    ) -> None:
        self._app_id = app_id
        self._directory = directory
        self._book = book
        self._feed = feed

    def table(self) -> Mapping[str, Callable[[Call], JsonObject]]:
        """Method name to what carries it out."""
        return {
            "chat.postMessage": self.post_message,
            "chat.update": self.update,
            "chat.delete": self.delete,
        }

    def post_message(self, call: Call) -> JsonObject:
        """Store a message. More than 40,000 characters are cut, with a warning, not refused."""
        channel = channel_of(call, self._directory)
        content = _content(call)
        message = Message(
            team_id=call.team.team_id,
            channel_id=channel.channel_id,
            ts=self._book.new_ts(),
            text=content[:TEXT_LIMIT],
            at=datetime.now(UTC),
            user=call.team.bot_user_id,
            bot_id=call.team.bot_id,
            app_id=self._app_id,
            thread_ts=self._thread_ts(call, channel),
            subtype="thread_broadcast" if call.flag("reply_broadcast") else None,
            metadata=_metadata(call),
            blocks=_blocks(call),
        )
        self._book.add(message)
        if self._feed is not None:
            self._feed.posted(message)
        answer: JsonObject = {"channel": channel.channel_id, "ts": message.ts}
        answer["message"] = with_metadata(message, message_json(message, call.team))
        return answer | (_truncated() if len(content) > TEXT_LIMIT else {})

    def update(self, call: Call) -> JsonObject:
        """Change a message of the bot's own."""
        before = self._own(call, "cant_update_message")
        text = _content(call)
        if len(text) > UPDATE_TEXT_LIMIT:
            raise SlackError("msg_too_long")
        after = replace(
            before,
            text=text,
            blocks=_blocks(call),
            edited_ts=self._book.new_ts(),
            metadata=_metadata(call) or before.metadata,
        )
        self._book.replace(after)
        if self._feed is not None:
            self._feed.changed(before, after)
        return {
            "channel": after.channel_id,
            "ts": after.ts,
            "text": after.text,
            "message": message_json(after, call.team),
        }

    def delete(self, call: Call) -> JsonObject:
        """Delete a message of the bot's own."""
        message = self._own(call, "cant_delete_message")
        self._book.remove(message)
        if self._feed is not None:
            self._feed.deleted(message)
        return {"channel": message.channel_id, "ts": message.ts}

    def _own(self, call: Call, refusal: str) -> Message:
        channel = channel_of(call, self._directory)
        message = self._book.get(call.team.team_id, channel.channel_id, call.required("ts"))
        if message is None:
            raise SlackError("message_not_found")
        if message.bot_id != call.team.bot_id:
            raise SlackError(refusal)
        return message

    def _thread_ts(self, call: Call, channel: Channel) -> str | None:
        named = call.text("thread_ts")
        return named and self._book.root_ts(channel.team_id, channel.channel_id, named)


def channel_of(call: Call, directory: Directory) -> Channel:
    """The channel a call names. Raises SlackError: another team's channel is not found either."""
    channel = directory.channel(call.team.team_id, call.required("channel"))
    if channel is None:
        raise SlackError("channel_not_found")
    return channel


def with_metadata(message: Message, body: JsonObject) -> JsonObject:
    """https://docs.slack.dev/messaging/message-metadata/"""
    return body | ({} if message.metadata is None else {"metadata": message.metadata})


def _content(call: Call) -> str:
    text, markdown = call.text("text"), call.text("markdown_text")
    if markdown is not None and (text is not None or call.args.get("blocks")):
        raise SlackError("markdown_text_conflict")
    if markdown is not None and len(markdown) > MARKDOWN_TEXT_LIMIT:
        raise SlackError("msg_too_long")
    content = text or markdown
    if content is None and not (call.args.get("blocks") or call.args.get("attachments")):
        raise SlackError("no_text")
    return content or ""


def _metadata(call: Call) -> JsonObject | None:
    metadata = call.structure("metadata")
    if metadata is None:
        return None
    named = isinstance(metadata, dict) and isinstance(metadata.get("event_type"), str)
    if not isinstance(metadata, dict) or not named:
        raise SlackError("invalid_metadata_format")
    if not isinstance(metadata.get("event_payload"), dict):
        raise SlackError("invalid_metadata_format")
    return metadata


def _blocks(call: Call) -> list[object] | None:
    blocks = call.structure("blocks")
    if blocks is None:
        return None
    if not isinstance(blocks, list) or len(blocks) > BLOCKS_LIMIT:
        raise SlackError("invalid_blocks")
    return blocks or None


def _truncated() -> JsonObject:
    warning = "message_truncated"
    return {"warning": warning, "response_metadata": {"warnings": [warning]}}
