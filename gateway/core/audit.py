"""The audit record: what was decided, about what, and why. Steps never write it; commits do."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from gateway.core.ids import TenantId


class AuditAction(StrEnum):
    """What happened. The first word is the thing, the second what became of it."""

    EVENT_ROUTED = "event.routed"
    EVENT_DROPPED = "event.dropped"
    FORM_REQUESTED = "form.requested"
    MESSAGE_SUBMITTED = "message.submitted"
    MESSAGE_EDITED = "message.edited"
    MESSAGE_DELETED = "message.deleted"
    REACTION_CHANGED = "reaction.changed"
    STREAM_OPENED = "stream.opened"
    STREAM_FINISHED = "stream.finished"
    DELIVERY_DELIVERED = "delivery.delivered"
    DELIVERY_RETRIED = "delivery.retried"
    DELIVERY_DEAD = "delivery.dead"
    DELIVERY_RECOVERED = "delivery.recovered"
    DEAD_LETTER_REPLAYED = "dead_letter.replayed"
    DEAD_LETTER_DISCARDED = "dead_letter.discarded"
    ISOLATION_VIOLATION = "isolation.violation"
    CONVERSATION_REFUSED = "conversation.refused"
    BREAKER_OPENED = "breaker.opened"
    BREAKER_CLOSED = "breaker.closed"
    ENDPOINT_DISABLED = "endpoint.disabled"
    ENDPOINT_SWITCHED = "endpoint.switched"
    INSTALLATION_ADDED = "installation.added"
    INSTALLATION_ENDED = "installation.ended"
    TOKEN_RENEWED = "token.renewed"  # noqa: S105 - a name
    TOKEN_NOT_RENEWED = "token.not_renewed"  # noqa: S105 - a name
    UNREADABLE = "unreadable"


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One decision. Holds ids and reasons, never message text and never a secret.

    `outcome` may be refined by the store: a commit alone knows whether an event was a duplicate.
    """

    tenant: TenantId
    action: AuditAction
    outcome: str = ""
    reason: str = ""
    platform: str = ""
    workspace: str = ""
    conversation: str = ""
    event_id: str = ""
    delivery_id: str = ""
    direction: str = ""
    agent: str = ""
    attempt: int = 0
    detail: str = ""
    trail: tuple[str, ...] = ()


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A stored record. `id` is unique over all shards; `at_ms` is the store's clock (Unix ms)."""

    id: str
    at_ms: int
    record: AuditRecord
