"""Slack's payloads to InboundEvents: one door, and the table of who reads what. Pure: no network,
no clock, no SDK.

Classifies and never decides: own, bot and unsupported messages are events too, and routing drops
them on the record. https://docs.slack.dev/apis/events-api/#callback-field
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from adapters.slack.fields import Fields, Malformed
from adapters.slack.frames import EVENTS_API, INTERACTIVE, SLASH_COMMANDS, Envelope
from adapters.slack.inbound_commands import message_shortcut, shortcut, slash_command
from adapters.slack.inbound_context import (
    Context,
    Install,
    Parsed,
    install_of_command,
    install_of_event,
    install_of_interaction,
    interaction_id,
    platform_kind,
    sent_at,
    unsupported,
)
from adapters.slack.inbound_interactive import block_actions, view_submission
from adapters.slack.inbound_lifecycle import (
    access_changed,
    assistant_opened,
    bot_left,
    closed,
    home_opened,
    member,
    organisation,
    stopped,
    tokens_revoked,
    uninstalled,
)
from adapters.slack.inbound_messages import message
from adapters.slack.inbound_reactions import reaction
from gateway.core.events import Ignored, IgnoredReason, InboundEvent

__all__ = ["parse_command", "parse_envelope", "parse_interactive", "read_envelope", "sent_at"]

_WITHOUT_EVENT: Final = frozenset({"app_rate_limited", "url_verification"})
_INSTALLATIONS: Final = frozenset({"app_uninstalled", "tokens_revoked"})
_ACCESS: Final = frozenset({"team_access_granted", "team_access_revoked"})
_SILENT: Final = frozenset({"block_suggestion", "view_closed"})
"""Interactions that ask or say nothing that an agent could use."""

_EVENTS: Final[Mapping[str, Callable[[Fields, Context], InboundEvent]]] = MappingProxyType(
    {
        "message": message,
        "app_mention": message,
        "reaction_added": reaction,
        "reaction_removed": reaction,
        "member_joined_channel": member,
        "member_left_channel": member,
        "channel_left": bot_left,
        "group_left": bot_left,
        "app_home_opened": home_opened,
        "assistant_thread_started": assistant_opened,
        "agent_session_stopped": stopped,
        "channel_archive": closed,
        "channel_deleted": closed,
        "group_archive": closed,
        "group_deleted": closed,
        "im_close": closed,
        "app_uninstalled": uninstalled,
        "tokens_revoked": tokens_revoked,
    }
)
"""Every other event is recorded as unsupported: among them `app_context_changed` and
`assistant_thread_context_changed`, which tell what a user looks at, many times a minute. What
matters of it comes with the message that the user writes then, and with the opening.
"""

_INTERACTIONS: Final[Mapping[str, Callable[[Fields, Context], Parsed]]] = MappingProxyType(
    {
        "block_actions": block_actions,
        "view_submission": view_submission,
        "shortcut": shortcut,
        "message_action": message_shortcut,
    }
)

_NO_OBJECT: Final = Ignored(IgnoredReason.MALFORMED, "payload is not an object")


def read_envelope(envelope: Envelope, *, received_at: datetime) -> Parsed:
    """Read what a Socket Mode envelope carries. Never raises."""
    if envelope.type == EVENTS_API:
        return parse_envelope(envelope.payload, received_at=received_at, retry=envelope.retry)
    if envelope.type == SLASH_COMMANDS:
        return parse_command(envelope.payload, received_at=received_at, envelope_id=envelope.id)
    if envelope.type == INTERACTIVE:
        return parse_interactive(envelope.payload, received_at=received_at, envelope_id=envelope.id)
    return Ignored(IgnoredReason.NOT_AN_EVENT, f"envelope type {envelope.type}")


def parse_envelope(payload: object, *, received_at: datetime, retry: int = 0) -> Parsed:
    """Parse the payload of an `events_api` envelope, which is also the body of an Events request.

    `retry` counts Slack's earlier attempts. Never raises.
    """
    if not isinstance(payload, dict):
        return _NO_OBJECT
    fields = Fields(payload)
    if "event" not in fields and fields.text("type") in _WITHOUT_EVENT:
        return Ignored(IgnoredReason.NOT_AN_EVENT, f"payload.type is {fields.text('type')}")
    try:
        return _parse_event(fields, received_at, max(0, retry))
    except Malformed as exc:
        return Ignored(IgnoredReason.MALFORMED, str(exc))


def parse_interactive(payload: object, *, received_at: datetime, envelope_id: str = "") -> Parsed:
    """Parse the payload of an `interactive` envelope, or of a request in its form field `payload`.

    `envelope_id` names what has no trigger. Never raises.
    """
    if not isinstance(payload, dict):
        return _NO_OBJECT
    fields = Fields(payload)
    kind = fields.text("type")
    parse = _INTERACTIONS.get(kind)
    if parse is None:
        what = kind if kind in _SILENT else "not known"
        return Ignored(IgnoredReason.NOT_AN_EVENT, f"payload.type is {what}")
    install = install_of_interaction(fields)
    try:
        return _parse_interaction(fields, parse, install, (received_at, kind, envelope_id))
    except Malformed as exc:
        return Ignored(IgnoredReason.MALFORMED, str(exc))


def parse_command(payload: object, *, received_at: datetime, envelope_id: str = "") -> Parsed:
    """Parse the payload of a `slash_commands` envelope, or the form of a request. Never raises."""
    if not isinstance(payload, dict):
        return _NO_OBJECT
    fields = Fields(payload)
    install = install_of_command(fields)
    about = (received_at, "slash_command", envelope_id)
    try:
        return _parse_interaction(fields, slash_command, install, about)
    except Malformed as exc:
        return Ignored(IgnoredReason.MALFORMED, str(exc))


def _parse_event(payload: Fields, received_at: datetime, retry: int) -> Parsed:
    event = payload.required_child("event")
    event_id = payload.required_id("event_id")
    kind = event.required_id("type")
    install = organisation(payload) if kind in _ACCESS else install_of_event(payload)
    if install is None and kind in _INSTALLATIONS:
        install = organisation(payload)
    if install is None:
        return Ignored(IgnoredReason.NO_WORKSPACE, "authorizations and team_id name none")
    context = Context(
        event_id=event_id,
        install=install,
        received_at=received_at,
        platform_kind=platform_kind(event),
        retry=retry,
    )
    if kind in _ACCESS:
        return access_changed(event, context)
    return (_EVENTS.get(kind, unsupported)(event, context),)


def _parse_interaction(
    payload: Fields,
    parse: Callable[[Fields, Context], Parsed],
    install: Install | None,
    about: tuple[datetime, str, str],
) -> Parsed:
    received_at, kind, envelope_id = about
    event_id = interaction_id(payload, envelope_id)
    if install is None:
        return Ignored(IgnoredReason.NO_WORKSPACE, "team and team_id name none")
    context = Context(
        event_id=event_id, install=install, received_at=received_at, platform_kind=kind
    )
    return parse(payload, context)
