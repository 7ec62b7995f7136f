"""Identifiers as types, so that a workspace id can never stand where a tenant id is meant."""

from __future__ import annotations

import os
import re
from enum import StrEnum
from typing import Final, NewType

TenantId = NewType("TenantId", str)
AgentId = NewType("AgentId", str)
WorkspaceId = NewType("WorkspaceId", str)
EventId = NewType("EventId", str)
DeliveryId = NewType("DeliveryId", str)
MessageId = NewType("MessageId", str)
ConversationId = NewType("ConversationId", str)
FileId = NewType("FileId", str)

UNROUTED = TenantId("_unrouted")
"""Pseudo-tenant that owns the audit records of events whose workspace is bound to nobody."""

_MESSAGE_ID = re.compile(r"msg_[0-9a-f]{24}")
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")

_ID_BYTES: Final = 12
_DRAWN_AT_ONCE: Final = 256


class Platform(StrEnum):
    """Where people talk."""

    SLACK = "slack"
    TEAMS = "teams"
    DISCORD = "discord"


def parse_tenant_id(text: str) -> TenantId:
    """Accept a slug: a-z, 0-9 and '-', at most 63 characters.

    Tenant ids stand inside Redis keys and metric labels, so ':' '{' and '_' must stay out of them.
    Raises ValueError.
    """
    return TenantId(_slug(text, "tenant id"))


def parse_agent_id(text: str) -> AgentId:
    """Accept a slug like a tenant id. Raises ValueError."""
    return AgentId(_slug(text, "agent id"))


def new_delivery_id() -> DeliveryId:
    """Make an id that the agent can use as its idempotency key; it holds no '.', which would
    break the signed content of Standard Webhooks.
    """
    return DeliveryId(f"dlv_{_unguessable()}")


def new_message_id() -> MessageId:
    """Make the gateway's id of a message that an agent asked to send."""
    return MessageId(f"msg_{_unguessable()}")


def is_message_id(text: str) -> bool:
    """Whether it is one of the gateway's own; no platform's ids look like that."""
    return _MESSAGE_ID.fullmatch(text) is not None


def new_file_id() -> FileId:
    """Make the gateway's id of a file that an agent brought."""
    return FileId(f"file_{_unguessable()}")


_drawn: Final[list[str]] = []
# A child must not give out what its parent will.
os.register_at_fork(after_in_child=_drawn.clear)


def _unguessable() -> str:
    # From the system's own source, which is asked once for many: each question is a system call.
    try:
        return _drawn.pop()
    except IndexError:
        block, digits = os.urandom(_ID_BYTES * _DRAWN_AT_ONCE).hex(), 2 * _ID_BYTES
        first, *others = (block[at : at + digits] for at in range(0, len(block), digits))
        _drawn.extend(others)
        return first


def _slug(text: str, what: str) -> str:
    if not _SLUG.fullmatch(text):
        raise ValueError(f"{what} {text!r} must be 1-63 of a-z, 0-9 and '-', not starting with '-'")
    return text
