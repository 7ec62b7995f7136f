"""Who comes and goes, what opens and closes, who pressed stop, what became of the app. Pure."""

from __future__ import annotations

import re

import msgspec

from adapters.slack.fields import Fields, Malformed
from adapters.slack.inbound_context import (
    NOWHERE,
    Context,
    Install,
    conversation_kind,
    happened,
    place,
    unsupported,
    user_of,
)
from adapters.slack.inbound_viewed import viewed, viewed_channel
from gateway.core.events import (
    EventKind,
    InboundEvent,
    Installation,
    InstallationChange,
    Member,
)
from gateway.core.ids import WorkspaceId

_MAX_GROWING = 10
_MAX_TEAMS = 1_000
_ACCESS_CHANGES = {
    "team_access_granted": InstallationChange.INSTALLED,
    "team_access_revoked": InstallationChange.UNINSTALLED,
}
_TEAM = re.compile(r"T[A-Z0-9]{1,63}")
_TS = re.compile(r"[0-9]{1,12}\.[0-9]{1,6}")
_MEMBER_KINDS = {
    "member_joined_channel": EventKind.MEMBER_JOINED,
    "member_left_channel": EventKind.MEMBER_LEFT,
}


def member(event: Fields, context: Context) -> InboundEvent:
    """Read who joined or left a channel; both are the sender too. Raises Malformed.

    https://docs.slack.dev/reference/events/member_joined_channel/
    """
    user, channel = event.required_id("user"), event.required_id("channel")
    who = user_of(user, context.install)
    heard = happened(
        context,
        _MEMBER_KINDS[event.text("type")],
        place(context, channel, kind=conversation_kind(event)),
        who,
        message_id=event.id("event_ts") or context.event_id,
        at=event.id("event_ts"),
    )
    return msgspec.structs.replace(heard, detail=Member(id=user, is_self=who.is_self))


def bot_left(event: Fields, context: Context) -> InboundEvent:
    """Read that our own bot has left or was removed: it hears no `member_left_channel` of itself.

    https://docs.slack.dev/reference/events/channel_left/ . Raises Malformed.
    """
    bot = context.install.bot
    if not bot:
        return unsupported(event, context)
    heard = happened(
        context,
        EventKind.MEMBER_LEFT,
        place(context, event.required_id("channel"), kind=conversation_kind(event)),
        user_of(bot, context.install),
        message_id=event.id("event_ts") or context.event_id,
        at=event.id("event_ts"),
    )
    return msgspec.structs.replace(heard, detail=Member(id=bot, is_self=True))


def home_opened(event: Fields, context: Context) -> InboundEvent:
    """Read that somebody opened the app. Its messages tab is the agent's; the home tab is a page.

    https://docs.slack.dev/reference/events/app_home_opened/ . Raises Malformed.
    """
    tab = event.id("tab")
    context = msgspec.structs.replace(context, platform_kind=f"app_home_opened.{tab or 'home'}")
    if tab != "messages":
        return unsupported(event, context)
    channel, moment = event.required_id("channel"), event.id("event_ts")
    opened = happened(
        context,
        EventKind.CONVERSATION_OPENED,
        place(context, channel),
        user_of(event.required_id("user"), context.install),
        message_id=moment or context.event_id,
        at=moment,
    )
    seen = viewed(event.child("context"), context.install)
    return msgspec.structs.replace(opened, viewing=seen)


def assistant_opened(event: Fields, context: Context) -> InboundEvent:
    """Read that somebody began a thread with an app of the older assistant view.

    https://docs.slack.dev/reference/events/assistant_thread_started/ . Raises Malformed.
    """
    thread = event.required_child("assistant_thread")
    channel, root = thread.required_id("channel_id"), thread.required_id("thread_ts")
    opened = happened(
        context,
        EventKind.CONVERSATION_OPENED,
        place(context, channel, thread=root),
        user_of(thread.required_id("user_id"), context.install),
        message_id=root,
        at=event.id("event_ts"),
    )
    seen = viewed_channel(thread.child("context"), context.install)
    return msgspec.structs.replace(opened, viewing=seen)


def closed(event: Fields, context: Context) -> InboundEvent:
    """Read that a channel was archived or deleted, or a direct message closed. Raises Malformed.

    Nobody is named who deleted a channel: then the sender's id is empty.
    https://docs.slack.dev/reference/events/channel_archive/
    """
    return happened(
        context,
        EventKind.CONVERSATION_CLOSED,
        place(context, event.required_id("channel"), kind=conversation_kind(event)),
        user_of(event.id("user") or event.id("actor_id"), context.install),
        message_id=event.id("event_ts") or context.event_id,
        at=event.id("event_ts"),
    )


def stopped(event: Fields, context: Context) -> InboundEvent:
    """Read that somebody pressed stop while the agent was at work. Raises Malformed.

    Slack names the thread by its root. In a direct message that root may be the message to which
    the agent is answering, so it is the `message_id` as well.
    https://docs.slack.dev/reference/events/agent_session_stopped/
    """
    channel, root = event.required_id("channel"), event.id("thread_ts")
    moment = event.id("event_ts")
    heard = happened(
        context,
        EventKind.AGENT_STOPPED,
        place(context, channel, thread=root, kind=conversation_kind(event)),
        user_of(event.required_id("user"), context.install),
        message_id=root or moment or context.event_id,
        at=moment,
    )
    growing = event.texts("streaming_message_ts")[:_MAX_GROWING]
    keys = tuple(stop_key(channel, ts) for ts in growing if _TS.fullmatch(ts))
    return msgspec.structs.replace(heard, dedupe_keys=(*heard.dedupe_keys, *keys))


def stop_key(channel: str, ts: str) -> str:
    """Name the stop of a message that was growing: Slack tells of it once by an event, and again to
    who would let it grow further.
    """
    return f"stopped:{channel}:{ts}"


def uninstalled(event: Fields, context: Context) -> InboundEvent:
    """Read that the app is gone. https://docs.slack.dev/reference/events/app_uninstalled/"""
    del event  # it holds nothing but its type
    return _installation(context, InstallationChange.UNINSTALLED)


def tokens_revoked(event: Fields, context: Context) -> InboundEvent:
    """Read that the bot's token is void; tokens of people are not ours to lose.

    https://docs.slack.dev/reference/events/tokens_revoked/
    """
    if not event.child("tokens").texts("bot"):
        return unsupported(event, context)
    return _installation(context, InstallationChange.REVOKED)


def access_changed(event: Fields, context: Context) -> tuple[InboundEvent, ...]:
    """Read which workspaces an organisation's app was given, or lost: an event for each of them.
    Raises Malformed.

    https://docs.slack.dev/reference/events/team_access_granted/ and
    https://docs.slack.dev/reference/events/team_access_revoked/
    """
    change = _ACCESS_CHANGES[event.text("type")]
    teams = dict.fromkeys(team for team in event.texts("team_ids") if _TEAM.fullmatch(team))
    if not teams:
        raise Malformed("event.team_ids names none")
    return tuple(_access(change, team, context) for team in list(teams)[:_MAX_TEAMS])


def _access(change: InstallationChange, team: str, context: Context) -> InboundEvent:
    organisation = context.install.workspace
    install = msgspec.structs.replace(
        context.install, workspace=WorkspaceId(team), enterprise=organisation
    )
    name = f"{context.event_id}.{team}"
    return _installation(msgspec.structs.replace(context, install=install, event_id=name), change)


def organisation(payload: Fields) -> Install | None:
    """Find the organisation whose app changes: its own events may name no workspace."""
    authorization = next(iter(payload.children("authorizations")), Fields(None))
    enterprise = (
        payload.id("enterprise_id")
        or payload.id("context_enterprise_id")
        or authorization.id("enterprise_id")
    )
    if not enterprise:
        return None
    return Install(
        workspace=WorkspaceId(enterprise), enterprise=None, bot="", app=payload.id("api_app_id")
    )


def _installation(context: Context, change: InstallationChange) -> InboundEvent:
    heard = happened(
        context,
        EventKind.INSTALLATION_CHANGED,
        place(context, NOWHERE),
        user_of("", context.install),
        message_id=context.event_id,
    )
    return msgspec.structs.replace(heard, detail=Installation(change=change))
