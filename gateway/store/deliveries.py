"""The delivery queues: commit, take, settle. Each is one atomic script, so that a crash can fall
between two of them but never inside one.

A tenant's stream keeps what its deliveries hold; a lane (list) per conversation keeps their order.
A lane is in exactly one of four states: empty, ready, in flight, or waiting in the schedule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from gateway.core.audit import AuditRecord
from gateway.core.breaker import BreakerPolicy
from gateway.core.deliveries import Direction, NewDelivery, Receipt
from gateway.core.ids import ConversationId, TenantId
from gateway.core.tenants import Limits, Overflow
from gateway.store.connection import (
    UNCONFIRMED,
    Client,
    Confirmation,
    Script,
    Value,
    run_confirmed,
    run_scripts,
)
from gateway.store.history import Memory, history_arguments, history_keys
from gateway.store.keys import WAKE_CHANNEL, QueueNames, names_of_queue, shard_of
from gateway.store.leases import Lease
from gateway.store.ledger_changes import LedgerChange, ledger_arguments, ledger_keys, ledger_limits
from gateway.store.premises import Premise, premise_argument, premise_keys
from gateway.store.turns import (
    SettleAnswer,
    Settled,
    Taken,
    check_lease,
    read_settled,
    read_taken,
    settle_call,
    take_call,
)

__all__ = ["Commit", "Committed", "DeliveryStore", "SettleAnswer", "Settled", "Taken"]

DEDUPE_TTL_S = 24 * 3600
_JSON: Final = msgspec.json.Encoder()


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """One decision to store. `deliveries` share one conversation and keep their order.

    `dedupe_keys` are unique within the tenant; `dedupe_value` is what a later duplicate is told.
    `limits` bound the queue; the quota is counted only when `metered`. With a `memory` payloads are
    JSON objects, and get a member `history` when there is any. With a `premise` that does not hold
    nothing is stored, and the receipt is MOVED.
    """

    tenant: TenantId
    direction: Direction
    conversation: ConversationId
    deliveries: tuple[NewDelivery, ...]
    audit: AuditRecord
    limits: Limits
    dedupe_keys: tuple[str, ...] = ()
    dedupe_value: str = ""
    metered: bool = False
    ledgers: tuple[LedgerChange, ...] = ()
    memory: Memory | None = None
    premise: Premise | None = None


class Committed(msgspec.Struct, frozen=True):
    """How a commit ended; for a duplicate, with the dedupe value of the first."""

    receipt: Receipt
    dedupe_value: str


Wake = Callable[[], None]


class DeliveryStore:
    """Commits decisions and hands out work. Knows no platform and no transport."""

    def __init__(
        self,
        client: Client,
        shards: int,
        *,
        breaker: BreakerPolicy | None = None,
        confirmation: Confirmation = UNCONFIRMED,
    ) -> None:
        """`confirmation` is what a commit waits for before it is told of."""
        self._client = client
        self._shards = shards
        self._breaker = breaker or BreakerPolicy()
        self._confirmation = confirmation
        self._commit = Script(client, "commit", confirmation, prelude="history")
        self._remember = Script(client, "remember", confirmation, prelude="history")
        self._take = Script(client, "take")
        self._settle = Script(client, "settle")
        self._recover = Script(client, "recover")
        self._workers: dict[tuple[Direction, int], Wake] = {}

    def work_here(self, lease: Lease, wake: Wake) -> None:
        """Remember who in this process works on a shard. Its commits wake him by a call, and before
        their answer has come, for what he asks of Redis then stands behind them; others publish.
        """
        self._workers[lease.direction, lease.shard.number] = wake

    def work_ends(self, lease: Lease, wake: Wake) -> None:
        """Forget him."""
        if self._workers.get((lease.direction, lease.shard.number)) == wake:
            del self._workers[lease.direction, lease.shard.number]

    async def commit(self, commit: Commit) -> Committed:
        """Store a decision with its deliveries and its audit record.

        Raises StoreError when it is not stored, when nobody knows whether it is, and when it is
        stored but not confirmed. To be sent again in each case: a duplicate is confirmed as well,
        and its confirmation is that of the first, for a replica has what came before what it has.
        """
        names = names_of_queue(commit.tenant, commit.direction, self._shards)
        keys = _commit_keys(commit, names)
        wake = self._workers.get((commit.direction, names.shard.number))
        arguments = _commit_arguments(commit, names, WAKE_CHANNEL if wake is None else "")
        outcome, first = await self._commit(keys, arguments, sent=wake)
        return Committed(Receipt(outcome.decode()), first.decode())

    async def drop(
        self, record: AuditRecord, memory: Memory | None = None, premise: Premise | None = None
    ) -> bool:
        """Store a decision that leads nowhere, and what is remembered all the same. False when its
        premise does not hold, and nothing is stored. Raises StoreError.
        """
        shard = shard_of(record.tenant, self._shards)
        own = shard.tenant(record.tenant)
        keys = [shard.audit, *history_keys(own, memory), *premise_keys(premise)]
        args = [_JSON.encode(record), premise_argument(premise), *history_arguments(memory)]
        return bool(await self._remember(keys, args))

    async def record(self, record: AuditRecord) -> None:
        """Store what was decided, or done, beside all queues. Raises StoreError."""
        shard = shard_of(record.tenant, self._shards)
        entry = (shard.audit, "*", "r", _JSON.encode(record), "o", "")
        await run_confirmed(self._client, self._confirmation, "XADD", *entry)

    async def take(self, lease: Lease, limit: int) -> Taken:
        """Take up to `limit` deliveries that may start now.

        Raises LeaseLostError when the shard is another replica's; StoreError when the answer was
        lost, after which the shard must be recovered before anything else is taken.
        """
        return read_taken(await self._take(*take_call(lease, limit)), lease)

    async def settle(self, lease: Lease, settled: Sequence[Settled]) -> SettleAnswer:
        """Settle attempts, each atomically with its audit record. May be repeated.

        Raises LeaseLostError, StoreError.
        """
        call = settle_call(lease, settled, self._breaker)
        return read_settled(await self._settle(*call), lease)

    async def settle_and_take(
        self, lease: Lease, settled: Sequence[Settled], limit: int
    ) -> tuple[SettleAnswer, Taken]:
        """Do both in one round trip: what the settlements make ready may be taken.

        Raises LeaseLostError, StoreError: nobody knows then which of the two was done.
        """
        settle, take = settle_call(lease, settled, self._breaker), take_call(lease, limit)
        answers = await run_scripts((self._settle, *settle), (self._take, *take))
        return read_settled(answers[0], lease), read_taken(answers[1], lease)

    async def recover(self, lease: Lease) -> int:
        """Make ready again what the shard's last owner held. Raises LeaseLostError, StoreError."""
        shard, direction = lease.shard, lease.direction
        keys = [
            shard.lease(lease.role),
            shard.ring(direction),
            shard.in_flight(direction),
            shard.active(direction),
            shard.audit,
        ]
        answer = await self._recover(keys, [lease.token, f"{shard.prefix}t:", direction])
        check_lease(answer, lease)
        return int(answer[1])


def _commit_keys(commit: Commit, names: QueueNames) -> list[str]:
    keys = [
        names.queue,
        names.lanes + commit.conversation,
        names.ready,
        names.ring,
        names.audit,
        names.quota,
        *history_keys(names.own, commit.memory),
        *[names.repeats + key for key in commit.dedupe_keys],
    ]
    if commit.ledgers:
        keys += ledger_keys(names.shard, commit.tenant, commit.ledgers)
    return keys + premise_keys(commit.premise)


def _commit_arguments(commit: Commit, names: QueueNames, channel: str) -> list[Value]:
    limits = commit.limits
    interval_us = 60_000_000 // max(limits.events_per_minute, 1) if commit.metered else 0
    args: list[Value] = [
        commit.tenant,
        commit.conversation,
        _JSON.encode(commit.audit),
        commit.dedupe_value,
        DEDUPE_TTL_S * 1000,
        interval_us,
        max(limits.event_burst, 1),
        limits.max_queued,
        channel,
        names.wake,
        # An agent is told to try again; only what platforms send can be dropped.
        limits.overflow if commit.direction is Direction.INBOUND else Overflow.REFUSE,
        *ledger_limits(commit.ledgers),
        premise_argument(commit.premise),
        *history_arguments(commit.memory),
    ]
    if commit.ledgers:
        args += ledger_arguments(commit.ledgers)
    for delivery in commit.deliveries:
        args += [delivery.id, delivery.payload]
    return args
