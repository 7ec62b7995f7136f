"""What a removed tenant has left goes after a day, on record, and nothing else with it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from gateway.core.audit import AuditAction, AuditRecord
from gateway.core.clock import unix_ms
from gateway.core.deliveries import Direction, NewDelivery
from gateway.core.ids import ConversationId, DeliveryId, MessageId, TenantId
from gateway.core.tenants import Limits
from gateway.store import departed as module
from gateway.store import ledger_changes
from gateway.store.connection import run
from gateway.store.deliveries import Commit
from gateway.store.departed import KEPT_S, DepartedTenants
from gateway.store.keys import Pepper, Shard
from gateway.store.leases import EGRESS, Lease
from gateway.store.ledger_changes import LedgerChange
from gateway.store.tenants import TenantLookup
from tests.support.queues import ACME, DEAD, GLOBEX, TENANTS, Queues

HERE = ConversationId("slack:T0ACME:C0AAAA")


@dataclass
class Days:
    """A clock that is so many days ahead."""

    ahead: int = 0

    def __call__(self) -> int:
        return unix_ms() + self.ahead * KEPT_S * 1000 + self.ahead


@pytest.fixture
def days() -> Days:
    return Days()


@pytest.fixture
def departed(queues: Queues, days: Days) -> DepartedTenants:
    return DepartedTenants(queues.client, queues.shards, now_ms=days)


async def _leave(queues: Queues, tenant: TenantId) -> None:
    lookup = TenantLookup(queues.client, Pepper(b"pepper"), queues.shards)
    await lookup.remove_endpoint(tenant, departed_ms=unix_ms())


async def _say(queues: Queues, tenant: TenantId, name: str) -> None:
    """What an agent asked for, which has a ledger."""
    message = MessageId(name)
    fields = ledger_changes.begun(HERE) | ledger_changes.queued([1])
    await queues.store.commit(
        Commit(
            tenant=tenant,
            direction=Direction.OUTBOUND,
            conversation=HERE,
            deliveries=(NewDelivery(id=DeliveryId(f"{name}-1"), payload=b"{}"),),
            audit=AuditRecord(tenant=tenant, action=AuditAction.MESSAGE_SUBMITTED),
            limits=Limits(),
            ledgers=(LedgerChange(message=message, fields=fields),),
        )
    )


async def _bury(queues: Queues, lease: Lease) -> None:
    for delivery in await queues.take(lease):
        await queues.settle(lease, delivery, DEAD)


async def _left(queues: Queues, tenant: TenantId) -> list[str]:
    return [key for key in await queues.everything() if f"t:{tenant}:" in key]


async def _discarded(queues: Queues) -> list[tuple[str, str]]:
    records = [each.record for each in await queues.audit()]
    gone = [each for each in records if each.action is AuditAction.DEAD_LETTER_DISCARDED]
    assert {"the tenant was removed"} >= {each.detail for each in gone}
    return [(each.tenant, each.delivery_id) for each in gone]


async def test_all_of_it_goes_after_a_day(
    queues: Queues, departed: DepartedTenants, days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Letters in both directions and what is known of requests, in several pieces."""
    monkeypatch.setattr(module, "PIECE", 2)
    outbound = await queues.lease(EGRESS)
    for number in range(3):
        await queues.accept(ACME, f"c{number}", f"d{number}")
        await _say(queues, ACME, f"msg_{number}")
        await _bury(queues, outbound)
    await _bury(queues, await queues.lease())
    await _leave(queues, ACME)
    await departed.sweep()
    kept = await queues.dead.count(ACME)
    days.ahead = 1
    await departed.sweep()

    assert (6, 0) == (kept, await queues.dead.count(ACME))
    assert [] == await _left(queues, ACME)
    assert {f"d{n}" for n in range(3)} | {f"msg_{n}-1" for n in range(3)} == {
        delivery for _, delivery in await _discarded(queues)
    }
    assert 6 == len(await _discarded(queues))
    assert 0 == await run(queues.client, "ZCARD", Shard(0).departed)


async def test_nothing_of_others_goes_with_it(
    queues: Queues, lease: Lease, departed: DepartedTenants, days: Days
) -> None:
    """Of the same shard, with ids of the same names."""
    for tenant in TENANTS:
        await queues.accept(tenant, "c1", "d1")
        await _say(queues, tenant, "msg_1")
    await _bury(queues, lease)
    await _bury(queues, await queues.lease(EGRESS))
    before = {key: value for key, value in (await queues.everything()).items() if ":t:" in key}
    await _leave(queues, ACME)
    days.ahead = 1
    await departed.sweep()

    after = {key: value for key, value in (await queues.everything()).items() if ":t:" in key}
    assert after == {key: value for key, value in before.items() if ":t:acme:" not in key}
    assert {ACME} == {tenant for tenant, _ in await _discarded(queues)}


async def test_a_tenant_that_is_back_finds_what_it_left(
    queues: Queues, lease: Lease, departed: DepartedTenants, days: Days
) -> None:
    """An operator may have erred. It is not swept on a later day either."""
    await queues.accept(ACME, "c1", "d1")
    await _bury(queues, lease)
    await _leave(queues, ACME)
    await queues.admit(ACME)
    days.ahead = 1
    await departed.sweep()
    await departed.sweep()

    assert 1 == await queues.dead.count(ACME)
    assert [] == await _discarded(queues)


async def test_what_is_queued_still_ends_as_it_does(
    queues: Queues, lease: Lease, departed: DepartedTenants, days: Days
) -> None:
    """Also behind a breaker that is open. Then it is swept as the rest."""
    await queues.accept(ACME, "c1", "d1")
    await queues.accept(GLOBEX, "c1", "g1")
    await run(queues.client, "HSET", Shard(0).breakers, ACME, "open 1")
    await queues.client.delete(Shard(0).ring(Direction.INBOUND))
    await _leave(queues, ACME)
    days.ahead = 1
    await departed.sweep()
    assert [] == await _discarded(queues)
    [delivery] = await queues.take(lease)
    await queues.settle(lease, delivery, DEAD)
    await departed.sweep()

    assert [(ACME, "d1")] == await _discarded(queues)
    assert [] == await _left(queues, ACME)
