"""What the owner of a shard says to its queues and is told by them: the arguments and answers of
settle.lua and take.lua. Pure; asks nothing of Redis itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from gateway.core.audit import AuditRecord
from gateway.core.breaker import BreakerPolicy, Sign
from gateway.core.deliveries import Delivery, Direction
from gateway.core.errors import LeaseLostError, StoreError
from gateway.core.ids import ConversationId, DeliveryId, TenantId
from gateway.core.retry import Again, Dead, Done, Settlement
from gateway.core.tenants import Endpoint
from gateway.store.connection import Value
from gateway.store.leases import Lease

Call = tuple[list[str], list[Value]]
"""Keys and arguments of a script."""

_JSON: Final = msgspec.json.Encoder()

# The answer of take.lua is one flat list, since nested ones cost Redis more than all else in it.
_HEAD: Final = 3
_WIDTH: Final = 6


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a delivery, and the record of it (None for a mere deferral)."""

    delivery: Delivery
    settlement: Settlement
    audit: AuditRecord | None
    sign: Sign = Sign.NONE


class SettleAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How a settle ended: per settlement, whether it was still ours; the tenants whose breaker it
    opened; and whether any of its tenants has something that may start now.
    """

    held: list[bool]
    broken: list[TenantId]
    ready: bool


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker got. `due_in_s` is how long the earliest waiting lane still waits: a span, for
    the store's clock and the worker's need not agree.
    """

    deliveries: list[Delivery]
    endpoints: dict[TenantId, Endpoint]
    due_in_s: float | None


def take_call(lease: Lease, limit: int) -> Call:
    """Ask for up to `limit` deliveries."""
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
    return keys, [lease.token, f"{shard.prefix}t:", direction, limit]


def read_taken(answer: list[Any], lease: Lease) -> Taken:
    """Read what was taken. Raises LeaseLostError, StoreError."""
    check_lease(answer, lease)
    due_in_ms, count = answer[1], answer[2]
    end = _HEAD + _WIDTH * count
    return Taken(
        deliveries=_deliveries(answer[_HEAD:end], lease.direction),
        endpoints=_endpoints(answer[end:]),
        due_in_s=None if due_in_ms < 0 else due_in_ms / 1000,
    )


def settle_call(lease: Lease, settled: Sequence[Settled], breaker: BreakerPolicy) -> Call:
    """Say how attempts ended."""
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
    args: list[Value] = [lease.token, f"{shard.prefix}t:", direction]
    args += [round(breaker.window_s * 1000), breaker.least, breaker.percent]
    for each in settled:
        args += _settle_arguments(each)
    return keys, args


def read_settled(answer: list[Any], lease: Lease) -> SettleAnswer:
    """Read what a settle came to. Raises LeaseLostError."""
    check_lease(answer, lease)
    _, ready, count, *rest = answer
    held = [True] * count
    broken = []
    for each in rest:
        if isinstance(each, int):
            held[each - 1] = False
        else:
            broken.append(TenantId(each.decode()))
    return SettleAnswer(held=held, broken=broken, ready=ready == 1)


def _settle_arguments(settled: Settled) -> list[Value]:
    delivery = settled.delivery
    record = b"" if settled.audit is None else _JSON.encode(settled.audit)
    head: list[Value] = [delivery.tenant, delivery.conversation, delivery.entry, record]
    # Only what agents ask for has a ledger.
    told = delivery.id if delivery.direction is Direction.OUTBOUND else ""
    match settled.settlement:
        case Done() if settled.sign is Sign.WELL and not told:
            return [*head, "well"]
        case Done(receipt=receipt, degraded=degraded):
            return [*head, "done", settled.sign, receipt, degraded, "", "", told]
        case Again(delay_s=delay_s, counts=counts, uncertain=uncertain):
            # A float of seconds would lose the sub-second part in Redis's integer arithmetic.
            delay_ms = round(delay_s * 1000)
            tail: list[Value] = [delay_ms, int(counts), int(uncertain), "", told]
            return [*head, "again", settled.sign, *tail]
        case Dead(reason=reason, detail=detail, uncertain=uncertain):
            in_doubt = delivery.uncertain or uncertain
            died = [reason.value, detail, delivery.attempt, int(in_doubt)]
            return [*head, "dead", settled.sign, *died, told]


def check_lease(answer: list[Any], lease: Lease) -> None:
    """Raise LeaseLostError when a script found that the lease is another's."""
    if answer[0] == b"lost":
        raise LeaseLostError(f"shard {lease.shard.number} ({lease.role}) has another owner")


def _deliveries(fields: list[bytes], direction: Direction) -> list[Delivery]:
    each = iter(fields)
    return [
        Delivery(
            id=DeliveryId(delivery_id.decode()),
            tenant=TenantId(tenant.decode()),
            direction=direction,
            conversation=ConversationId(conversation.decode()),
            payload=payload,
            attempt=int(attempts.rstrip(b"?")) + 1,
            uncertain=attempts.endswith(b"?"),
            accepted_at_ms=int(entry.partition(b"-")[0]),
            entry=entry.decode(),
        )
        for tenant, conversation, entry, delivery_id, payload, attempts in zip(
            *[each] * _WIDTH, strict=True
        )
    ]


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
