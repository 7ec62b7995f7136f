"""How often a platform lets itself be asked, and whose asking is counted together."""

from __future__ import annotations

from typing import Protocol

import msgspec

from gateway.core.ids import Platform, TenantId, WorkspaceId


class CallRate(msgspec.Struct, frozen=True, kw_only=True):
    """At most `per_minute` calls within any minute, `burst` of them at once."""

    per_minute: int
    burst: int


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace in the hands of a tenant: what platforms count calls by."""

    tenant: TenantId
    platform: Platform
    workspace: WorkspaceId


class Budget(Protocol):
    """Counts calls, those of all replicas together."""

    async def take(self, account: Account, call: str, rate: CallRate, *, keep: int = 0) -> float:
        """Take one call; return 0, or take none and return the seconds after which to ask again.

        Never waits. `keep` leaves so many of the burst to others, who have more need of them.
        """

    async def hold(self, account: Account, call: str, rate: CallRate, for_s: float) -> None:
        """Grant nothing for a while: the platform said so."""
