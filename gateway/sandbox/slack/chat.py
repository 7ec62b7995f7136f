"""The Web API methods that write: chat.postMessage, chat.postEphemeral, chat.update, chat.delete.

https://docs.slack.dev/reference/methods/chat.postMessage/
https://docs.slack.dev/reference/methods/chat.postEphemeral/
https://docs.slack.dev/reference/methods/chat.update/
https://docs.slack.dev/reference/methods/chat.delete/
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from gateway.sandbox.slack.blocks import read_blocks
from gateway.sandbox.slack.book import Message, MessageBook
from gateway.sandbox.slack.calls import Call, SlackError
from gateway.sandbox.slack.directory import Channel, Directory
from gateway.sandbox.slack.events import message_json
from gateway.sandbox.slack.feed import Feed
from gateway.sandbox.slack.rules import (
    ATTACHMENTS_LIMIT,
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
            "chat.postEphemeral": self.post_ephemeral,
            "chat.update": self.update,
            "chat.delete": self.delete,
        }

    def post_message(self, call: Call) -> JsonObject:
        """Store a message. More than 40,000 characters are cut, with a warning, not refused."""
        content = _content(call)
        broadcast = "thread_broadcast" if call.flag("reply_broadcast") else None
        message = replace(
            self._message(call, content[:TEXT_LIMIT]),
            subtype=broadcast,
            metadata=read_metadata(call),
        )
        self._book.add(message)
        if self._feed is not None:
            self._feed.posted(message)
        answer: JsonObject = {"channel": message.channel_id, "ts": message.ts}
        answer["message"] = with_metadata(message, message_json(message, call.team))
        return answer | (_truncated() if len(content) > TEXT_LIMIT else {})

    def post_ephemeral(self, call: Call) -> JsonObject:
        """Show a message to one user. Nobody can read it back, change it or delete it."""
        user_id = call.required("user")
        content = _content(call)
        if len(content) > TEXT_LIMIT:
            raise SlackError("msg_too_long")
        message = self._message(call, content)
        if self._directory.user(call.team.team_id, user_id) is None:
            raise SlackError("user_not_in_channel")
        self._book.show(replace(message, visible_to=user_id))
        return {"message_ts": message.ts}

    def update(self, call: Call) -> JsonObject:
        """Change a message of the bot's own. What is not named stays, but for the blocks, which a
        new text removes.
        """
        before = self._own(call, "cant_update_message")
        if before.grows(asyncio.get_running_loop().time()):
            raise SlackError("streaming_state_conflict")
        text = _content(call)
        if len(text) > UPDATE_TEXT_LIMIT:
            raise SlackError("msg_too_long")
        keeps_blocks = "blocks" not in call.args and not text
        keeps_attachments = "attachments" not in call.args
        after = replace(
            before,
            text=text or before.text,
            blocks=before.blocks if keeps_blocks else read_blocks(call),
            attachments=before.attachments if keeps_attachments else _attachments(call),
            edited_ts=self._book.new_ts(),
            metadata=read_metadata(call) if "metadata" in call.args else before.metadata,
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

    def _message(self, call: Call, text: str) -> Message:
        channel = postable_channel(call, self._directory)
        return Message(
            team_id=call.team.team_id,
            channel_id=channel.channel_id,
            ts=self._book.new_ts(),
            text=text,
            at=datetime.now(UTC),
            user=call.team.bot_user_id,
            bot_id=call.team.bot_id,
            app_id=self._app_id,
            thread_ts=self._thread_ts(call, channel),
            blocks=read_blocks(call),
            attachments=_attachments(call),
        )

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
    if channel is None or not channel.is_visible:
        raise SlackError("channel_not_found")
    return channel


def postable_channel(call: Call, directory: Directory) -> Channel:
    """The channel a call would post into; the app has no chat:write.public. Raises SlackError."""
    channel = channel_of(call, directory)
    if channel.is_archived:
        raise SlackError("is_archived")
    if not channel.is_member:
        raise SlackError("not_in_channel")
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


def read_metadata(call: Call) -> JsonObject | None:
    """The metadata of a call, None when there is none. Raises SlackError."""
    metadata = call.structure("metadata")
    if metadata is None or metadata == {}:
        return None
    named = isinstance(metadata, dict) and isinstance(metadata.get("event_type"), str)
    if not isinstance(metadata, dict) or not named:
        raise SlackError("invalid_metadata_format")
    if not isinstance(metadata.get("event_payload"), dict):
        raise SlackError("invalid_metadata_format")
    return metadata


def _attachments(call: Call) -> list[object] | None:
    attachments = call.structure("attachments")
    if attachments is None:
        return None
    if not isinstance(attachments, list):
        raise SlackError("invalid_attachments")
    if len(attachments) > ATTACHMENTS_LIMIT:
        raise SlackError("too_many_attachments")
    return attachments or None


def _truncated() -> JsonObject:
    warning = "message_truncated"
    return {"warning": warning, "response_metadata": {"warnings": [warning]}}
