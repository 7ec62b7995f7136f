"""What became of every request: begun by the commit, told by the settle, forgotten in time."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from gateway.core.audit import AuditAction, AuditRecord
from gateway.core.components import Form, FormField
from gateway.core.deliveries import Direction, NewDelivery, Reason, Receipt
from gateway.core.ids import ConversationId, DeliveryId, MessageId, TenantId
from gateway.core.retry import Dead, Done
from gateway.core.tenants import Limits
from gateway.store import ledger_changes
from gateway.store.connection import run
from gateway.store.deliveries import Commit
from gateway.store.keys import Shard
from gateway.store.leases import EGRESS, Lease
from gateway.store.ledger import Known, Ledger, MessageState, MessageStatus, Sent
from gateway.store.ledger_changes import LedgerChange, Shape
from tests.support.queues import ACME, GLOBEX, Queues, again

HERE = ConversationId("slack:T0ACME:C0AAAA")
MESSAGE, CHANGE = MessageId("msg_aaaa"), MessageId("msg_bbbb")
ONE, TWO = Shape(texts=(1,), last=1), Shape(texts=(1, 2), last=2)


@pytest.fixture
async def lease(queues: Queues) -> Lease:
    """The egress lease of the only shard."""
    return await queues.lease(EGRESS)


@pytest.fixture
def book(queues: Queues) -> Ledger:
    """The ledgers of the only shard."""
    return Ledger(queues.client, 1)


async def _commit(
    queues: Queues,
    *changes: LedgerChange,
    parts: Mapping[MessageId, int] | None = None,
    key: str = "",
    tenant: TenantId = ACME,
    limits: Limits | None = None,
) -> Receipt:
    names = [f"{name}-{part + 1}" for name, count in (parts or {}).items() for part in range(count)]
    committed = await queues.store.commit(
        Commit(
            tenant=tenant,
            direction=Direction.OUTBOUND,
            conversation=HERE,
            deliveries=tuple(NewDelivery(id=DeliveryId(name), payload=b"{}") for name in names),
            audit=AuditRecord(tenant=tenant, action=AuditAction.MESSAGE_SUBMITTED),
            limits=limits or Limits(),
            dedupe_keys=(key,) if key else (),
            dedupe_value="first",
            ledgers=changes,
        )
    )
    return committed.receipt


def _new(message: MessageId = MESSAGE, shape: Shape = ONE) -> LedgerChange:
    fields = ledger_changes.begun(HERE, shape) | ledger_changes.queued(shape.parts)
    return LedgerChange(message=message, fields=fields)


def _reshaped(known: Known | None, shape: Shape) -> LedgerChange:
    assert known is not None
    return LedgerChange(message=MESSAGE, fields=ledger_changes.shaped(shape), expects=known.seen)


async def _status(book: Ledger, message: MessageId = MESSAGE) -> MessageStatus:
    status = await book.status(ACME, message)
    assert status is not None
    return status


async def test_a_commit_begins_it_and_a_settle_tells_its_end(
    queues: Queues, lease: Lease, book: Ledger
) -> None:
    """Queued until the last part has ended; then with the platform's ids."""
    await _commit(queues, _new(shape=TWO), parts={MESSAGE: 2})
    begun = await _status(book)
    [first] = await queues.take(lease)
    await queues.settle(lease, first, Done("17.5"))
    half = await _status(book)
    [second] = await queues.take(lease)
    await queues.settle(lease, second, again())
    waiting = await _status(book)
    [second] = await queues.take(lease)
    await queues.settle(lease, second, Done("17.6", "edits"))

    assert [MessageState.QUEUED] * 3 == [begun.state, half.state, waiting.state]
    assert [[None, None], ["17.5", None]] == [begun.platform_ids, half.platform_ids]
    assert MessageStatus(
        id=MESSAGE,
        conversation=HERE,
        parts=2,
        state=MessageState.SENT,
        platform_ids=["17.5", "17.6"],
        degraded="edits",
    ) == await _status(book)


@pytest.mark.parametrize("in_doubt", [True, False])
async def test_a_part_that_died_says_why(
    queues: Queues, lease: Lease, book: Ledger, *, in_doubt: bool
) -> None:
    """And whether it may have arrived all the same. The detail is cut, also within a character."""
    await _commit(queues, _new(), parts={MESSAGE: 1})
    [delivery] = await queues.take(lease)
    detail = "x" * 199 + "ü" * 200
    dead = Dead(reason=Reason.PLATFORM_REJECTED, detail=detail, uncertain=in_doubt)
    await queues.settle(lease, delivery, dead)

    status = await _status(book)
    assert (MessageState.UNKNOWN if in_doubt else MessageState.FAILED) is status.state
    assert ("platform_rejected", "x" * 199 + "\ufffd") == (status.reason, status.detail)


async def test_a_dead_letter_that_was_replayed_ends_again(
    queues: Queues, lease: Lease, book: Ledger
) -> None:
    """Its new end takes the place of the old one."""
    await _commit(queues, _new(), parts={MESSAGE: 1})
    [delivery] = await queues.take(lease)
    await queues.settle(lease, delivery, Dead(reason=Reason.NOT_INSTALLED, detail=""))
    [letter] = await queues.dead.page(ACME)
    await queues.dead.replay(letter, actor="ann")
    [delivery] = await queues.take(lease)
    await queues.settle(lease, delivery, Done("17.5"))

    status = await _status(book)
    assert (MessageState.SENT, ["17.5"], "") == (
        status.state,
        status.platform_ids,
        status.reason,
    )


async def test_one_part_can_be_asked_for(queues: Queues, lease: Lease, book: Ledger) -> None:
    """What a change of it needs to know: the platform's id, or why there is none."""
    await _commit(queues, _new(shape=TWO), parts={MESSAGE: 2})
    [first] = await queues.take(lease)
    await queues.settle(lease, first, Done("17.5"))

    assert Sent(conversation=HERE, state=MessageState.SENT, id="17.5") == await book.sent(
        ACME, MESSAGE, 1
    )
    assert Sent(conversation=HERE, state=MessageState.QUEUED, id=None) == await book.sent(
        ACME, MESSAGE, 2
    )
    assert None is await book.sent(ACME, CHANGE, 1)


async def test_a_change_is_built_upon_the_shape_it_has_seen(queues: Queues, book: Ledger) -> None:
    """Of two at the same moment one decides anew, and nothing of it is stored."""
    await _commit(queues, _new())
    seen = await book.known(ACME, MESSAGE)
    new = LedgerChange(message=CHANGE, fields=ledger_changes.begun(HERE))

    assert Receipt.ACCEPTED is await _commit(queues, _reshaped(seen, TWO))
    before = await queues.everything()
    late = await _commit(queues, new, _reshaped(seen, ONE), parts={CHANGE: 1}, key="k")

    assert Receipt.MOVED is late
    assert before == await queues.everything()
    now = await book.known(ACME, MESSAGE)
    assert now is not None
    assert (TWO, HERE) == (now.shape, now.conversation)


async def test_a_repeat_is_a_repeat_whatever_has_changed_since(
    queues: Queues, book: Ledger
) -> None:
    """The change that it asks for is what has changed it."""
    await _commit(queues, _new())
    seen = await book.known(ACME, MESSAGE)

    assert Receipt.ACCEPTED is await _commit(queues, _reshaped(seen, TWO), key="k")
    assert Receipt.DUPLICATE is await _commit(queues, _reshaped(seen, TWO), key="k")


async def test_a_full_queue_leaves_the_ledgers_as_they_are(queues: Queues, book: Ledger) -> None:
    """Neither begins one nor changes one nor makes room for one."""
    await _commit(queues, _new(), parts={MESSAGE: 1})
    before = await queues.everything()

    full = await _commit(
        queues,
        LedgerChange(message=CHANGE, fields=ledger_changes.begun(HERE)),
        _reshaped(await book.known(ACME, MESSAGE), TWO),
        parts={CHANGE: 1},
        limits=Limits(max_queued=1),
    )

    assert Receipt.FULL is full
    assert before == await queues.everything()


async def test_what_cannot_be_changed_is_not_known(queues: Queues, book: Ledger) -> None:
    """Changes have a status but no shape, and removed messages have no parts."""
    await _commit(queues, LedgerChange(message=CHANGE, fields=ledger_changes.begun(HERE)))
    await _commit(queues, _new())
    await _commit(queues, _reshaped(await book.known(ACME, MESSAGE), Shape(last=1)))

    assert None is await book.known(ACME, CHANGE)
    assert None is await book.known(ACME, MESSAGE)
    assert (0, MessageState.SENT) == ((await _status(book)).parts, (await _status(book)).state)


async def test_ledgers_are_the_tenants_own(queues: Queues, book: Ledger) -> None:
    """The same id of another tenant's is another one (law 4)."""
    await _commit(queues, _new())
    await _commit(queues, _new(shape=TWO), tenant=GLOBEX)

    mine, theirs = await book.known(ACME, MESSAGE), await book.known(GLOBEX, MESSAGE)
    assert mine is not None
    assert theirs is not None
    assert (ONE, TWO) == (mine.shape, theirs.shape)
    assert None is await book.status(TenantId("initech"), MESSAGE)


async def test_they_are_forgotten_in_time(queues: Queues, lease: Lease, book: Ledger) -> None:
    """A week after the last change; a settle brings none back."""
    key = Shard(0).ledger(ACME, MESSAGE)
    await _commit(queues, _new(), parts={MESSAGE: 1})
    left_ms = await run(queues.client, "PTTL", key)
    await run(queues.client, "DEL", key)
    [delivery] = await queues.take(lease)
    await queues.settle(lease, delivery, Done("17.5"))

    week_ms = ledger_changes.LEDGER_TTL_S * 1000
    assert week_ms - 60_000 < left_ms <= week_ms
    assert None is await book.status(ACME, MESSAGE)
    assert 0 == await run(queues.client, "EXISTS", key)


async def test_the_oldest_makes_room(queues: Queues, book: Ledger) -> None:
    """A tenant has so many of them; a change of an old one makes no new one."""
    await _commit(queues, _new())
    index = Shard(0).ledgers(ACME)
    crowd = ["x"] * (ledger_changes.MOST_LEDGERS - 2)
    await run(queues.client, "RPUSH", index, *crowd)
    await _commit(queues, _reshaped(await book.known(ACME, MESSAGE), TWO))
    await _commit(queues, _new(CHANGE))
    kept = await book.known(ACME, MESSAGE)
    await _commit(queues, _new(MessageId("msg_cccc")))

    assert kept is not None
    assert None is await book.known(ACME, MESSAGE)
    assert await book.known(ACME, CHANGE) is not None
    assert ledger_changes.MOST_LEDGERS == await run(queues.client, "LLEN", index)


async def test_forms_come_back_as_they_were(queues: Queues, book: Ledger) -> None:
    """By message and id."""
    form = Form(id="survey", title="Survey", fields=(FormField(id="why", label="Why?"),))
    change = _new()
    fields = change.fields | ledger_changes.with_forms([form])
    await _commit(queues, LedgerChange(message=MESSAGE, fields=fields))

    assert form == await book.form(ACME, MESSAGE, "survey")
    assert None is await book.form(ACME, MESSAGE, "other")


async def test_a_dead_letter_that_is_sent_again_is_on_its_way(
    queues: Queues, lease: Lease, book: Ledger
) -> None:
    """Until it ends anew; of a part that has been removed meanwhile nobody wants another."""
    fields = ledger_changes.begun(HERE, TWO) | ledger_changes.queued([1, 2])
    await _commit(queues, LedgerChange(message=MESSAGE, fields=fields), parts={MESSAGE: 2})
    for _ in range(2):
        [delivery] = await queues.take(lease)
        await queues.settle(lease, delivery, Dead(reason=Reason.PLATFORM_REJECTED, detail="no"))
    first, second = await queues.dead.page(ACME)

    replayed = await queues.dead.replay(first, actor="ann")
    again_status = await book.status(ACME, MESSAGE)
    shape = ledger_changes.shaped(Shape(texts=(1,), last=2))
    seen = msgspec.json.encode(TWO)
    await _commit(queues, LedgerChange(message=MESSAGE, fields=shape, expects=seen))

    assert replayed
    assert again_status is not None
    assert MessageState.QUEUED is again_status.state
    assert not await queues.dead.replay(second, actor="ann")
    assert [second] == await queues.dead.page(ACME)
