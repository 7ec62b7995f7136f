"""What routing decides. Every decision carries the trail of the steps that led to it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from gateway.core.events import InboundEvent
from gateway.core.ids import UNROUTED, AgentId, TenantId
from gateway.core.tenants import Binding


class DropReason(StrEnum):
    """Why an event goes nowhere. Closed: it is a metric label."""

    UNBOUND_WORKSPACE = "unbound_workspace"
    TENANT_SUSPENDED = "tenant_suspended"
    OWN_MESSAGE = "own_message"
    BOT_MESSAGE = "bot_message"
    UNSUPPORTED_KIND = "unsupported_kind"
    DIRECT_MESSAGES_OFF = "direct_messages_off"
    CHANNEL_NOT_ALLOWED = "channel_not_allowed"
    USER_NOT_ALLOWED = "user_not_allowed"
    NOT_MENTIONED = "not_mentioned"
    REACTIONS_OFF = "reactions_off"
    NOT_OUR_MESSAGE = "not_our_message"
    DUPLICATE = "duplicate"
    RATE_LIMITED = "rate_limited"


class Routed(msgspec.Struct, frozen=True, kw_only=True):
    """The event goes to this agent of this tenant."""

    binding: Binding
    agent: AgentId
    event: InboundEvent
    trail: tuple[str, ...]


class Dropped(msgspec.Struct, frozen=True, kw_only=True):
    """The event goes nowhere; `tenant` owns the audit record. `binding` is None when the workspace
    is bound to nobody.
    """

    reason: DropReason
    tenant: TenantId = UNROUTED
    trail: tuple[str, ...] = ()
    binding: Binding | None = None


Decision = Routed | Dropped
