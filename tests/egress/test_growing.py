"""Texts that outlive or outgrow one message, and what becomes of them when something goes wrong:
none of it is lost, and none stands there twice.
"""

from __future__ import annotations

import re

import pytest

from gateway.core.conversations import parse_conversation_id
from gateway.core.deliveries import Deferred, Direction, Reason
from gateway.core.errors import (
    BudgetSpentError,
    QueueFullError,
    SendError,
    StreamEndedError,
    StreamRefusedError,
)
from gateway.core.events import EventKind, InboundEvent
from gateway.core.ids import MessageId
from gateway.core.messages import SentRef
from gateway.core.tenants import Credential
from gateway.egress.desk import Desk
from gateway.egress.requests import Appended, Content, Delete, Edit, Refusal, Submitted
from gateway.ingress import Ingress
from gateway.store import connection
from gateway.store.keys import shard_of
from gateway.store.ledger import MessageState
from plugin_bridge.wire import encode
from tests.egress.conftest import ACME, HERE, SHARDS, Egress
from tests.egress.stage import LOST, REJECTED, Native

PARAGRAPHS = [f"Paragraph {number}. " + f"word{number} " * 120 for number in range(12)]
LONG = "\n\n".join(PARAGRAPHS)
RATE_LIMITED = SendError(
    Reason.PLATFORM_RATE_LIMITED, "HTTP 429", retry_after_s=30, holds_lane=False
)


def words(texts: list[str]) -> list[str]:
    """All words that people see, in order."""
    return re.findall(r"\w+\.?", " ".join(texts))


class Scene:
    """A stream of ACME's, on a stage."""

    def __init__(self, egress: Egress, stage: Native, desk: Desk) -> None:
        self.egress = egress
        self.stage = stage
        self.desk = desk
        self.outbox = egress.outbox(desk=desk)
        self.stream = MessageId("")

    async def open(self, key: str = "open") -> None:
        opened = await self.desk.streaming.open(ACME, HERE, "U0ANNA", key)
        assert isinstance(opened, Submitted)
        self.stream = opened.id
        await self.work()

    async def say(self, text: str) -> Appended | Refusal:
        answer = await self.desk.streaming.append(ACME, self.stream, text=text)
        await self.work()
        return answer

    async def finish(self, text: str | None = None, key: str = "finish") -> Submitted | Refusal:
        content = None if text is None else Content(markdown=text)
        answer = await self.desk.streaming.finish(ACME, self.stream, content, key)
        await self.work()
        return answer

    async def work(self) -> list[tuple[str, object]]:
        return list(await self.egress.work(self.outbox))

    @property
    def shown(self) -> list[str]:
        return list(self.stage.seen.values())

    async def state(self) -> MessageState:
        status = await self.desk.ledger.status(ACME, self.stream)
        assert status is not None
        return status.state


def scene(egress: Egress, *faults: SendError | None, lasts_s: float = 240.0) -> Scene:
    """A stage that streams, with what its next calls end with."""
    stage = Native(faults=list(faults))
    stage.stream_lasts_s = lasts_s
    return Scene(egress, stage, egress.desk(stage.outlet()))


async def test_a_long_text_goes_on_in_further_messages(egress: Egress) -> None:
    """Each ends at a seam, rendered; all of them are parts of one message of the agent's."""
    on = scene(egress)
    await on.open()
    for upto in range(1, len(PARAGRAPHS) + 1):
        await on.say("\n\n".join(PARAGRAPHS[:upto]))
        assert words(PARAGRAPHS[:upto]) == words(on.shown)
    await on.finish()

    assert words([LONG]) == words(on.shown)
    assert len(on.shown) > 2
    assert all(len(text) <= 3_900 for text in on.shown)
    assert not on.stage.growing
    status = await on.desk.ledger.status(ACME, on.stream)
    assert status is not None
    assert (MessageState.SENT, list(on.stage.seen)) == (status.state, status.platform_ids)


async def test_all_of_it_at_once_is_shown_as_well(egress: Egress) -> None:
    """Message by message, also when it was there before the first of them."""
    on = scene(egress)
    opened = await on.desk.streaming.open(ACME, HERE, "U0ANNA", "open")
    assert isinstance(opened, Submitted)
    on.stream = opened.id
    await on.say(LONG)

    assert words([LONG]) == words(on.shown)
    await on.finish(LONG + "\n\nThe end.")
    assert words([LONG, "The end."]) == words(on.shown)


async def test_an_old_message_is_ended_before_the_platform_does(egress: Egress) -> None:
    """What comes then stands in another; not a word is there twice."""
    on = scene(egress, lasts_s=0.0)
    opened = await on.desk.streaming.open(ACME, HERE, "U0ANNA", "open")
    assert isinstance(opened, Submitted)
    on.stream, text = opened.id, ""
    for number in range(6):
        text += f"sentence{number} and more. "
        await on.say(text)
        assert words([text]) == words(on.shown)
    await on.finish()

    assert words([text]) == words(on.shown)
    assert 1 < len(on.shown) <= 6
    assert not on.stage.growing


async def test_code_that_is_cut_is_code_in_both_messages(egress: Egress) -> None:
    """Each has fences of its own."""
    on = scene(egress)
    await on.open()
    lines = [f"line_{number} = {number}" for number in range(300)]
    text = "\n".join(["```python", *lines, "```"])
    await on.say(text)
    await on.finish()

    assert len(on.shown) > 1
    assert [2] * len(on.shown) == [each.count("```") for each in on.shown]
    assert lines == [line for each in on.shown for line in each.split("\n") if "line_" in line]


@pytest.mark.parametrize("how", ["edit", "delete", "abort"])
async def test_what_went_on_in_further_messages_is_one_message(egress: Egress, how: str) -> None:
    """All of it is changed or removed."""
    on = scene(egress)
    await on.open()
    await on.say(LONG)
    assert len(on.shown) > 2
    if how == "abort":
        await on.desk.streaming.abort(ACME, on.stream, "abort")
    else:
        await on.finish()
    if how == "delete":
        delete = Delete(tenant=ACME, message=on.stream, idempotency_key="delete")
        await on.desk.changes.delete(delete)
    if how == "edit":
        content = Content(markdown="short now")
        edit = Edit(tenant=ACME, message=on.stream, content=content, idempotency_key="edit")
        await on.desk.changes.edit(edit)
    await on.work()

    assert (["short now"] if how == "edit" else []) == on.shown


@pytest.mark.parametrize("when", ["meanwhile", "at the end"])
async def test_a_text_that_was_rewritten_is_right_at_its_end(egress: Egress, when: str) -> None:
    """The messages that stood are of no use any more, but for the first."""
    on = scene(egress)
    await on.open()
    await on.say(LONG)
    assert len(on.shown) > 2
    other = LONG.replace("Paragraph", "Section")
    if when == "meanwhile":
        await on.say(other)
        assert words([LONG]) == words(on.shown)
    await on.finish(None if when == "meanwhile" else other)

    assert words([other]) == words(on.shown)
    assert not on.stage.growing
    assert MessageState.SENT is await on.state()


async def test_a_short_end_of_a_long_text_is_all_there_is(egress: Egress) -> None:
    """The agent thought better of it."""
    on = scene(egress)
    await on.open()
    await on.say(LONG)
    await on.finish("Never mind.")

    assert ["Never mind."] == on.shown


@pytest.mark.parametrize("call", ["stop", "start"])
@pytest.mark.parametrize("fault", [LOST, REJECTED, RATE_LIMITED])
async def test_a_change_of_messages_that_fails_loses_nothing(
    egress: Egress, call: str, fault: SendError
) -> None:
    """What was about to be done is done with the next preview, or at the end; once."""
    on = scene(egress)
    await on.open()
    await on.say(PARAGRAPHS[0])
    # The next calls: the end of the first message, and the begin of the second.
    on.stage.faults = [fault] if call == "stop" else [None, fault]
    await on.say(LONG)
    await on.say(LONG + "\n\nMore.")
    shown = words(on.shown)
    assert words([LONG, "More."])[: len(shown)] == shown
    await on.finish()

    assert words([LONG, "More."]) == words(on.shown)
    assert not on.stage.growing


@pytest.mark.parametrize("call", ["stop", "start"])
async def test_an_end_right_after_such_a_failure_is_whole(egress: Egress, call: str) -> None:
    """No preview came in between."""
    on = scene(egress)
    await on.open()
    await on.say(PARAGRAPHS[0])
    on.stage.faults = [LOST] if call == "stop" else [None, LOST]
    await on.say(LONG)
    await on.finish()

    assert words([LONG]) == words(on.shown)
    assert not on.stage.growing


async def test_where_no_further_message_may_grow_it_is_posted_and_edited(egress: Egress) -> None:
    """The budget of beginnings is spent."""
    on = scene(egress)
    await on.open()
    await on.say(PARAGRAPHS[0])
    on.stage.faults = [None, StreamRefusedError("the budget is spent")]
    await on.say("\n\n".join(PARAGRAPHS[:6]))
    await on.say("\n\n".join(PARAGRAPHS[:7]))
    shown, calls = on.shown, on.stage.calls[-2:]
    await on.finish()

    assert words(PARAGRAPHS[:7]) == words(shown) == words(on.shown)
    assert ["send", "edit"] == calls
    assert not on.stage.growing


async def test_where_none_may_grow_at_all_it_is_posted_and_edited(egress: Egress) -> None:
    """As on platforms that know no streams."""
    on = scene(egress, StreamRefusedError("outside of threads"))
    await on.open()
    await on.say("one")
    await on.say("one **two**")
    shown = on.shown
    await on.finish()

    assert ["one **two**"] == shown == on.shown
    assert ["start", "send", "edit", "edit", "edit"] == on.stage.calls


async def test_where_not_even_edits_may_be_shown_its_end_is_posted(egress: Egress) -> None:
    """All at once, and the agent is told that it was no stream."""
    on = scene(egress, StreamRefusedError("the budget is spent", may_edit=False))
    await on.open()
    await on.say("one")
    await on.finish("one two")

    assert (["start", "send"], ["one two"]) == (on.stage.calls, on.shown)
    status = await on.desk.ledger.status(ACME, on.stream)
    assert status is not None
    assert "streams" == status.degraded


@pytest.mark.parametrize("fault", [LOST, REJECTED, StreamEndedError("it ended by itself")])
async def test_what_cannot_be_added_is_shown_by_edits(egress: Egress, fault: SendError) -> None:
    """What is seen is set anew, whatever had come through; and it goes on like that."""
    on = scene(egress)
    await on.open()
    await on.say("one")
    on.stage.faults = [fault]
    await on.say("one two")
    await on.say("one two *three*")
    await on.say("one two *three* four")
    shown = on.shown
    await on.finish()

    assert ["one two *three* four"] == shown == on.shown
    assert not on.stage.growing


@pytest.mark.parametrize("wait_s", [0.5, 60.0])
async def test_a_preview_that_must_wait_holds_nothing_up_for_long(
    egress: Egress, wait_s: float
) -> None:
    """The end of the same text stands behind it."""
    on = scene(egress)
    await on.open()
    await on.say("one")
    on.stage.faults = [BudgetSpentError("chat.appendStream", wait_s)]
    await on.desk.streaming.append(ACME, on.stream, text="one two")
    ends = [end for _, end in await on.work()]

    waits_s = [end.after_s for end in ends if isinstance(end, Deferred)]
    assert min(wait_s, 3.0) in waits_s
    assert max(waits_s) <= 3.0
    assert ["one two"] == on.shown


async def test_a_begin_in_doubt_is_looked_up_among_those_that_are_not_known(
    egress: Egress,
) -> None:
    """Another answer grows in the same thread, and is none of it."""
    on = scene(egress)
    await on.open("first")
    first = on.stream
    await on.say("the first")
    on.stage.faults = [LOST]
    await on.open("second")
    await on.say("the second")
    await on.finish(key="of the second")
    on.stream = first
    await on.finish(key="of the first")

    assert ["the first", "the second"] == on.shown
    assert 2 == on.stage.calls.count("start")


async def test_a_begin_that_never_happened_is_begun(egress: Egress) -> None:
    """Although another one grows there."""
    on = scene(egress)
    await on.open("first")
    on.stage.faults = [SendError(Reason.PLATFORM_UNREACHABLE, "no connection")]
    await on.open("second")
    await on.say("the second")

    assert ["", "the second"] == on.shown


async def test_a_preview_that_was_cut_off_is_not_shown_twice(egress: Egress) -> None:
    """A worker died with it: what it had shown, nobody knows."""
    on = scene(egress)
    await on.open()
    await on.say("one")
    await on.desk.streaming.append(ACME, on.stream, text="one two")
    [flush] = await egress.taken()
    await on.stage.append(_ref(on), " two", Credential(bot_token="xoxb-placeholder"))
    await egress.recover()
    await on.work()

    assert flush.id.startswith("msg_")
    assert ["one two"] == on.shown
    assert not on.stage.growing


async def test_previews_take_turns(egress: Egress) -> None:
    """Five answers of one workspace share what it allows, none of them more than another."""
    on = scene(egress)
    streams = []
    for number in range(5):
        await on.open(str(number))
        streams.append(on.stream)
    for stream in streams:
        await on.desk.streaming.append(ACME, stream, text="one")
    started_s = egress.clock.now_s
    await on.work()

    assert ["one"] * 5 == on.shown
    assert egress.clock.now_s - started_s >= 4 * 0.5


def _ref(on: Scene) -> SentRef:
    [growing] = on.stage.growing
    return SentRef(conversation=parse_conversation_id(HERE), id=growing)


# -- a user has had enough ------------------------------------------------------------------------


async def _inbound(egress: Egress) -> list[bytes]:
    queue = shard_of(ACME, SHARDS).queue(ACME, Direction.INBOUND)
    found = await connection.run(egress.redis, "XRANGE", queue, "-", "+")
    return [fields[b"p"] for _, fields in found]


def _ingress(egress: Egress) -> Ingress:
    return Ingress(egress.lookup, egress.store, encode, egress.metrics)


async def test_a_user_who_stops_an_answer_is_obeyed(egress: Egress) -> None:
    """The agent is told; nothing more is shown, and nothing more is taken."""
    heard: list[InboundEvent] = []

    async def hear(event: InboundEvent) -> None:
        heard.append(event)

    stage = Native()
    on = Scene(egress, stage, egress.desk(stage.outlet(), hear=hear))
    await on.open()
    await on.say("one")
    on.stage.faults = [StreamEndedError("stopped", by_user=True)]
    await on.say("one two")
    late = await on.say("one two three")
    finished = await on.finish("one two three four")

    assert [(EventKind.AGENT_STOPPED, HERE, "U0ANNA")] == [
        (each.kind, each.conversation.id, each.sender.id) for each in heard
    ]
    assert (Refusal.STREAM_CLOSED, Refusal.STREAM_CLOSED) == (late, finished)
    assert ["one"] == on.shown
    assert MessageState.SENT is await on.state()


async def test_a_stop_that_comes_with_the_end_is_told_too(egress: Egress) -> None:
    """What was seen then is what stays."""
    heard: list[InboundEvent] = []

    async def hear(event: InboundEvent) -> None:
        heard.append(event)

    stage = Native()
    on = Scene(egress, stage, egress.desk(stage.outlet(), hear=hear))
    await on.open()
    await on.say("one")
    on.stage.faults = [StreamEndedError("stopped", by_user=True)]
    await on.finish("one two")

    assert ([EventKind.AGENT_STOPPED], ["one"]) == ([each.kind for each in heard], on.shown)
    assert MessageState.SENT is await on.state()


async def test_a_stop_goes_the_way_of_all_events_once(egress: Egress) -> None:
    """Into the tenant's queue, with a record; what the platform tells of it as well is the same."""
    ingress = _ingress(egress)
    stage = Native()
    on = Scene(egress, stage, egress.desk(stage.outlet(), hear=ingress.accept))
    await on.open()
    await on.say("one")
    on.stage.faults = [StreamEndedError("stopped", by_user=True)]
    await on.say("one two")
    await ingress.accept(stage.stopped(_ref(on), "U0ANNA"))

    [event] = await _inbound(egress)
    assert b'"agent.stopped"' in event


async def test_an_agent_that_cannot_be_told_now_is_told_later(egress: Egress) -> None:
    """Its queue was full for a moment."""
    heard: list[InboundEvent] = []

    async def hear(event: InboundEvent) -> None:
        heard.append(event)
        if len(heard) == 1:
            raise QueueFullError("full")

    stage = Native()
    on = Scene(egress, stage, egress.desk(stage.outlet(), hear=hear))
    await on.open()
    await on.say("one")
    on.stage.faults = [StreamEndedError("stopped", by_user=True)]
    await on.say("one two")

    assert 2 == len(heard)
    assert MessageState.SENT is await on.state()
