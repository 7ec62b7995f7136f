"""Texts that grow, on one server and on a cluster: appended, shown, closed, forgotten."""

from __future__ import annotations

import pytest

from gateway.core.audit import AuditAction, AuditRecord
from gateway.core.conversations import ConversationRef
from gateway.core.deliveries import Direction
from gateway.core.ids import MessageId, Platform, WorkspaceId
from gateway.core.messages import StreamFlush
from gateway.core.tenants import Limits
from gateway.store import ledger_changes
from gateway.store.deliveries import Commit
from gateway.store.keys import Shard
from gateway.store.leases import EGRESS
from gateway.store.ledger import Known, Ledger
from gateway.store.ledger_changes import LedgerChange, Shape
from gateway.store.streams import Growth, StreamTexts
from tests.support.queues import ACME, Queues

REF = ConversationRef(platform=Platform.SLACK, workspace=WorkspaceId("T0ACME"), channel="C0AAAA")
STREAM = MessageId("msg_aaaa")
OPEN, DONE = Shape(texts=(1,), last=1, streaming=True), Shape(texts=(1,), last=1)


@pytest.fixture
def texts(queues: Queues) -> StreamTexts:
    """Of the only shard."""
    return StreamTexts(queues.client, 1)


async def _shaped(queues: Queues, shape: Shape, expects: bytes | None = None) -> Known:
    fields = ledger_changes.begun(REF.id, shape)
    await queues.store.commit(
        Commit(
            tenant=ACME,
            direction=Direction.OUTBOUND,
            conversation=REF.id,
            deliveries=(),
            audit=AuditRecord(tenant=ACME, action=AuditAction.STREAM_OPENED),
            limits=Limits(),
            ledgers=(LedgerChange(message=STREAM, fields=fields, expects=expects),),
        )
    )
    known = await Ledger(queues.client, 1).known(ACME, STREAM)
    assert known is not None
    return known


async def _append(texts: StreamTexts, known: Known, growth: Growth, name: str = "b") -> int | str:
    flush = StreamFlush(id=MessageId(f"msg_{name * 4}"), conversation=REF, target=STREAM)
    return await texts.append(ACME, known, growth, flush)


async def test_one_preview_waits_until_it_has_been_read(queues: Queues, texts: StreamTexts) -> None:
    """What comes after that queues another one, in the conversation's lane."""
    known = await _shaped(queues, OPEN)
    assert 3 == await _append(texts, known, Growth("one"))
    assert 5 == await _append(texts, known, Growth(", ", 3), "c")
    lease = await queues.lease(EGRESS)
    [preview] = await queues.take(lease)
    progress = await texts.read(ACME, STREAM)
    await texts.shown(ACME, STREAM, progress)
    again = await texts.read(ACME, STREAM)
    await _append(texts, known, Growth("two", 5), "d")
    await queues.settle(lease, preview)

    assert ("msg_bbbb-1", REF.id) == (preview.id, preview.conversation)
    assert ("one, ", True, False) == (progress.text, progress.stale, again.stale)
    assert ["msg_dddd-1"] == [each.id for each in await queues.take(lease)]


async def test_nothing_is_taken_once_it_is_closed_or_its_message_has_ended(
    queues: Queues, texts: StreamTexts
) -> None:
    """By whoever it was; the text is still there until it is dropped."""
    known = await _shaped(queues, OPEN)
    await _append(texts, known, Growth("one"))

    closed = [await texts.close(ACME, STREAM) for _ in range(2)]
    assert [("one", True)] * 2 == [(each.text, each.closed) for each in closed]
    assert "closed" == await _append(texts, known, Growth("one two"))
    await texts.drop(ACME, STREAM)
    assert "" == (await texts.close(ACME, STREAM)).text
    await texts.drop(ACME, STREAM)
    await _shaped(queues, DONE, known.seen)
    assert "closed" == await _append(texts, known, Growth("one two"))


async def test_silent_streams_are_listed_until_they_are_dropped(
    queues: Queues, texts: StreamTexts
) -> None:
    """Those that began, and those to which something was appended."""
    known = await _shaped(queues, OPEN)
    await _append(texts, known, Growth("one"))
    await texts.register(ACME, MessageId("msg_other"))

    assert [] == await texts.abandoned(60.0)
    assert {(ACME, STREAM), (ACME, "msg_other")} == set(await texts.abandoned(0.0))
    await texts.drop(ACME, STREAM)
    assert [(ACME, "msg_other")] == await texts.abandoned(0.0)
    assert set() == await queues.client.smembers(Shard(0).open_streams(ACME))


async def test_what_stands_elsewhere_in_the_text_is_told_from_what_does_not_fit(
    queues: Queues, texts: StreamTexts
) -> None:
    """Offsets are in characters, of which some have several bytes."""
    known = await _shaped(queues, OPEN)
    await _append(texts, known, Growth("grüße 👋 an", 0))

    assert 10 == await _append(texts, known, Growth("👋", 6))
    assert "elsewhere" == await _append(texts, known, Growth("👍", 6))
    assert 14 == await _append(texts, known, Growth("dich", 10))
