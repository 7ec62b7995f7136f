"""The inbound body of the agent protocol, version 1 (docs/agent-protocol.md).

Encoded once, at the commit; the same bytes wait in the queue and go out with every attempt. What
only the commit knows (the history) and what only an attempt knows (its number, a reply token that
is still fresh) is spliced into the bytes, so that nothing is encoded twice.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from gateway.core.conversations import ConversationRef
from gateway.core.decisions import Routed
from gateway.core.events import (
    Action,
    Attachment,
    Command,
    InboundEvent,
    Installation,
    Member,
    Reaction,
    Viewed,
)
from gateway.core.ids import TenantId

PROTOCOL_VERSION: Final = 1
REMEMBERED_TEXT_CHARS: Final = 1_000

# An enum is encoded as its value: to look that up in Python costs more than all of the encoding.
_JSON: Final = msgspec.json.Encoder()

NameFile = Callable[[TenantId, ConversationRef, Attachment], str]
"""Names a file to the tenant's agent, so that nobody else can ask for it."""


class WireConversation(msgspec.Struct, frozen=True, kw_only=True):
    """Where it was said. `id` is the return address that an answer names."""

    id: str
    platform: str
    kind: str
    workspace: str
    channel: str
    thread: str | None


class WireSender(msgspec.Struct, frozen=True, kw_only=True):
    """Who did it. `may_command` is what the tenant's rules say of this person's commands."""

    id: str
    name: str | None
    is_bot: bool
    locale: str | None
    roles: tuple[str, ...]
    may_command: bool


class WireAttachment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file; `id` is what its bytes are asked for by."""

    id: str
    name: str | None = None
    media_type: str | None = None
    size_bytes: int | None = None


class WireReaction(msgspec.Struct, frozen=True, kw_only=True):
    """An emoji, put on the message `message_id` or taken off it."""

    emoji: str


class WireCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A command by its name; what followed the name is the event's `text`."""

    name: str


class WireAction(msgspec.Struct, frozen=True, kw_only=True):
    """A component of the message `message_id` was used."""

    id: str
    kind: str
    values: tuple[str, ...]
    fields: dict[str, tuple[str, ...]]


class WireMember(msgspec.Struct, frozen=True, kw_only=True):
    """Who came or went; `is_self` when it was the bot that the agent speaks through."""

    id: str
    is_self: bool


class WireInstallation(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the app in the workspace."""

    change: str


class RememberedSender(msgspec.Struct, frozen=True, kw_only=True):
    """Who said it; `is_self` when it was the bot that the agent speaks through."""

    id: str
    name: str | None
    is_bot: bool
    is_self: bool


class RememberedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier message of the conversation, its text cut to REMEMBERED_TEXT_CHARS."""

    message_id: str
    sender: RememberedSender
    text: str
    sent_at: datetime | None


class WireEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event as an agent receives it. `message_id` is the message that it is about.

    The fields with a default are there for events that have them, and left out of all others.
    `history` is added by the commit, oldest first; `attempt` and `reply_token` by `with_attempt`.
    """

    version: int
    type: str
    id: str
    tenant: str
    agent: str
    conversation: WireConversation
    sender: WireSender
    message_id: str
    text: str
    mentioned: bool
    mentions: tuple[str, ...]
    attachments: tuple[WireAttachment, ...]
    sent_at: datetime | None
    received_at: datetime
    viewing: tuple[Viewed, ...] | UnsetType = UNSET
    reaction: WireReaction | UnsetType = UNSET
    command: WireCommand | UnsetType = UNSET
    action: WireAction | UnsetType = UNSET
    member: WireMember | UnsetType = UNSET
    installation: WireInstallation | UnsetType = UNSET
    history: tuple[RememberedMessage, ...] | UnsetType = UNSET
    attempt: int | UnsetType = UNSET
    reply_token: str | UnsetType = UNSET


def platform_name(_tenant: TenantId, _ref: ConversationRef, attachment: Attachment) -> str:
    """Name a file as the platform does."""
    return attachment.id


def encode(routed: Routed, name_file: NameFile = platform_name) -> bytes:
    """Make the body that the tenant's agent will receive, but for what is spliced in."""
    event, tenant = routed.event, routed.binding.tenant
    body = WireEvent(
        version=PROTOCOL_VERSION,
        type=event.kind,
        id=event.id,
        tenant=tenant.id,
        agent=routed.agent,
        conversation=_conversation(event),
        sender=_sender(routed),
        message_id=event.message_id,
        text=event.text,
        mentioned=event.mentioned,
        mentions=event.mentions,
        attachments=_attachments(routed, name_file) if event.attachments else (),
        sent_at=event.sent_at,
        received_at=event.received_at,
        viewing=event.viewing or UNSET,
    )
    return _JSON.encode(body if event.detail is None else _with_detail(body, event))


def with_attempt(body: bytes, attempt: int, reply_token: str = "") -> bytes:
    """Splice into an encoded body what this attempt adds: `{...}` becomes `{...,"attempt":2}`.

    `reply_token` consists of characters that JSON needs no escape for; empty is none.
    """
    if not reply_token:
        return b'%b,"attempt":%d}' % (body[:-1], attempt)
    return b'%b,"attempt":%d,"reply_token":"%b"}' % (body[:-1], attempt, reply_token.encode())


def encode_remembered(event: InboundEvent) -> bytes:
    """Make what a later delivery's `history` will hold of `event`: a RememberedMessage."""
    sender = event.sender
    return _JSON.encode(
        RememberedMessage(
            message_id=event.message_id,
            sender=RememberedSender(
                id=sender.id, name=sender.name, is_bot=sender.is_bot, is_self=sender.is_self
            ),
            text=_cut(event.text),
            sent_at=event.sent_at,
        )
    )


def remembered_name(message_id: str) -> bytes:
    """Make the bytes with which `encode_remembered` begins for this message, and for no other."""
    return b'{"message_id":%b,' % _JSON.encode(message_id)


def _conversation(event: InboundEvent) -> WireConversation:
    ref = event.conversation
    return WireConversation(
        id=ref.id,
        platform=ref.platform,
        kind=event.conversation_kind,
        workspace=ref.workspace,
        channel=ref.channel,
        thread=ref.thread,
    )


def _sender(routed: Routed) -> WireSender:
    sender = routed.event.sender
    return WireSender(
        id=sender.id,
        name=sender.name,
        is_bot=sender.is_bot,
        locale=sender.locale,
        roles=sender.roles,
        may_command=routed.binding.tenant.access.may_command(sender),
    )


def _attachments(routed: Routed, name_file: NameFile) -> tuple[WireAttachment, ...]:
    tenant, event = routed.binding.tenant, routed.event
    return tuple(
        WireAttachment(
            id=name_file(tenant.id, event.conversation, each),
            name=each.name,
            media_type=each.media_type,
            size_bytes=each.size_bytes,
        )
        for each in event.attachments
    )


def _with_detail(body: WireEvent, event: InboundEvent) -> WireEvent:
    match event.detail:
        case Reaction(emoji=emoji):
            return msgspec.structs.replace(body, reaction=WireReaction(emoji=emoji))
        case Command(name=name):
            return msgspec.structs.replace(body, command=WireCommand(name=name))
        case Action() as used:
            action = WireAction(
                id=used.id, kind=used.kind.value, values=used.values, fields=used.fields
            )
            return msgspec.structs.replace(body, action=action)
        case Member() as who:
            member = WireMember(id=who.id, is_self=who.is_self)
            return msgspec.structs.replace(body, member=member)
        case Installation(change=change):
            installation = WireInstallation(change=change.value)
            return msgspec.structs.replace(body, installation=installation)
        case None:
            return body


def _cut(text: str) -> str:
    if len(text) <= REMEMBERED_TEXT_CHARS:
        return text
    return text[: REMEMBERED_TEXT_CHARS - 1] + "\N{HORIZONTAL ELLIPSIS}"


class InlineReply(msgspec.Struct, frozen=True, kw_only=True):
    """One answer that came with the agent's 200."""

    text: str


class InlineReplies(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a 200: answers for the conversation of the delivery. Unknown fields are free."""

    replies: tuple[InlineReply, ...] = ()


def decode_replies(body: bytes) -> tuple[InlineReply, ...]:
    """Read the answers in a 200. Raises ValueError when the body is not the protocol's."""
    if not body.strip():
        return ()
    try:
        return msgspec.json.decode(body, type=InlineReplies).replies
    except RecursionError as exc:
        raise ValueError("JSON is nested too deeply") from exc
    except msgspec.MsgspecError as exc:
        raise ValueError(str(exc)) from exc
