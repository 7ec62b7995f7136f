"""Slack's events to InboundEvent. Pure: no network, no clock, no SDK.

Classifies and never decides: own, bot and unsupported messages are events too, and routing drops
them on the record. https://docs.slack.dev/apis/events-api/#callback-field
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from adapters.slack.fields import Fields, Malformed
from adapters.slack.inbound_text import InboundText, to_markdown
from gateway.core.conversations import ConversationKind, ConversationRef
from gateway.core.events import (
    Attachment,
    EventKind,
    Ignored,
    IgnoredReason,
    InboundEvent,
    Sender,
)
from gateway.core.ids import EventId, Platform, WorkspaceId

_WITHOUT_EVENT = frozenset({"app_rate_limited", "url_verification"})
_CREATED_SUBTYPES = frozenset({"", "bot_message", "file_share", "thread_broadcast"})
_KINDS = {
    "im": ConversationKind.DIRECT,
    "mpim": ConversationKind.GROUP,
    "channel": ConversationKind.CHANNEL,
    "group": ConversationKind.CHANNEL,
}
_NOWHERE = "-"
"""Stands for the channel of an event that has none, such as team_join."""


class _Install(msgspec.Struct, frozen=True, kw_only=True):
    """Which installation of the app an event is for, and who the app is there."""

    workspace: WorkspaceId
    enterprise: WorkspaceId | None
    bot: str
    app: str


class _Context(msgspec.Struct, frozen=True, kw_only=True):
    """What surrounds an inner event."""

    event_id: str
    install: _Install
    received_at: datetime
    retry: int


def parse_envelope(
    payload: object, *, received_at: datetime, retry: int = 0
) -> InboundEvent | Ignored:
    """Parse the payload of an `events_api` envelope, which is also the body of an Events request.

    `retry` counts Slack's earlier attempts. Never raises.
    """
    if not isinstance(payload, dict):
        return Ignored(IgnoredReason.MALFORMED, "payload is not an object")
    fields = Fields(payload)
    if "event" not in fields and fields.text("type") in _WITHOUT_EVENT:
        return Ignored(IgnoredReason.NOT_AN_EVENT, f"payload.type is {fields.text('type')}")
    try:
        event = fields.required_child("event")
        event_id = fields.required_id("event_id")
        event.required_id("type")
        install = _install(fields)
        if install is None:
            return Ignored(IgnoredReason.NO_WORKSPACE, "authorizations and team_id name none")
        context = _Context(
            event_id=event_id, install=install, received_at=received_at, retry=max(0, retry)
        )
        return _parse_event(event, context)
    except Malformed as exc:
        return Ignored(IgnoredReason.MALFORMED, str(exc))


def _install(payload: Fields) -> _Install | None:
    """Find our own workspace. In a shared channel `team_id` may be that of strangers, and
    `authorizations` alone says whose installation hears the event.
    """
    authorization = next(iter(payload.children("authorizations")), Fields(None))
    workspace = authorization.id("team_id")
    org_wide = authorization.flag("is_enterprise_install") or not workspace
    if org_wide:
        workspace = payload.id("context_team_id")
        # Strangers' team_id could be another tenant's workspace: then nobody's is the safe answer.
        if not workspace and not payload.flag("is_ext_shared_channel"):
            workspace = payload.id("team_id")
    if not workspace:
        return None
    enterprise = authorization.id("enterprise_id") if org_wide else ""
    return _Install(
        workspace=WorkspaceId(workspace),
        enterprise=WorkspaceId(enterprise) if enterprise else None,
        # Without a bot user the authorization names the person who installed the app.
        bot=authorization.id("user_id") if authorization.flag("is_bot") else "",
        app=payload.id("api_app_id"),
    )


def _parse_event(event: Fields, context: _Context) -> InboundEvent:
    if event.text("type") not in {"message", "app_mention"}:
        return _unsupported(event, context)
    subtype = event.text("subtype")
    if subtype in _CREATED_SUBTYPES:
        return _created(event, context)
    if subtype == "message_changed":
        return _changed(event, context)
    if subtype == "message_deleted":
        return _deleted(event, event.child("previous_message"), context)
    return _unsupported(event, context)


def _created(event: Fields, context: _Context) -> InboundEvent:
    ts = event.required_id("ts")
    channel = event.required_id("channel")
    return _message(
        event,
        event,
        context,
        kind=EventKind.MESSAGE_CREATED,
        ts=ts,
        # A mention comes twice, as `message` and as `app_mention`, under two event ids.
        dedupe_key=f"message:{channel}:{ts}",
    )


def _changed(event: Fields, context: _Context) -> InboundEvent:
    message = event.required_child("message")
    previous = event.child("previous_message")
    if message.text("subtype") == "tombstone":
        # A deleted message that has replies stays as a stub: to people it is gone.
        return _deleted(event, previous, context)
    unfurled = "previous_message" in event and message.text("text") == previous.text("text")
    if unfurled or message.text("subtype") not in _CREATED_SUBTYPES:
        return _unsupported(event, context)
    ts = message.required_id("ts")
    edit = message.child("edited").id("ts") or event.id("event_ts") or context.event_id
    return _message(
        event,
        message,
        context,
        kind=EventKind.MESSAGE_UPDATED,
        ts=ts,
        dedupe_key=f"edit:{event.required_id('channel')}:{ts}:{edit}",
    )


def _deleted(event: Fields, previous: Fields, context: _Context) -> InboundEvent:
    ts = event.id("deleted_ts") or event.child("message").id("ts") or previous.required_id("ts")
    return InboundEvent(
        id=EventId(context.event_id),
        kind=EventKind.MESSAGE_DELETED,
        conversation=_conversation(event, previous, ts, context),
        conversation_kind=_conversation_kind(event),
        sender=_sender(previous, context.install),
        message_id=ts,
        dedupe_keys=(context.event_id, f"delete:{event.required_id('channel')}:{ts}"),
        received_at=context.received_at,
        sent_at=sent_at(event.id("event_ts")),
        enterprise=context.install.enterprise,
        retry=context.retry,
        platform_kind="message.message_deleted",
    )


def _message(
    event: Fields, message: Fields, context: _Context, *, kind: EventKind, ts: str, dedupe_key: str
) -> InboundEvent:
    """Build a created or an edited message; `message` is what was said, `event` where."""
    sender = _sender(message, context.install)
    if not sender.id:
        raise Malformed("event.user is missing")
    content = to_markdown(message.text("text"), bot=context.install.bot)
    return InboundEvent(
        id=EventId(context.event_id),
        kind=kind,
        conversation=_conversation(event, message, ts, context),
        conversation_kind=_conversation_kind(event),
        sender=sender,
        message_id=ts,
        dedupe_keys=(context.event_id, dedupe_key),
        received_at=context.received_at,
        sent_at=sent_at(event.id("event_ts") or ts),
        text=content.text,
        mentioned=_is_mentioned(event, content),
        mentions=content.mentions,
        attachments=tuple(_attachments(message)),
        enterprise=context.install.enterprise,
        retry=context.retry,
        platform_kind=_platform_kind(event),
    )


def _unsupported(event: Fields, context: _Context) -> InboundEvent:
    message = event.child("message")
    ts = event.id("ts") or event.id("event_ts") or context.event_id
    channel = event.id("channel") or event.child("item").id("channel")
    return InboundEvent(
        id=EventId(context.event_id),
        kind=EventKind.UNSUPPORTED,
        conversation=ConversationRef(
            platform=Platform.SLACK,
            workspace=context.install.workspace,
            channel=channel or event.child("channel").id("id") or _NOWHERE,
        ),
        conversation_kind=_conversation_kind(event),
        sender=_sender(message if "message" in event else event, context.install),
        message_id=ts,
        dedupe_keys=(context.event_id,),
        received_at=context.received_at,
        enterprise=context.install.enterprise,
        retry=context.retry,
        platform_kind=_platform_kind(event),
    )


def _conversation(event: Fields, message: Fields, ts: str, context: _Context) -> ConversationRef:
    root = message.id("thread_ts")
    if root == ts:
        # A root that has got replies names itself, and must stay in the conversation it began.
        root = ""
    if not root and _conversation_kind(event) is not ConversationKind.DIRECT:
        root = ts
    return ConversationRef(
        platform=Platform.SLACK,
        workspace=context.install.workspace,
        channel=event.required_id("channel"),
        thread=root or None,
    )


def _conversation_kind(event: Fields) -> ConversationKind:
    is_direct = event.id("channel").startswith("D")
    guess = ConversationKind.DIRECT if is_direct else ConversationKind.CHANNEL
    return _KINDS.get(event.text("channel_type"), guess)


def _sender(message: Fields, install: _Install) -> Sender:
    profile = message.child("bot_profile")
    user = message.id("user") or message.child("user").id("id")
    bot_id = message.id("bot_id") or profile.id("id")
    app = message.id("app_id") or profile.id("app_id")
    people = message.child("user_profile")
    name = (
        people.text("display_name")
        or people.text("real_name")
        or message.text("username")
        or profile.text("name")
    )
    is_self = (bool(user) and user == install.bot) or (bool(app) and app == install.app)
    is_bot = bool(bot_id) or user == "USLACKBOT" or message.text("subtype") == "bot_message"
    return Sender(
        id=user or bot_id, name=name[:200] or None, is_bot=is_bot or is_self, is_self=is_self
    )


def _is_mentioned(event: Fields, content: InboundText) -> bool:
    return event.text("type") == "app_mention" or content.mentions_bot


def _attachments(message: Fields) -> list[Attachment]:
    return [
        Attachment(
            id=file.id("id"),
            name=file.text("name")[:255] or None,
            media_type=file.text("mimetype")[:255] or None,
            size_bytes=file.count("size") or None,
        )
        for file in message.children("files")
        if file.id("id")
    ]


def _platform_kind(event: Fields) -> str:
    subtype = event.id("subtype")
    return f"{event.id('type')}.{subtype}" if subtype else event.id("type")


def sent_at(ts: str) -> datetime | None:
    """Read a Slack timestamp such as "1700000000.000100", None when it is none."""
    try:
        return datetime.fromtimestamp(float(ts), UTC)
    except (ValueError, OverflowError, OSError):
        return None
