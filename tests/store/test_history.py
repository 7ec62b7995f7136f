"""What the scripts remember: lists of entries, changed in the same write as the decision."""

from __future__ import annotations

import json

import pytest

from gateway.core.audit import AuditAction, AuditRecord
from gateway.core.deliveries import Direction, NewDelivery, Receipt
from gateway.core.ids import ConversationId, DeliveryId, TenantId
from gateway.core.tenants import Limits
from gateway.store.connection import run
from gateway.store.deliveries import Commit
from gateway.store.history import HISTORY_TTL_S, Carry, Memory, Write
from gateway.store.keys import shard_of
from gateway.store.leases import Lease
from tests.support.queues import ACME, DEAD, GLOBEX, Queues

CHANNEL, THREAD = ConversationId("slack:T0:C0"), ConversationId("slack:T0:C0:1")
ADD, REPLACE, REMOVE = Write.ADD, Write.REPLACE, Write.REMOVE


def _entry(number: int, text: str) -> bytes:
    return json.dumps({"n": number, "text": text}, separators=(",", ":")).encode()


def _memory(
    number: int,
    write: Write = Write.NOTHING,
    *,
    carry: Carry = Carry.NOTHING,
    lists: tuple[ConversationId, ...] = (CHANNEL,),
    text: str = "x",
    keep: int = 5,
) -> Memory:
    return Memory(
        lists=lists,
        name=b'{"n":%d,' % number,
        keep=keep,
        carry=carry,
        write=write,
        entry=_entry(number, text),
    )


def _record(tenant: TenantId) -> AuditRecord:
    return AuditRecord(tenant=tenant, action=AuditAction.EVENT_DROPPED, outcome="dropped")


async def _overhear(queues: Queues, memory: Memory, tenant: TenantId = ACME) -> None:
    await queues.store.drop(_record(tenant), memory)


async def _commit(
    queues: Queues, name: str, memory: Memory | None, *, keys: tuple[str, ...] = ()
) -> Receipt:
    committed = await queues.store.commit(
        Commit(
            tenant=ACME,
            direction=Direction.INBOUND,
            conversation=ConversationId(name),
            deliveries=(NewDelivery(id=DeliveryId(name), payload=b'{"id":"%b"}' % name.encode()),),
            audit=_record(ACME),
            limits=Limits(),
            dedupe_keys=keys,
            memory=memory,
        )
    )
    return committed.receipt


async def _listed(
    queues: Queues, conversation: ConversationId = CHANNEL, tenant: TenantId = ACME
) -> list[bytes]:
    key = f"{shard_of(tenant, 1).tenant(tenant)}hist:{conversation}"
    return list(await run(queues.client, "LRANGE", key, 0, -1))


async def test_what_is_overheard_comes_with_the_next_delivery(queues: Queues, lease: Lease) -> None:
    """Oldest first, behind what the delivery says itself."""
    for number in (1, 2):
        await _overhear(queues, _memory(number, ADD))
    await _commit(queues, "d1", _memory(3, carry=Carry.TAKE))

    [delivery] = await queues.take(lease)
    expected = {"id": "d1", "history": [{"n": 1, "text": "x"}, {"n": 2, "text": "x"}]}
    assert expected == json.loads(delivery.payload)
    assert [("event.dropped", "dropped")] * 2 == (await queues.outcomes())[:2]


async def test_taking_empties_and_copying_leaves(queues: Queues, lease: Lease) -> None:
    """What was missed is brought once, what was said as often as there are deliveries."""
    await _overhear(queues, _memory(1, ADD))
    await _commit(queues, "d1", _memory(2, ADD, carry=Carry.COPY))
    await _commit(queues, "d2", _memory(3, carry=Carry.TAKE))
    await _commit(queues, "d3", _memory(4, carry=Carry.TAKE))

    brought = {
        each.id: [entry["n"] for entry in json.loads(each.payload).get("history", [])]
        for each in await queues.take(lease)
    }
    assert {"d1": [1], "d2": [1, 2], "d3": []} == brought
    assert [] == await _listed(queues)


async def test_without_a_history_the_payload_stays_as_it_was(queues: Queues, lease: Lease) -> None:
    """An empty one is no member at all, whether the tenant wants histories or not."""
    await _commit(queues, "d1", None)
    await _commit(queues, "d2", _memory(1, carry=Carry.TAKE))

    payloads = {each.id: each.payload for each in await queues.take(lease)}
    assert {"d1": b'{"id":"d1"}', "d2": b'{"id":"d2"}'} == payloads


async def test_a_list_keeps_its_last_entries_for_a_day(queues: Queues) -> None:
    """Neither a busy channel nor a forgotten one fills Redis."""
    for number in range(10):
        await _overhear(queues, _memory(number, ADD, keep=3))

    assert [_entry(number, "x") for number in (7, 8, 9)] == await _listed(queues)
    key = f"{shard_of(ACME, 1).tenant(ACME)}hist:{CHANNEL}"
    left_ms = await run(queues.client, "PTTL", key)
    assert 0 < left_ms <= HISTORY_TTL_S * 1000


async def test_a_smaller_bound_holds_at_once(queues: Queues, lease: Lease) -> None:
    """An operator who lowers it does not wait for the lists to be written again."""
    for number in range(4):
        await _overhear(queues, _memory(number, ADD))
    await _commit(queues, "d1", _memory(9, carry=Carry.COPY, keep=2))

    [delivery] = await queues.take(lease)
    assert [2, 3] == [entry["n"] for entry in json.loads(delivery.payload)["history"]]


async def test_a_message_is_changed_and_removed_in_every_list(queues: Queues) -> None:
    """The root of a thread stands in two of them; the others stay as they are."""
    both = (CHANNEL, THREAD)
    for number in (1, 11):
        await _overhear(queues, _memory(number, ADD, lists=both))
    await _overhear(queues, _memory(1, REPLACE, lists=both, text="edited"))
    edited = [_entry(1, "edited"), _entry(11, "x")]
    assert [edited, edited] == [await _listed(queues, each) for each in both]

    await _overhear(queues, _memory(1, REMOVE, lists=both))
    left = [_entry(11, "x")]
    assert [left, left] == [await _listed(queues, each) for each in both]


async def test_what_is_not_remembered_is_not_added_by_its_edit(queues: Queues) -> None:
    """Or an old message would come back at the end, as if it had been said now."""
    await _overhear(queues, _memory(1, REPLACE))
    await _overhear(queues, _memory(1, REMOVE))

    assert [] == await _listed(queues)


async def test_an_event_that_comes_twice_is_remembered_once(queues: Queues) -> None:
    """In its place: platforms send again what they think was lost."""
    for number in (1, 2, 1):
        await _overhear(queues, _memory(number, ADD))

    assert [_entry(1, "x"), _entry(2, "x")] == await _listed(queues)
    assert 3 == len(await queues.audit())


async def test_a_message_is_not_its_own_history(queues: Queues, lease: Lease) -> None:
    """An edit may find in the list what it changes."""
    for number in (1, 2):
        await _overhear(queues, _memory(number, ADD))
    await _commit(queues, "d1", _memory(1, REPLACE, carry=Carry.COPY, text="edited"))

    [delivery] = await queues.take(lease)
    assert [2] == [entry["n"] for entry in json.loads(delivery.payload)["history"]]
    assert [_entry(1, "edited"), _entry(2, "x")] == await _listed(queues)


@pytest.mark.parametrize(
    "memory", [_memory(2, ADD, carry=Carry.COPY), _memory(2, carry=Carry.TAKE)]
)
async def test_a_duplicate_changes_no_history(queues: Queues, memory: Memory) -> None:
    """What it would bring belongs to a delivery that is still to come."""
    await _commit(queues, "d1", None, keys=("k",))
    await _overhear(queues, _memory(1, ADD))

    assert Receipt.DUPLICATE is await _commit(queues, "d2", memory, keys=("k",))
    assert [_entry(1, "x")] == await _listed(queues)


async def test_a_delivery_keeps_its_history_through_its_death(queues: Queues, lease: Lease) -> None:
    """A dead letter that is sent again says what it said at first (law 6)."""
    await _overhear(queues, _memory(1, ADD))
    await _commit(queues, "d1", _memory(2, carry=Carry.TAKE))
    [delivery] = await queues.take(lease)
    await queues.settle(lease, delivery, DEAD)

    letter = await queues.dead.get(ACME, DeliveryId("d1"))
    await queues.dead.replay(letter, actor="test")

    [again] = await queues.take(lease)
    assert delivery.payload == again.payload
    assert [1] == [entry["n"] for entry in json.loads(again.payload)["history"]]


async def test_tenants_share_no_history(queues: Queues) -> None:
    """The same conversation id may mean something to both (law 4)."""
    await _overhear(queues, _memory(1, ADD))
    await _overhear(queues, _memory(2, ADD), GLOBEX)

    assert [_entry(1, "x")] == await _listed(queues)
    assert [_entry(2, "x")] == await _listed(queues, tenant=GLOBEX)
