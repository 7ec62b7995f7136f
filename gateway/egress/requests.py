"""What agents ask of the outbound half, and what they are told. Values only."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from gateway.core.components import Components
from gateway.core.ids import ConversationId, FileId, MessageId, TenantId


class Content(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is to be seen. `markdown` may be blank when there is something else to see.

    `raw` is the platform's own payload, `visible_to` the one user who sees it, `reply_to` the
    message it answers: the platform's id of it, or the gateway's.
    """

    markdown: str = ""
    components: Components = ()
    files: tuple[FileId, ...] = ()
    raw: dict[str, Any] | None = None
    visible_to: str | None = None
    reply_to: str | None = None


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent wants said. `idempotency_key` is unique within the tenant, over all kinds of
    requests.
    """

    tenant: TenantId
    conversation: str
    content: Content
    idempotency_key: str


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """Give a message another content. Its files stay; files of the new content are added."""

    tenant: TenantId
    message: MessageId
    content: Content
    idempotency_key: str


class Delete(msgspec.Struct, frozen=True, kw_only=True):
    """Remove a message, all parts of it."""

    tenant: TenantId
    message: MessageId
    idempotency_key: str


class React(msgspec.Struct, frozen=True, kw_only=True):
    """Put an emoji on a message or take it off. `target` is the gateway's id of one of its own, or
    the platform's id of anybody's in `conversation`.
    """

    tenant: TenantId
    conversation: str | None
    target: str
    emoji: str
    remove: bool = False
    idempotency_key: str


class Submitted(msgspec.Struct, frozen=True, kw_only=True):
    """The request is stored and will be done. `repeated` means that it was stored before."""

    id: MessageId
    conversation: ConversationId
    parts: int
    repeated: bool


class Appended(msgspec.Struct, frozen=True, kw_only=True):
    """A stream's text is now `length` characters long."""

    length: int


class Refusal(StrEnum):
    """Why a request is not taken."""

    UNKNOWN_CONVERSATION = "unknown_conversation"
    UNKNOWN_MESSAGE = "unknown_message"
    UNKNOWN_FILE = "unknown_file"
    BLANK_TEXT = "blank_text"
    TOO_LONG = "message_too_long"
    KEY_REUSED = "idempotency_key_reused"
    STREAM_CLOSED = "stream_closed"
    OFFSET_MISMATCH = "offset_mismatch"
    TARGET_UNKNOWN = "unknown_target"
