"""Faults. Expected ends are values (Dropped, Outcome, Receipt), never exceptions.

GatewayError
├── ConfigError            settings that cannot work
├── StoreError             Redis or PostgreSQL cannot be trusted now: nothing may be acknowledged
│   └── LeaseLostError     another replica owns the shard: what we hold is no longer ours
├── QueueFullError         the tenant's queue is full: nothing was stored
├── RegistryError          an operator asked for what cannot be
│   ├── NotFoundError
│   └── ConflictError
└── SendError              a platform did not take a message
    ├── BudgetSpentError   nor was it asked: it allows no more for now
    ├── StreamRefusedError it will not let this message grow: it can still be posted
    └── StreamEndedError   it does not let it grow any more
"""

from __future__ import annotations

from gateway.core.deliveries import Reason


class GatewayError(Exception):
    """Base of all faults of the gateway."""


class ConfigError(GatewayError):
    """Settings that cannot work. The message names every one of them."""


class StoreError(GatewayError):
    """A store failed. Never to be read as 'not found' (law 9)."""


class LeaseLostError(StoreError):
    """The shard's lease is not ours any more."""


class QueueFullError(GatewayError):
    """The tenant's queue is full; the sender must try again later."""


class RegistryError(GatewayError):
    """An operator asked for what cannot be. The message says why and what to do."""


class NotFoundError(RegistryError):
    """No such tenant, workspace or dead letter."""


class ConflictError(RegistryError):
    """It exists already, or belongs to somebody else."""


class SendError(GatewayError):
    """A platform did not take a message.

    `retry_after_s` is what the platform asked for. `permanent` means that the same call will never
    work. `ambiguous` means that the message may have been posted although no answer came.
    `holds_lane` means that nothing more may be posted into the channel until then, when the
    platform has had too much.
    """

    def __init__(
        self,
        reason: Reason,
        detail: str,
        *,
        permanent: bool = False,
        ambiguous: bool = False,
        retry_after_s: float | None = None,
        holds_lane: bool = True,
    ) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail
        self.permanent = permanent
        self.ambiguous = ambiguous
        self.retry_after_s = retry_after_s
        self.holds_lane = holds_lane


class BudgetSpentError(SendError):
    """What a platform allows within a minute is used up. It was not asked, so nothing is held."""

    def __init__(self, call: str, wait_s: float) -> None:
        super().__init__(
            Reason.PLATFORM_RATE_LIMITED,
            f"the budget of {call} is spent",
            retry_after_s=wait_s,
            holds_lane=False,
        )


class StreamRefusedError(SendError):
    """A message cannot begin as one that grows, and nothing was posted.

    `may_edit` is false when edits of it could not be shown either: then its end is posted, whole.
    """

    def __init__(self, detail: str, *, may_edit: bool = True) -> None:
        super().__init__(Reason.PLATFORM_REJECTED, detail, permanent=True)
        self.may_edit = may_edit


class StreamEndedError(SendError):
    """A message grows no more, and nothing was added to it: the platform ended it, or a user."""

    def __init__(self, detail: str, *, by_user: bool = False) -> None:
        super().__init__(Reason.PLATFORM_REJECTED, detail, permanent=True)
        self.by_user = by_user
