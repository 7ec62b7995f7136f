"""What every parser of Slack's payloads shares: whose installation hears it, where, from whom.

Pure. Decides no kinds: those are in the module of each family.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import msgspec

from adapters.slack.fields import Fields, Malformed
from adapters.slack.marking import workspace_of
from gateway.core.conversations import ConversationKind, ConversationRef
from gateway.core.events import EventKind, Ignored, InboundEvent, Sender
from gateway.core.ids import EventId, Platform, WorkspaceId

Parsed = tuple[InboundEvent, ...] | Ignored
"""What one payload holds. Several events only where a payload tells of several actions."""

MAX_NAME_CHARS = 200
NOWHERE = "-"
"""Stands for the channel of an event that has none, such as team_join."""

# `channel_type` of messages is a word, that of members is a letter, and a letter cannot tell a
# group of people from a private channel.
_KINDS = {
    "im": ConversationKind.DIRECT,
    "mpim": ConversationKind.GROUP,
    "channel": ConversationKind.CHANNEL,
    "group": ConversationKind.CHANNEL,
}


class Install(msgspec.Struct, frozen=True, kw_only=True):
    """Which installation of the app a payload is for, and who the app is there. `bot` is empty
    where Slack does not name it.
    """

    workspace: WorkspaceId
    enterprise: WorkspaceId | None
    bot: str
    app: str


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What surrounds the thing that happened."""

    event_id: str
    install: Install
    received_at: datetime
    platform_kind: str
    retry: int = 0


class Place(msgspec.Struct, frozen=True):
    """Where it happened."""

    ref: ConversationRef
    kind: ConversationKind


def install_of_event(payload: Fields) -> Install | None:
    """Find our own workspace. In a shared channel `team_id` may be that of strangers, and
    `authorizations` alone says whose installation hears the event.
    https://docs.slack.dev/apis/events-api/#authorizations
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
    return Install(
        workspace=WorkspaceId(workspace),
        enterprise=WorkspaceId(enterprise) if enterprise else None,
        # Without a bot user the authorization names the person who installed the app.
        bot=authorization.id("user_id") if authorization.flag("is_bot") else "",
        app=payload.id("api_app_id"),
    )


def install_of_interaction(payload: Fields) -> Install | None:
    """Find our own workspace in an interactive payload, which has no `authorizations`.

    A dialog says where the app that opened it is installed. Of a message the poster's team is
    asked before the team of the click: in a shared channel strangers press our buttons too, and
    they may be another tenant's people. For org-wide installs `team` is null, so our own message
    says it by its metadata. The user's own team says nothing of where a message stands, and is
    asked for what happens nowhere in particular alone; where nobody says it, it is nobody's.
    https://docs.slack.dev/reference/interaction-payloads/
    """
    org_wide = is_true(payload, "is_enterprise_install")
    app = payload.id("api_app_id")
    message = payload.child("message")
    kind = payload.text("type")
    is_ours = kind == "block_actions" and bool(app) and message.id("app_id") == app
    posted_into = workspace_of(message) if org_wide else message.id("team")
    workspace = (
        payload.child("view").id("app_installed_team_id")
        or (posted_into if is_ours else "")
        or payload.child("team").id("id")
        or (payload.child("user").id("team_id") if org_wide and kind == "shortcut" else "")
    )
    if not workspace:
        return None
    enterprise = payload.child("enterprise").id("id") or payload.child("team").id("enterprise_id")
    return Install(
        workspace=WorkspaceId(workspace),
        enterprise=WorkspaceId(enterprise) if enterprise and org_wide else None,
        bot="",
        app=app,
    )


def install_of_command(payload: Fields) -> Install | None:
    """Find our own workspace in a slash command: the one in which it was typed.
    https://docs.slack.dev/interactivity/implementing-slash-commands/
    """
    workspace = payload.id("team_id")
    if not workspace:
        return None
    org_wide = is_true(payload, "is_enterprise_install")
    enterprise = payload.id("enterprise_id") if org_wide else ""
    return Install(
        workspace=WorkspaceId(workspace),
        enterprise=WorkspaceId(enterprise) if enterprise else None,
        bot="",
        app=payload.id("api_app_id"),
    )


def is_true(payload: Fields, name: str) -> bool:
    """Whether the field is true; a slash command is a form, and says so in a word."""
    return payload.flag(name) or payload.text(name) == "true"


def interaction_id(payload: Fields, envelope_id: str) -> str:
    """Name an interaction, which has no event id. Raises Malformed.

    By its trigger, which is the same over a socket and over HTTP. As a digest: whoever holds the
    trigger itself can open dialogs with it.
    """
    name = payload.text("trigger_id") or envelope_id
    if not name:
        raise Malformed("trigger_id is missing")
    return f"int_{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:32]}"


def happened(
    context: Context,
    kind: EventKind,
    place: Place,
    sender: Sender,
    *,
    message_id: str,
    at: str = "",
    key: str = "",
) -> InboundEvent:
    """Build an event without text; `key` is its second name, under which Slack may repeat it."""
    return InboundEvent(
        id=EventId(context.event_id),
        kind=kind,
        conversation=place.ref,
        conversation_kind=place.kind,
        sender=sender,
        message_id=message_id,
        dedupe_keys=(context.event_id, key) if key else (context.event_id,),
        received_at=context.received_at,
        sent_at=sent_at(at),
        enterprise=context.install.enterprise,
        retry=context.retry,
        platform_kind=context.platform_kind,
    )


def unsupported(event: Fields, context: Context) -> InboundEvent:
    """Record an event that the agent protocol cannot carry."""
    message = event.child("message")
    channel = event.id("channel") or event.child("item").id("channel")
    return happened(
        context,
        EventKind.UNSUPPORTED,
        Place(
            place(context, channel or event.child("channel").id("id") or NOWHERE).ref,
            conversation_kind(event),
        ),
        sender_of(message if "message" in event else event, context.install),
        message_id=event.id("ts") or event.id("event_ts") or context.event_id,
    )


def place(
    context: Context, channel: str, *, thread: str = "", kind: ConversationKind | None = None
) -> Place:
    """Make the return address of a channel, or of a thread in it."""
    ref = ConversationRef(
        platform=Platform.SLACK,
        workspace=context.install.workspace,
        channel=channel,
        thread=thread or None,
    )
    return Place(ref, kind or kind_of_channel(channel))


def place_of_message(
    context: Context, channel: str, kind: ConversationKind, *, ts: str, thread_ts: str
) -> Place:
    """Find the conversation that a message belongs to: its thread, or the one it may begin."""
    # A root that has got replies names itself, and must stay in the conversation it began.
    root = "" if thread_ts == ts else thread_ts
    if not root and kind is not ConversationKind.DIRECT:
        root = ts
    return place(context, channel, thread=root, kind=kind)


def conversation_kind(event: Fields) -> ConversationKind:
    """Read the kind off an event, else guess it by the channel's id."""
    known = _KINDS.get(event.text("channel_type"))
    return known or kind_of_channel(event.id("channel"))


def kind_of_channel(channel: str, name: str = "") -> ConversationKind:
    """Guess the kind by a channel's id, and by its name where Slack tells it."""
    if channel.startswith("D"):
        return ConversationKind.DIRECT
    # https://docs.slack.dev/reference/objects/conversation-object/ : mpdm-ann--ben--cyd-1
    return ConversationKind.GROUP if name.startswith("mpdm-") else ConversationKind.CHANNEL


def sender_of(message: Fields, install: Install) -> Sender:
    """Read who wrote a message, or who is behind an event that names a user."""
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
        id=user or bot_id,
        name=name[:MAX_NAME_CHARS] or None,
        locale=people.id("locale") or message.child("user").id("locale") or None,
        is_bot=is_bot or is_self,
        is_self=is_self,
    )


def user_of(user: str, install: Install) -> Sender:
    """Make a sender of nothing but an id; the bot's own is told apart."""
    is_self = bool(user) and user == install.bot
    return Sender(id=user, is_bot=is_self or user == "USLACKBOT", is_self=is_self)


def person_of(payload: Fields) -> Sender:
    """Read who pressed, chose or submitted. Raises Malformed."""
    user = payload.required_child("user")
    name = user.text("name") or user.text("username")
    return Sender(id=user.required_id("id"), name=name[:MAX_NAME_CHARS] or None)


def platform_kind(event: Fields) -> str:
    """Slack's own name of an event, with its subtype."""
    subtype = event.id("subtype")
    return f"{event.id('type')}.{subtype}" if subtype else event.id("type")


def sent_at(ts: str) -> datetime | None:
    """Read a Slack timestamp such as "1700000000.000100", None when it is none."""
    try:
        return datetime.fromtimestamp(float(ts), UTC)
    except (ValueError, OverflowError, OSError):
        return None
