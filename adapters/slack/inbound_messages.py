"""Messages, edits and deletions. Pure.

https://docs.slack.dev/reference/events/message/ and
https://docs.slack.dev/reference/events/app_mention/
"""

from __future__ import annotations

import msgspec

from adapters.slack.fields import Fields, Malformed
from adapters.slack.inbound_context import (
    Context,
    Place,
    conversation_kind,
    happened,
    place_of_message,
    sender_of,
    sent_at,
    unsupported,
)
from adapters.slack.inbound_text import InboundText, to_markdown
from adapters.slack.inbound_viewed import viewed
from gateway.core.events import Attachment, EventKind, InboundEvent
from gateway.core.ids import EventId

_CREATED_SUBTYPES = frozenset({"", "bot_message", "file_share", "me_message", "thread_broadcast"})


def message(event: Fields, context: Context) -> InboundEvent:
    """Read a `message` or `app_mention` event. Raises Malformed."""
    subtype = event.text("subtype")
    if subtype in _CREATED_SUBTYPES:
        return _created(event, context)
    if subtype == "message_changed":
        return _changed(event, context)
    if subtype == "message_deleted":
        return _deleted(event, event.child("previous_message"), context)
    return unsupported(event, context)


def _created(event: Fields, context: Context) -> InboundEvent:
    ts = event.required_id("ts")
    channel = event.required_id("channel")
    return _said(
        event,
        event,
        context,
        kind=EventKind.MESSAGE_CREATED,
        ts=ts,
        # A mention comes twice, as `message` and as `app_mention`, under two event ids.
        key=f"message:{channel}:{ts}",
    )


def _changed(event: Fields, context: Context) -> InboundEvent:
    changed = event.required_child("message")
    previous = event.child("previous_message")
    if changed.text("subtype") == "tombstone":
        # A deleted message that has replies stays as a stub: to people it is gone.
        return _deleted(event, previous, context)
    unfurled = "previous_message" in event and changed.text("text") == previous.text("text")
    if unfurled or changed.text("subtype") not in _CREATED_SUBTYPES:
        return unsupported(event, context)
    ts = changed.required_id("ts")
    edit = changed.child("edited").id("ts") or event.id("event_ts") or context.event_id
    return _said(
        event,
        changed,
        context,
        kind=EventKind.MESSAGE_UPDATED,
        ts=ts,
        key=f"edit:{event.required_id('channel')}:{ts}:{edit}",
    )


def _deleted(event: Fields, previous: Fields, context: Context) -> InboundEvent:
    ts = event.id("deleted_ts") or event.child("message").id("ts") or previous.required_id("ts")
    # A tombstone is a deletion under the name of an edit.
    context = msgspec.structs.replace(context, platform_kind="message.message_deleted")
    return happened(
        context,
        EventKind.MESSAGE_DELETED,
        _place(event, previous, ts, context),
        sender_of(previous, context.install),
        message_id=ts,
        at=event.id("event_ts"),
        key=f"delete:{event.required_id('channel')}:{ts}",
    )


def _said(
    event: Fields, said: Fields, context: Context, *, kind: EventKind, ts: str, key: str
) -> InboundEvent:
    """Build a created or an edited message; `said` is what was said, `event` where."""
    sender = sender_of(said, context.install)
    if not sender.id:
        raise Malformed("event.user is missing")
    content = to_markdown(said.text("text"), bot=context.install.bot)
    place = _place(event, said, ts, context)
    return InboundEvent(
        id=EventId(context.event_id),
        kind=kind,
        conversation=place.ref,
        conversation_kind=place.kind,
        sender=sender,
        message_id=ts,
        dedupe_keys=(context.event_id, key),
        received_at=context.received_at,
        sent_at=sent_at(event.id("event_ts") or ts),
        text=content.text,
        mentioned=_is_mentioned(event, content),
        mentions=content.mentions,
        attachments=tuple(_attachments(said)),
        viewing=viewed(said.child("app_context"), context.install),
        enterprise=context.install.enterprise,
        retry=context.retry,
        platform_kind=context.platform_kind,
    )


def _place(event: Fields, said: Fields, ts: str, context: Context) -> Place:
    return place_of_message(
        context,
        event.required_id("channel"),
        conversation_kind(event),
        ts=ts,
        thread_ts=said.id("thread_ts"),
    )


def _is_mentioned(event: Fields, content: InboundText) -> bool:
    return event.text("type") == "app_mention" or content.mentions_bot


def _attachments(said: Fields) -> list[Attachment]:
    return [
        Attachment(
            id=file.id("id"),
            name=file.text("name")[:255] or None,
            media_type=file.text("mimetype")[:255] or None,
            size_bytes=file.count("size") or None,
        )
        for file in said.children("files")
        if file.id("id")
    ]
