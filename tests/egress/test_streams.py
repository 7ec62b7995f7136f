"""Messages that grow: what people see meanwhile, and that the end of it always arrives."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from gateway.core.audit import AuditAction
from gateway.core.capabilities import Ability
from gateway.core.components import Button, Buttons
from gateway.core.deliveries import Deferred, Delivered, Direction, Permanent, Reason
from gateway.core.errors import QueueFullError
from gateway.core.ids import MessageId
from gateway.core.tenants import Limits
from gateway.egress.desk import Desk
from gateway.egress.requests import Appended, Content, Delete, Edit, Refusal, Submitted
from gateway.store import connection, streams
from gateway.store.keys import shard_of
from gateway.store.ledger import MessageState
from tests.egress.conftest import ACME, ACME_TEAM, GLOBEX, HERE, SHARDS, THERE, Egress
from tests.egress.stage import LOST, REJECTED, Editing, Native, Plain
from tests.support.evidence import account

PART = "A paragraph. " + "word " * 2_200


async def _opened(desk: Desk, *, key: str = "open") -> MessageId:
    result = await desk.streaming.open(ACME, HERE, "U0ANNA", key)
    assert isinstance(result, Submitted)
    return result.id


async def _so_far(desk: Desk, stream: MessageId, text: str) -> Appended | Refusal:
    return await desk.streaming.append(ACME, stream, text=text)


async def _more(desk: Desk, stream: MessageId, delta: str, offset: int) -> Appended | Refusal:
    return await desk.streaming.append(ACME, stream, delta=delta, offset=offset)


async def _finish(
    desk: Desk, stream: MessageId, text: str | None = None, *, key: str = "finish"
) -> Submitted | Refusal:
    content = None if text is None else Content(markdown=text)
    return await desk.streaming.finish(ACME, stream, content, key)


async def _leftovers(egress: Egress) -> list[str]:
    """Keys of open streams."""
    keys = [key.decode() async for key in egress.redis.scan_iter(match="*stream*")]
    return sorted(key for key in keys if ":ledger" not in key)


async def test_a_stream_is_posted_edited_and_finished(egress: Egress) -> None:
    """One message all the time; queued until its end has arrived."""
    stage = Editing()
    desk = egress.desk(stage.outlet())
    outbox = egress.outbox(desk=desk)
    stream = await _opened(desk)
    await egress.work(outbox)
    seen = [dict(stage.seen)]
    for text in ("one", "one **two**"):
        await _so_far(desk, stream, text)
        await egress.work(outbox)
        seen.append(dict(stage.seen))
    open_state = await desk.ledger.status(ACME, stream)

    result = await _finish(desk, stream, "one **two** three")
    await egress.work(outbox)

    assert [{"p1": "…"}, {"p1": "one"}, {"p1": "one **two**"}] == seen
    assert {"p1": "one **two** three"} == stage.seen
    assert isinstance(result, Submitted)
    assert (stream, 1, HERE) == (result.id, result.parts, result.conversation)
    status = await desk.ledger.status(ACME, stream)
    assert open_state is not None
    assert status is not None
    assert (MessageState.QUEUED, ["p1"]) == (open_state.state, open_state.platform_ids)
    assert (MessageState.SENT, ["p1"]) == (status.state, status.platform_ids)
    assert [] == await _leftovers(egress)


async def test_what_came_before_the_post_stands_in_it(egress: Egress) -> None:
    """No placeholder, and no edit for what can be seen already."""
    stage = Editing()
    desk = egress.desk(stage.outlet())
    stream = await _opened(desk)
    await _so_far(desk, stream, "one")
    await _so_far(desk, stream, "one two")

    await egress.work(egress.outbox(desk=desk))

    assert (["send"], {"p1": "one two"}) == (stage.calls, stage.seen)


async def test_appends_are_shown_together(egress: Egress) -> None:
    """However many there are, one preview waits."""
    stage = Editing()
    desk = egress.desk(stage.outlet())
    outbox = egress.outbox(desk=desk)
    stream = await _opened(desk)
    await egress.work(outbox)
    for number in range(20):
        await _more(desk, stream, f"{number % 10}", number)

    assert 1 == len(await egress.stored())
    await egress.work(outbox)

    assert ["send", "edit"] == stage.calls
    assert {"p1": "01234567890123456789"} == stage.seen


async def test_one_stream_is_edited_once_a_second(egress: Egress) -> None:
    """Its end too."""
    stage = Editing()
    desk = egress.desk(stage.outlet())
    outbox = egress.outbox(desk=desk)
    stream = await _opened(desk)
    await egress.work(outbox)
    began_s = egress.clock.now_s

    await _so_far(desk, stream, "one")
    await egress.work(outbox)
    await _so_far(desk, stream, "one two")
    deferred = await egress.work(outbox)
    await _finish(desk, stream)
    await egress.work(outbox)

    assert isinstance(deferred[0][1], Deferred)
    assert 2.0 == pytest.approx(egress.clock.now_s - began_s)
    assert ["send", "edit", "edit", "edit"] == stage.calls


async def test_an_end_does_not_wait_for_the_preview_before_it(egress: Egress) -> None:
    """It takes the preview's moment: a second after the last edit, whatever waited in between."""
    stage = Editing()
    desk = egress.desk(stage.outlet())
    outbox = egress.outbox(desk=desk)
    stream = await _opened(desk)
    await egress.work(outbox)
    await _so_far(desk, stream, "one")
    await egress.work(outbox)
    edited_s = egress.clock.now_s
    await _so_far(desk, stream, "one two")
    [preview] = await egress.taken()
    deferred = await outbox.attempt(preview, None)
    await _finish(desk, stream, "one two three")
    await egress.recover()
    await egress.work(outbox)

    assert isinstance(deferred, Deferred)
    assert 1.0 == pytest.approx(egress.clock.now_s - edited_s)
    assert (["send", "edit", "edit"], {"p1": "one two three"}) == (stage.calls, stage.seen)


@pytest.mark.parametrize("gathered", [True, False])
async def test_a_delta_that_comes_twice_is_taken_once(egress: Egress, *, gathered: bool) -> None:
    """Its answer was lost, or both were on their way at the same moment."""
    desk = egress.desk()
    stream = await _opened(desk)
    await _more(desk, stream, "grüß ", 0)
    repeats = [_more(desk, stream, "Gott", 5) for _ in range(4)]

    results = await asyncio.gather(*repeats) if gathered else [await each for each in repeats]

    assert [Appended(length=9)] * 4 == results
    assert Appended(length=9) == await _more(desk, stream, "grüß ", 0)


@pytest.mark.parametrize(
    ("delta", "offset"), [("x", 2), ("x", 4), ("ab", 2), ("b", 0), ("", 7), ("x", 10**15)]
)
async def test_a_delta_that_does_not_fit_is_refused(
    egress: Egress, delta: str, offset: int
) -> None:
    """Or the text would be another one than the agent thinks."""
    desk = egress.desk()
    stream = await _opened(desk)
    await _more(desk, stream, "abc", 0)

    assert Refusal.OFFSET_MISMATCH is await _more(desk, stream, delta, offset)
    assert Appended(length=3) == await _more(desk, stream, "", 3)


async def test_the_text_so_far_may_replace_what_was_there(egress: Egress) -> None:
    """Agents may change their mind; deltas go on from the new length."""
    stage = Editing()
    desk = egress.desk(stage.outlet())
    stream = await _opened(desk)
    await _so_far(desk, stream, "a first thought")

    assert Appended(length=5) == await _so_far(desk, stream, "other")
    assert Appended(length=6) == await _more(desk, stream, "!", 5)
    await _finish(desk, stream)
    await egress.work(egress.outbox(desk=desk))

    assert {"p1": "other!"} == stage.seen


async def test_a_stream_has_a_longest_text(egress: Egress) -> None:
    """In characters, whatever their bytes; by text and by delta."""
    desk = egress.desk()
    stream = await _opened(desk)
    most = "ü" * streams.MAX_STREAM_CHARS

    assert Refusal.TOO_LONG is await _so_far(desk, stream, most + "ü")
    assert Appended(length=len(most)) == await _so_far(desk, stream, most)
    assert Refusal.TOO_LONG is await _more(desk, stream, "ü", len(most))


@pytest.mark.parametrize("end", ["finish", "abort", "delete"])
async def test_nothing_is_appended_after_the_end(egress: Egress, end: str) -> None:
    """Neither before the end has been shown nor after."""
    stage = Editing()
    desk = egress.desk(stage.outlet())
    stream = await _opened(desk)
    await _so_far(desk, stream, "one")
    if end == "finish":
        await _finish(desk, stream)
    elif end == "abort":
        await desk.streaming.abort(ACME, stream, "abort")
    else:
        await desk.changes.delete(Delete(tenant=ACME, message=stream, idempotency_key="delete"))

    assert Refusal.STREAM_CLOSED is await _so_far(desk, stream, "one two")
    await egress.work(egress.outbox(desk=desk))

    assert Refusal.STREAM_CLOSED is await _more(desk, stream, "!", 3)
    assert Refusal.STREAM_CLOSED is await _finish(desk, stream, "again", key="another")
    assert Refusal.STREAM_CLOSED is await desk.streaming.abort(ACME, stream, "another")
    assert ({"p1": "one"} if end == "finish" else {}) == stage.seen


async def test_an_aborted_stream_leaves_nothing_behind(egress: Egress) -> None:
    """What could be seen of it is removed."""
    stage = Editing()
    desk = egress.desk(stage.outlet())
    outbox = egress.outbox(desk=desk)
    stream = await _opened(desk)
    await _so_far(desk, stream, "one")
    await egress.work(outbox)
    shown = dict(stage.seen)

    result = await desk.streaming.abort(ACME, stream, "abort")
    again = await desk.streaming.abort(ACME, stream, "abort")
    await egress.work(outbox)

    assert ({"p1": "one"}, {}) == (shown, stage.seen)
    assert isinstance(result, Submitted)
    assert msgspec.structs.replace(result, repeated=True) == again
    status = await desk.ledger.status(ACME, result.id)
    of_stream = await desk.ledger.status(ACME, stream)
    assert status is not None
    assert of_stream is not None
    assert (MessageState.SENT, MessageState.SENT, 0) == (
        status.state,
        of_stream.state,
        of_stream.parts,
    )


async def test_a_finish_is_repeated_with_its_first_answer(egress: Egress) -> None:
    """Under its key; the text is part of what it is."""
    desk = egress.desk()
    stream = await _opened(desk)
    first = await _finish(desk, stream, "the end")

    again = await _finish(desk, stream, "the end")

    assert isinstance(first, Submitted)
    assert msgspec.structs.replace(first, repeated=True) == again
    assert Refusal.KEY_REUSED is await _finish(desk, stream, "another end")
    assert stream == await _opened(desk)


async def test_a_long_end_goes_on_in_further_messages(egress: Egress) -> None:
    """While it grows the first part is seen; what people press stands below all of it."""
    stage = Editing()
    desk = egress.desk(stage.outlet())
    outbox = egress.outbox(desk=desk)
    stream = await _opened(desk)
    text, row = "\n\n".join([PART] * 3), Buttons(buttons=(Button(id="ok", label="OK"),))
    await _so_far(desk, stream, text)
    await egress.work(outbox)
    shown = dict(stage.seen)

    content = Content(components=(row,))
    result = await desk.streaming.finish(ACME, stream, content, "finish")
    await egress.work(outbox)

    assert ["p1"] == list(shown)
    assert isinstance(result, Submitted)
    assert 3 == result.parts
    assert text.split() == " ".join(stage.seen.values()).split()
    assert () == stage.edits[-1].components
    assert [(), (row,)] == [each.components for each in stage.posts[1:]]
    status = await desk.ledger.status(ACME, stream)
    assert status is not None
    assert (MessageState.SENT, list(stage.seen)) == (status.state, status.platform_ids)


async def test_a_finished_stream_is_a_message_like_others(egress: Egress) -> None:
    """It can be edited and removed; while it is open it cannot be edited."""
    stage = Editing()
    desk = egress.desk(stage.outlet())
    stream = await _opened(desk)
    content = Content(markdown="edited")
    edit = Edit(tenant=ACME, message=stream, content=content, idempotency_key="edit")
    early = await desk.changes.edit(edit)
    await _finish(desk, stream, "the end")
    late = await desk.changes.edit(edit)
    await egress.work(egress.outbox(desk=desk))

    assert Refusal.UNKNOWN_MESSAGE is early
    assert isinstance(late, Submitted)
    assert {"p1": "edited"} == stage.seen


async def test_an_end_without_a_text_removes_the_placeholder(egress: Egress) -> None:
    """Nobody wants to look at three dots for ever."""
    stage = Editing()
    desk = egress.desk(stage.outlet())
    outbox = egress.outbox(desk=desk)
    stream = await _opened(desk)
    await egress.work(outbox)

    assert isinstance(await _finish(desk, stream), Submitted)
    await egress.work(outbox)

    assert {} == stage.seen


async def test_a_stream_that_ended_before_its_start_is_posted_once(egress: Egress) -> None:
    """The whole of it, without a placeholder that people would see for a moment."""
    stage = Editing()
    desk = egress.desk(stage.outlet())
    stream = await _opened(desk)
    await _finish(desk, stream, "the end")

    await egress.work(egress.outbox(desk=desk))

    assert (["send"], {"p1": "the end"}) == (stage.calls, stage.seen)


async def test_a_start_whose_answer_was_lost_is_looked_up(egress: Egress) -> None:
    """By its marker, as a post is: nothing stands there twice."""
    stage = Editing(faults=[LOST])
    desk = egress.desk(stage.outlet())
    stream = await _opened(desk)
    await egress.work(egress.outbox(desk=desk))
    await _finish(desk, stream, "the end")
    await egress.work(egress.outbox(desk=desk))

    assert ["send", "find", "edit"] == stage.calls
    assert {"p1": "the end"} == stage.seen


async def test_a_start_that_failed_does_not_lose_the_answer(egress: Egress) -> None:
    """The end is posted in its stead."""
    stage = Editing(faults=[REJECTED])
    desk = egress.desk(stage.outlet())
    stream = await _opened(desk)
    await egress.work(egress.outbox(desk=desk))
    await _finish(desk, stream, "the end")
    await egress.work(egress.outbox(desk=desk))

    status = await desk.ledger.status(ACME, stream)
    assert status is not None
    assert ({"p1": "the end"}, MessageState.SENT, ["p1"]) == (
        stage.seen,
        status.state,
        status.platform_ids,
    )


@pytest.mark.parametrize("start", [None, REJECTED])
async def test_an_end_whose_answer_was_lost_stands_there_once(
    egress: Egress, start: object
) -> None:
    """An edit is repeated; a post in the stead of a start that failed is looked up."""
    stage = Editing(faults=[REJECTED if start else None, LOST])
    desk = egress.desk(stage.outlet())
    stream = await _opened(desk)
    await egress.work(egress.outbox(desk=desk))
    await _finish(desk, stream, "the end")

    ends = await egress.work(egress.outbox(desk=desk))

    assert {"p1": "the end"} == stage.seen
    assert Delivered(receipt="p1") == ends[-1][1]


async def test_where_nothing_can_be_looked_up_a_doubt_stays_one(egress: Egress) -> None:
    """Neither start nor end is posted twice."""
    stage = Plain(faults=[LOST])
    desk = egress.desk(stage.outlet())
    stream = await _opened(desk)
    await _finish(desk, stream, "the end")

    ends = await egress.work(egress.outbox(desk=desk))

    assert {"p1": "the end"} == stage.seen
    assert isinstance(ends[-1][1], Permanent)
    assert Reason.OUTCOME_UNKNOWN is ends[-1][1].reason


async def test_a_platform_without_edits_gets_the_end_alone(egress: Egress) -> None:
    """A placeholder would stand there for ever."""
    stage = Plain()
    desk = egress.desk(stage.outlet())
    outbox = egress.outbox(desk=desk)
    stream = await _opened(desk)
    await egress.work(outbox)
    await _so_far(desk, stream, "one")
    await egress.work(outbox)
    await _finish(desk, stream)
    await egress.work(outbox)

    status = await desk.ledger.status(ACME, stream)
    assert status is not None
    assert (["send"], {"p1": "one"}) == (stage.calls, stage.seen)
    assert (MessageState.SENT, Ability.STREAMS) == (status.state, status.degraded)


async def test_previews_that_fail_hold_nobody_up(egress: Egress) -> None:
    """No retry, no dead letter; the next one shows all there is."""
    stage = Editing(faults=[None, REJECTED, LOST])
    desk = egress.desk(stage.outlet())
    outbox = egress.outbox(desk=desk)
    stream = await _opened(desk)
    await egress.work(outbox)
    for text in ("one", "one two", "one two three"):
        await _so_far(desk, stream, text)
        await egress.work(outbox)

    assert ["send", "edit", "edit", "edit"] == stage.calls
    assert {"p1": "one two three"} == stage.seen


async def test_native_streams_are_added_to(egress: Egress) -> None:
    """Piece by piece; the end has the whole text."""
    stage = Native()
    desk = egress.desk(stage.outlet())
    outbox = egress.outbox(desk=desk)
    stream = await _opened(desk)
    await _so_far(desk, stream, "**one")
    await egress.work(outbox)
    await _so_far(desk, stream, "**one** two")
    await egress.work(outbox)
    shown = dict(stage.seen)
    await _finish(desk, stream)
    await egress.work(outbox)

    assert (["start", "append", "finish"], {"s1": "**one** two"}) == (stage.calls, shown)
    assert {"s1": "**one** two"} == stage.seen


@pytest.mark.parametrize("trouble", ["rewritten", "lost"])
async def test_native_streams_show_nothing_twice(egress: Egress, trouble: str) -> None:
    """When what is seen is not how the text begins, the rest waits for the end. What is in doubt is
    set anew.
    """
    stage = Native(faults=[None, LOST if trouble == "lost" else None])
    desk = egress.desk(stage.outlet())
    outbox = egress.outbox(desk=desk)
    stream = await _opened(desk)
    await _so_far(desk, stream, "one")
    await egress.work(outbox)
    await _so_far(desk, stream, "one two" if trouble == "lost" else "another thought")
    await egress.work(outbox)
    await _so_far(desk, stream, "one two three")
    await egress.work(outbox)
    shown = dict(stage.seen)
    await _finish(desk, stream)
    await egress.work(outbox)

    assert {"s1": "one two three" if trouble == "lost" else "one"} == shown
    assert {"s1": "one two three"} == stage.seen


async def test_abandoned_streams_end_with_what_they_have(egress: Egress) -> None:
    """An agent that was restarted leaves no half answer that looks as if more would come."""
    stage = Editing()
    desk = egress.desk(stage.outlet())
    outbox = egress.outbox(desk=desk)
    said, silent, lively = [await _opened(desk, key=str(number)) for number in range(3)]
    await egress.work(outbox)
    await _so_far(desk, said, "half an answ")
    await egress.work(outbox)
    await connection.run(
        egress.redis, "ZADD", shard_of(ACME, SHARDS).streams, 9e15, f"{ACME}\x1f{lively}"
    )

    await desk.sweep.sweep(0.0)
    await desk.sweep.sweep(0.0)
    await egress.work(outbox)

    assert {"p1": "half an answ", "p3": "…"} == stage.seen
    assert Refusal.STREAM_CLOSED is await _so_far(desk, said, "half an answer")
    assert Refusal.STREAM_CLOSED is await _finish(desk, silent, "late")
    assert Appended(length=5) == await _so_far(desk, lively, "there")


async def test_a_stream_that_was_closed_but_not_ended_can_still_be(egress: Egress) -> None:
    """The queue was full at the moment of its end: the agent repeats itself."""
    stage = Editing()
    desk = egress.desk(stage.outlet())
    outbox = egress.outbox(desk=desk)
    stream = await _opened(desk)
    await _so_far(desk, stream, "the whole answer")
    await egress.bind(ACME, ACME_TEAM, token="xoxb-placeholder", limits=Limits(max_queued=2))

    with pytest.raises(QueueFullError):
        await _finish(desk, stream)
    await egress.work(outbox)

    assert isinstance(await _finish(desk, stream), Submitted)
    await egress.work(outbox)
    assert {"p1": "the whole answer"} == stage.seen


async def test_a_tenant_has_so_many_open_streams(egress: Egress) -> None:
    """Their texts are kept in memory; ended ones make room."""
    desk = egress.desk()
    stream, other = await _opened(desk), await _opened(desk, key="other")
    await _so_far(desk, stream, "one")
    own = shard_of(ACME, SHARDS).open_streams(ACME)
    crowd = [f"s{number}" for number in range(streams.MAX_OPEN_STREAMS - 1)]
    await connection.run(egress.redis, "SADD", own, *crowd)

    with pytest.raises(QueueFullError):
        await _so_far(desk, other, "one")
    assert Appended(length=7) == await _so_far(desk, stream, "one two")
    await desk.streaming.abort(ACME, stream, "abort")
    assert Appended(length=3) == await _so_far(desk, other, "one")


async def test_streams_of_others_are_unknown(egress: Egress) -> None:
    """Law 8, for every verb."""
    desk = egress.desk()
    theirs = await desk.streaming.open(GLOBEX, THERE, None, "open")
    assert isinstance(theirs, Submitted)

    assert Refusal.UNKNOWN_CONVERSATION is await desk.streaming.open(ACME, THERE, None, "open")
    assert Refusal.UNKNOWN_MESSAGE is await _so_far(desk, theirs.id, "mine")
    assert Refusal.UNKNOWN_MESSAGE is await _finish(desk, theirs.id, "mine")
    assert Refusal.UNKNOWN_MESSAGE is await desk.streaming.abort(ACME, theirs.id, "abort")


async def test_a_stream_of_a_workspace_that_changed_hands_is_not_shown(egress: Egress) -> None:
    """Not even a preview of it (law 8)."""
    stage = Editing()
    desk = egress.desk(stage.outlet())
    outbox = egress.outbox(desk=desk)
    stream = await _opened(desk)
    await egress.work(outbox)
    await egress.bind(GLOBEX, ACME_TEAM, token="xoxb-placeholder")
    await _so_far(desk, stream, "secret")

    assert Refusal.UNKNOWN_CONVERSATION is await _finish(desk, stream, "secret")
    await egress.work(outbox)

    assert {"p1": "…"} == stage.seen


async def test_the_log_counts_streams_without_their_previews(egress: Egress) -> None:
    """Law 7: a preview is neither accepted nor delivered; start and end are both."""
    stage = Editing(faults=[None, None, REJECTED])
    desk = egress.desk(stage.outlet())
    outbox = egress.outbox(desk=desk)
    stream = await _opened(desk)
    await egress.work(outbox)
    for text in ("one", "one two"):
        await _so_far(desk, stream, text)
        await egress.work(outbox)
    await _finish(desk, stream)
    await egress.work(outbox)

    found = account(await egress.audit(), Direction.OUTBOUND)

    assert (2, 2, 0) == (found.accepted, found.delivered, found.on_its_way)
    assert [
        AuditAction.STREAM_OPENED,
        AuditAction.DELIVERY_DELIVERED,
        AuditAction.STREAM_FINISHED,
        AuditAction.DELIVERY_DELIVERED,
    ] == [each.action for each in await egress.audit()]
