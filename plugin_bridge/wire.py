"""The inbound body of the agent protocol, version 1 (docs/agent-protocol.md).

Encoded once, at the commit; the same bytes wait in the queue and go out with every attempt. Only
the number of the attempt is spliced in, so that nothing is encoded twice.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from gateway.core.decisions import Routed
from gateway.core.events import Attachment

PROTOCOL_VERSION = 1


class WireConversation(msgspec.Struct, frozen=True, kw_only=True):
    """Where it was said. `id` is the return address that an answer names."""

    id: str
    platform: str
    kind: str
    workspace: str
    channel: str
    thread: str | None


class WireSender(msgspec.Struct, frozen=True, kw_only=True):
    """Who said it."""

    id: str
    name: str | None
    is_bot: bool


class WireEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event as an agent receives it; `attempt` is added by `with_attempt`."""

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
    attachments: tuple[Attachment, ...]
    sent_at: datetime | None
    received_at: datetime


def encode(routed: Routed) -> bytes:
    """Make the body that the tenant's agent will receive, without its attempt number."""
    event, ref = routed.event, routed.event.conversation
    return msgspec.json.encode(
        WireEvent(
            version=PROTOCOL_VERSION,
            type=event.kind.value,
            id=event.id,
            tenant=routed.binding.tenant.id,
            agent=routed.agent,
            conversation=WireConversation(
                id=ref.id,
                platform=ref.platform.value,
                kind=event.conversation_kind.value,
                workspace=ref.workspace,
                channel=ref.channel,
                thread=ref.thread,
            ),
            sender=WireSender(
                id=event.sender.id, name=event.sender.name, is_bot=event.sender.is_bot
            ),
            message_id=event.message_id,
            text=event.text,
            mentioned=event.mentioned,
            mentions=event.mentions,
            attachments=event.attachments,
            sent_at=event.sent_at,
            received_at=event.received_at,
        )
    )


def with_attempt(body: bytes, attempt: int) -> bytes:
    """Splice the attempt number into an encoded body: `{...}` becomes `{...,"attempt":2}`."""
    return b'%b,"attempt":%d}' % (body[:-1], attempt)


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
