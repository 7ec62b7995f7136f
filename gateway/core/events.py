"""What platforms tell us, in one vocabulary. An adapter's parser makes these; nothing else does."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from gateway.core.conversations import ConversationKind, ConversationRef
from gateway.core.ids import EventId, WorkspaceId


class EventKind(StrEnum):
    """The types of the agent protocol, version 1, and UNSUPPORTED for what it cannot carry yet."""

    MESSAGE_CREATED = "message.created"
    MESSAGE_UPDATED = "message.updated"
    MESSAGE_DELETED = "message.deleted"
    UNSUPPORTED = "unsupported"


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """Who spoke. `is_self` is this gateway's own bot: answering it would be a loop."""

    id: str
    name: str | None = None
    is_bot: bool = False
    is_self: bool = False


class Attachment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file that came with a message; its bytes stay on the platform."""

    id: str
    name: str | None = None
    media_type: str | None = None
    size_bytes: int | None = None


class InboundEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One platform event.

    `enterprise` is set for organisation-wide installs only: the id to look up when the workspace
    itself is bound to nobody. `dedupe_keys` are all the names under which the platform may send
    the same thing again (its event id first); they are unique within one workspace, no wider.
    """

    id: EventId
    kind: EventKind
    conversation: ConversationRef
    conversation_kind: ConversationKind
    sender: Sender
    message_id: str
    dedupe_keys: tuple[str, ...]
    received_at: datetime
    sent_at: datetime | None = None
    text: str = ""
    mentioned: bool = False
    mentions: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    enterprise: WorkspaceId | None = None
    retry: int = 0
    platform_kind: str = ""
    """The platform's own name of the event, for the audit trail."""


class IgnoredReason(StrEnum):
    """Why a frame never became an event. Closed: it is a metric label."""

    MALFORMED = "malformed"
    NO_WORKSPACE = "no_workspace"
    NOT_AN_EVENT = "not_an_event"


class Ignored(msgspec.Struct, frozen=True):
    """A frame that is acknowledged and goes nowhere. `detail` names a field, never its content."""

    reason: IgnoredReason
    detail: str
