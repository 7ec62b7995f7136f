"""What platforms still allow: one bucket per tenant, workspace and call, for all replicas.

Only calls for which a platform has told a rate are counted; each costs one round trip. What is
posted most, messages, is paced per channel by the one replica that posts there (egress/pace.py),
and costs none.
"""

from __future__ import annotations

from typing import Final

import structlog

from gateway.core.budgets import Account, CallRate
from gateway.core.errors import StoreError
from gateway.store.connection import Client, Script
from gateway.store.keys import shard_of

log = structlog.get_logger()

LONGEST_HOLD_S: Final = 900.0
"""One absurd answer must not silence a workspace for days."""


class Buckets:
    """A Budget. Without Redis it grants everything: what is too much is refused by the platform."""

    def __init__(self, client: Client, shards: int) -> None:
        self._shards = shards
        self._take = Script(client, "bucket_take")
        self._hold = Script(client, "bucket_hold")

    async def take(self, account: Account, call: str, rate: CallRate, *, keep: int = 0) -> float:
        """Take one call; return 0, or the seconds after which to ask again. Raises nothing."""
        try:
            wait_us = await self._take(
                [self._key(account, call)], [_interval_us(rate), rate.burst - keep]
            )
        except StoreError as exc:
            log.warning("budget.unknown", call=call, error=str(exc))
            return 0.0
        return float(wait_us) / 1e6

    async def hold(self, account: Account, call: str, rate: CallRate, for_s: float) -> None:
        """Grant nothing for a while, at most 15 minutes. Raises nothing."""
        for_us = min(for_s, LONGEST_HOLD_S) * 1e6 + (rate.burst - 1) * _interval_us(rate)
        try:
            await self._hold([self._key(account, call)], [round(for_us)])
        except StoreError as exc:
            log.warning("budget.not_held", call=call, error=str(exc))

    def _key(self, account: Account, call: str) -> str:
        shard = shard_of(account.tenant, self._shards)
        return shard.bucket(account.tenant, account.platform, account.workspace, call)


def _interval_us(rate: CallRate) -> int:
    # A burst and what has been refilled since may fall into one minute.
    return round(60e6 / (rate.per_minute - rate.burst))
