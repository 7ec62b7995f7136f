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
    """

    def __init__(
        self,
        reason: Reason,
        detail: str,
        *,
        permanent: bool = False,
        ambiguous: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail
        self.permanent = permanent
        self.ambiguous = ambiguous
        self.retry_after_s = retry_after_s
