"""One thing on its way to one place, and how an attempt to bring it there can end."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from gateway.core.ids import ConversationId, DeliveryId, TenantId


class Direction(StrEnum):
    """Inbound goes to agents, outbound goes to platforms; both ride the same engine."""

    INBOUND = "in"
    OUTBOUND = "out"


class NewDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery about to be committed. `payload` is all that an attempt will need (law 6)."""

    id: DeliveryId
    payload: bytes


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery handed to a worker.

    `attempt` counts from 1 and grows; `id` never changes. `uncertain` means that an earlier
    attempt may have reached the other side without our knowing.
    """

    id: DeliveryId
    tenant: TenantId
    direction: Direction
    conversation: ConversationId
    payload: bytes
    attempt: int
    uncertain: bool
    accepted_at_ms: int
    entry: str
    """The store's own name of the queued entry; opaque elsewhere."""


class Reason(StrEnum):
    """Why an attempt did not deliver. Closed: it is a metric label."""

    AGENT_REJECTED = "agent_rejected"
    AGENT_BUSY = "agent_busy"
    AGENT_ERROR = "agent_error"
    AGENT_TIMEOUT = "agent_timeout"
    AGENT_UNREACHABLE = "agent_unreachable"
    ENDPOINT_GONE = "endpoint_gone"
    ENDPOINT_MISSING = "endpoint_missing"
    TENANT_SUSPENDED = "tenant_suspended"
    PLATFORM_REJECTED = "platform_rejected"
    PLATFORM_ERROR = "platform_error"
    PLATFORM_RATE_LIMITED = "platform_rate_limited"
    PLATFORM_UNREACHABLE = "platform_unreachable"
    NOT_INSTALLED = "not_installed"
    ISOLATION = "isolation"
    OUTCOME_UNKNOWN = "outcome_unknown"
    INTERRUPTED = "interrupted"
    TARGET_MISSING = "target_missing"
    GATEWAY_FAULT = "gateway_fault"


class Fault(StrEnum):
    """Whose trouble it was. Dead letters of the pipeline are ours to mend, the others are not."""

    TENANT = "tenant"
    PLATFORM = "platform"
    PIPELINE = "pipeline"


_FAULTS: Final = {
    Reason.AGENT_REJECTED: Fault.TENANT,
    Reason.AGENT_BUSY: Fault.TENANT,
    Reason.AGENT_ERROR: Fault.TENANT,
    Reason.AGENT_TIMEOUT: Fault.TENANT,
    Reason.AGENT_UNREACHABLE: Fault.TENANT,
    Reason.ENDPOINT_GONE: Fault.TENANT,
    Reason.ENDPOINT_MISSING: Fault.TENANT,
    Reason.TENANT_SUSPENDED: Fault.TENANT,
    Reason.NOT_INSTALLED: Fault.TENANT,
    Reason.PLATFORM_REJECTED: Fault.PLATFORM,
    Reason.PLATFORM_ERROR: Fault.PLATFORM,
    Reason.PLATFORM_RATE_LIMITED: Fault.PLATFORM,
    Reason.PLATFORM_UNREACHABLE: Fault.PLATFORM,
    Reason.TARGET_MISSING: Fault.PLATFORM,
}


def fault_of(reason: Reason) -> Fault:
    """Tell whose trouble `reason` is; what is nobody else's is the pipeline's."""
    return _FAULTS.get(reason, Fault.PIPELINE)


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """The other side has it. `receipt` is its own id or status, for the audit record.

    `degraded` names the ability that the platform lacked, when something was left out for it.
    `quiet` is for previews, which leave no record: they are not counted as accepted either.
    """

    receipt: str = ""
    degraded: str = ""
    quiet: bool = False


class Retryable(msgspec.Struct, frozen=True, kw_only=True):
    """Try again later. `after_s` is what the other side asked for; `uncertain` says that it may
    have received the thing all the same.
    """

    reason: Reason
    detail: str = ""
    after_s: float | None = None
    uncertain: bool = False


class Deferred(msgspec.Struct, frozen=True, kw_only=True):
    """Not tried: a rate wait, a suspended tenant. Does not count as an attempt."""

    reason: Reason
    after_s: float


class Permanent(msgspec.Struct, frozen=True, kw_only=True):
    """Will never work as it stands: a dead letter."""

    reason: Reason
    detail: str = ""


Outcome = Delivered | Retryable | Deferred | Permanent


class Receipt(StrEnum):
    """How a commit ended. FULL means that nothing was stored and nothing may be acknowledged;
    OVERFLOWED, that the tenant wants what finds its queue full to be dropped, on record. MOVED,
    that what the decision was built upon has changed: nothing was stored, decide again.
    """

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    RATE_LIMITED = "rate_limited"
    FULL = "full"
    OVERFLOWED = "queue_full"
    MOVED = "moved"


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that the gateway gave up, kept until somebody replays or discards it."""

    id: DeliveryId
    cursor: str
    tenant: TenantId
    direction: Direction
    conversation: ConversationId
    reason: Reason
    detail: str
    attempts: int
    accepted_at_ms: int
    died_at_ms: int
    payload: bytes
