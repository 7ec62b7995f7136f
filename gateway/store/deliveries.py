"""The delivery queues: commit, take, settle. Each is one atomic script, so that a crash can fall
between two of them but never inside one.

A tenant's stream keeps what its deliveries hold; a lane (list) per conversation keeps their order.
A lane is in exactly one of four states: empty, ready, in flight, or waiting in the schedule.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec

from gateway.core.audit import AuditRecord
from gateway.core.breaker import BreakerPolicy, Sign
from gateway.core.deliveries import Delivery, Direction, NewDelivery, Receipt
from gateway.core.errors import LeaseLostError, StoreError
from gateway.core.ids import ConversationId, DeliveryId, TenantId
from gateway.core.retry import Again, Dead, Done, Settlement
from gateway.core.tenants import Endpoint, Limits, Overflow
from gateway.store.connection import (
    UNCONFIRMED,
    Client,
    Confirmation,
    Script,
    Value,
    run_confirmed,
)
from gateway.store.history import Memory, history_arguments, history_keys
from gateway.store.keys import WAKE_CHANNEL, Shard, dedupe_key, shard_of, wake_message
from gateway.store.leases import Lease
from gateway.store.ledger_changes import LedgerChange, ledger_arguments, ledger_keys, ledger_limits

DEDUPE_TTL_S = 24 * 3600


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """One decision to store. `deliveries` share one conversation and keep their order.

    `dedupe_keys` are unique within the tenant; `dedupe_value` is what a later duplicate is told.
    `limits` bound the queue; the quota is counted only when `metered`. With a `memory` payloads are
    JSON objects, and get a member `history` when there is any.
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


class Committed(msgspec.Struct, frozen=True):
    """How a commit ended; for a duplicate, with the dedupe value of the first."""

    receipt: Receipt
    dedupe_value: str


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a delivery, and the record of it (None for a mere deferral)."""

    delivery: Delivery
    settlement: Settlement
    audit: AuditRecord | None
    sign: Sign = Sign.NONE


class SettleAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How a settle ended: per settlement, whether it was still ours; and the tenants whose breaker
    it opened.
    """

    held: list[bool]
    broken: list[TenantId]


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker got. `due_in_s` is how long the earliest waiting lane still waits: a span, for
    the store's clock and the worker's need not agree.
    """

    deliveries: list[Delivery]
    endpoints: dict[TenantId, Endpoint]
    due_in_s: float | None


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

    async def commit(self, commit: Commit) -> Committed:
        """Store a decision with its deliveries and its audit record.

        Raises StoreError when it is not stored, when nobody knows whether it is, and when it is
        stored but not confirmed. To be sent again in each case: a duplicate is confirmed as well,
        and its confirmation is that of the first, for a replica has what came before what it has.
        """
        shard = shard_of(commit.tenant, self._shards)
        own = shard.tenant(commit.tenant)
        queue = shard.queue(commit.tenant, commit.direction)
        keys = [
            queue,
            f"{queue}:lane:{commit.conversation}",
            f"{queue}:ready",
            shard.ring(commit.direction),
            shard.audit,
            f"{own}quota",
            *history_keys(own, commit.memory),
            *(dedupe_key(own, commit.direction, key) for key in commit.dedupe_keys),
            *ledger_keys(shard, commit.tenant, commit.ledgers),
        ]
        outcome, first = await self._commit(keys, _commit_arguments(commit, shard))
        return Committed(Receipt(outcome.decode()), first.decode())

    async def record(self, record: AuditRecord, memory: Memory | None = None) -> None:
        """Store a decision that leads nowhere, and what is remembered. Raises StoreError."""
        shard = shard_of(record.tenant, self._shards)
        if memory is not None:
            keys = [shard.audit, *history_keys(shard.tenant(record.tenant), memory)]
            await self._remember(keys, [msgspec.json.encode(record), *history_arguments(memory)])
            return
        entry = (shard.audit, "*", "r", msgspec.json.encode(record), "o", "")
        await run_confirmed(self._client, self._confirmation, "XADD", *entry)

    async def take(self, lease: Lease, limit: int) -> Taken:
        """Take up to `limit` deliveries that may start now.

        Raises LeaseLostError when the shard is another replica's; StoreError when the answer was
        lost, after which the shard must be recovered before anything else is taken.
        """
        shard, direction = lease.shard, lease.direction
        keys = [
            shard.lease(lease.role),
            shard.ring(direction),
            shard.schedule(direction),
            shard.in_flight(direction),
            shard.active(direction),
            shard.tenants,
            shard.profiles,
            shard.breakers,
        ]
        answer = await self._take(keys, [lease.token, f"{shard.prefix}t:", direction, limit])
        _check_lease(answer, lease)
        _, due_in_ms, taken, profiles = answer
        return Taken(
            deliveries=[_delivery(fields, direction) for fields in taken],
            endpoints=_endpoints(profiles),
            due_in_s=None if due_in_ms < 0 else due_in_ms / 1000,
        )

    async def settle(self, lease: Lease, settled: Sequence[Settled]) -> SettleAnswer:
        """Settle attempts, each atomically with its audit record. May be repeated.

        Raises LeaseLostError, StoreError.
        """
        shard, direction = lease.shard, lease.direction
        keys = [
            shard.lease(lease.role),
            shard.ring(direction),
            shard.schedule(direction),
            shard.in_flight(direction),
            shard.active(direction),
            shard.audit,
            shard.breakers,
        ]
        breaker = self._breaker
        args: list[Value] = [lease.token, f"{shard.prefix}t:", direction]
        args += [round(breaker.window_s * 1000), breaker.least, breaker.percent]
        for each in settled:
            args += _settle_arguments(each)
        answer = await self._settle(keys, args)
        _check_lease(answer, lease)
        return SettleAnswer(
            held=[bool(held) for held in answer[1]],
            broken=[TenantId(tenant.decode()) for tenant in answer[2]],
        )

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
        _check_lease(answer, lease)
        return int(answer[1])


def _commit_arguments(commit: Commit, shard: Shard) -> list[Value]:
    limits = commit.limits
    interval_us = 60_000_000 // max(limits.events_per_minute, 1) if commit.metered else 0
    args: list[Value] = [
        commit.tenant,
        commit.conversation,
        msgspec.json.encode(commit.audit),
        commit.dedupe_value,
        DEDUPE_TTL_S * 1000,
        interval_us,
        max(limits.event_burst, 1),
        limits.max_queued,
        WAKE_CHANNEL,
        wake_message(shard, commit.direction),
        # An agent is told to try again; only what platforms send can be dropped.
        limits.overflow if commit.direction is Direction.INBOUND else Overflow.REFUSE,
        *ledger_limits(commit.ledgers),
        *history_arguments(commit.memory),
    ]
    args += ledger_arguments(commit.ledgers)
    for delivery in commit.deliveries:
        args += [delivery.id, delivery.payload]
    return args


def _settle_arguments(settled: Settled) -> list[Value]:
    delivery = settled.delivery
    record = b"" if settled.audit is None else msgspec.json.encode(settled.audit)
    head: list[Value] = [delivery.tenant, delivery.conversation, delivery.entry]
    tail: list[Value] = [record, settled.sign]
    # Only what agents ask for has a ledger.
    told = delivery.id if delivery.direction is Direction.OUTBOUND else ""
    match settled.settlement:
        case Done(receipt=receipt, degraded=degraded):
            return [*head, "done", *tail, receipt, degraded, "", "", told]
        case Again(delay_s=delay_s, counts=counts, uncertain=uncertain):
            # A float of seconds would lose the sub-second part in Redis's integer arithmetic.
            delay_ms = round(delay_s * 1000)
            return [*head, "again", *tail, delay_ms, int(counts), int(uncertain), "", told]
        case Dead(reason=reason, detail=detail, uncertain=uncertain):
            in_doubt = delivery.uncertain or uncertain
            died = [reason.value, detail, delivery.attempt, int(in_doubt)]
            return [*head, "dead", *tail, *died, told]


def _check_lease(answer: list[Any], lease: Lease) -> None:
    if answer[0] == b"lost":
        raise LeaseLostError(f"shard {lease.shard.number} ({lease.role}) has another owner")


def _delivery(fields: list[bytes], direction: Direction) -> Delivery:
    tenant, conversation, entry, attempts, uncertain, delivery_id, payload = fields
    entry_text = entry.decode()
    return Delivery(
        id=DeliveryId(delivery_id.decode()),
        tenant=TenantId(tenant.decode()),
        direction=direction,
        conversation=ConversationId(conversation.decode()),
        payload=payload,
        attempt=int(attempts) + 1,
        uncertain=uncertain == b"1",
        accepted_at_ms=int(entry_text.partition("-")[0]),
        entry=entry_text,
    )


def _endpoints(profiles: list[bytes]) -> dict[TenantId, Endpoint]:
    return {
        TenantId(tenant.decode()): decode_endpoint(profile)
        for tenant, profile in zip(profiles[::2], profiles[1::2], strict=True)
        if profile
    }


@lru_cache(maxsize=4096)
def decode_endpoint(profile: bytes) -> Endpoint:
    """Read a stored endpoint. Raises StoreError."""
    try:
        return msgspec.json.decode(profile, type=Endpoint)
    except msgspec.DecodeError as exc:
        raise StoreError(f"a tenant's profile cannot be read: {exc}") from exc
