"""Emoji put on messages and taken off. Pure.

https://docs.slack.dev/reference/events/reaction_added/
"""

from __future__ import annotations

import msgspec

from adapters.slack.fields import Fields, Malformed
from adapters.slack.inbound_context import (
    Context,
    happened,
    kind_of_channel,
    place_of_message,
    unsupported,
    user_of,
)
from adapters.slack.inbound_emoji import to_emoji
from gateway.core.events import EventKind, InboundEvent, Reaction

_KINDS = {
    "reaction_added": EventKind.REACTION_ADDED,
    "reaction_removed": EventKind.REACTION_REMOVED,
}


def reaction(event: Fields, context: Context) -> InboundEvent:
    """Read a reaction to a message. Raises Malformed.

    Slack names the message and not its thread. In a channel the conversation is therefore the
    thread that the message itself may begin: the right one of a root, and of a reply one that the
    agent does not know; in a direct message it is the whole talk. `message_id` is always right.
    """
    item = event.required_child("item")
    if item.text("type") != "message":
        return unsupported(event, context)
    channel, ts = item.required_id("channel"), item.required_id("ts")
    user = event.required_id("user")
    name = event.text("reaction")
    if not name:
        raise Malformed("event.reaction is missing")
    heard = happened(
        context,
        _KINDS[event.text("type")],
        place_of_message(context, channel, kind_of_channel(channel), ts=ts, thread_ts=""),
        user_of(user, context.install),
        message_id=ts,
        at=event.id("event_ts"),
    )
    # Without a bot user nobody can be told to be it.
    author = event.id("item_user")
    on_own = bool(author) and author == context.install.bot
    return msgspec.structs.replace(heard, detail=Reaction(emoji=to_emoji(name), on_own=on_own))
