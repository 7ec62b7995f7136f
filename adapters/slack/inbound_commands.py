"""Slash commands, and shortcuts, which are commands from a menu. Pure."""

from __future__ import annotations

import msgspec

from adapters.slack.fields import Fields, Malformed
from adapters.slack.inbound_context import (
    MAX_NAME_CHARS,
    Context,
    Place,
    happened,
    kind_of_channel,
    person_of,
    place,
    place_of_message,
)
from adapters.slack.inbound_text import to_markdown
from gateway.core.conversations import ConversationKind
from gateway.core.events import Command, EventKind, InboundEvent, Sender


def slash_command(payload: Fields, context: Context) -> tuple[InboundEvent, ...]:
    """Read a slash command; its conversation is the channel, for a command stands in no thread.

    https://docs.slack.dev/interactivity/implementing-slash-commands/ . Raises Malformed.
    """
    channel = payload.required_id("channel_id")
    name = payload.text("user_name")[:MAX_NAME_CHARS]
    kind = kind_of_channel(channel, payload.text("channel_name"))
    return _invoked(
        context,
        place(context, channel, kind=kind),
        Sender(id=payload.required_id("user_id"), name=name or None),
        name=_word(payload, "command").removeprefix("/"),
        text=payload.text("text"),
    )


def shortcut(payload: Fields, context: Context) -> tuple[InboundEvent, ...]:
    """Read a global shortcut, which is used nowhere in particular. Raises Malformed.

    Its conversation is the user: a message to the channel of that id is a direct message.
    https://docs.slack.dev/reference/interaction-payloads/shortcuts-interaction-payload/ and
    https://docs.slack.dev/reference/methods/chat.postMessage/#app_home
    """
    person = person_of(payload)
    where = place(context, person.id, kind=ConversationKind.DIRECT)
    return _invoked(context, where, person, name=_word(payload, "callback_id"))


def message_shortcut(payload: Fields, context: Context) -> tuple[InboundEvent, ...]:
    """Read a shortcut on a message, whose text comes with it. Raises Malformed.

    https://docs.slack.dev/reference/interaction-payloads/shortcuts-interaction-payload/
    """
    channel = payload.required_child("channel")
    message = payload.required_child("message")
    channel_id, ts = channel.required_id("id"), message.required_id("ts")
    kind = kind_of_channel(channel_id, channel.text("name"))
    thread_ts = message.id("thread_ts")
    return _invoked(
        context,
        place_of_message(context, channel_id, kind, ts=ts, thread_ts=thread_ts),
        person_of(payload),
        name=_word(payload, "callback_id"),
        text=message.text("text"),
        message_id=ts,
    )


def _invoked(
    context: Context,
    where: Place,
    sender: Sender,
    *,
    name: str,
    text: str = "",
    message_id: str = "",
) -> tuple[InboundEvent, ...]:
    content = to_markdown(text)
    heard = happened(
        context,
        EventKind.COMMAND_INVOKED,
        where,
        sender,
        message_id=message_id or context.event_id,
    )
    command = Command(name=name)
    return (
        msgspec.structs.replace(
            heard, detail=command, text=content.text, mentions=content.mentions
        ),
    )


def _word(payload: Fields, field: str) -> str:
    word = payload.text(field).strip()[:255]
    if not word.removeprefix("/"):
        raise Malformed(f"{field} is missing")
    return word
