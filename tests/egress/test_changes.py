"""Edits, deletions and reactions, from the agent's request to what people see."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from gateway.core.audit import AuditAction
from gateway.core.capabilities import Ability
from gateway.core.components import Button, Buttons
from gateway.core.deliveries import Deferred, Delivered, Direction, Permanent, Reason
from gateway.core.errors import QueueFullError, SendError
from gateway.core.ids import MessageId, TenantId
from gateway.core.tenants import Limits
from gateway.egress.desk import Desk
from gateway.egress.requests import Content, Delete, Edit, React, Refusal, Submitted
from gateway.store.deadletters import DeadLetterStore
from gateway.store.ledger import MessageState
from tests.egress.conftest import ACME, ACME_TEAM, GLOBEX, HERE, SHARDS, THERE, Egress
from tests.egress.stage import LOST, REJECTED, Editing, Plain
from tests.support.evidence import account

ONE_PART = "A paragraph. " + "word " * 2_200
TWO_PARTS, THREE_PARTS = "\n\n".join([ONE_PART] * 2), "\n\n".join([ONE_PART] * 3)


async def _said(egress: Egress, text: str = "hello", *, key: str = "said") -> MessageId:
    result = await egress.say(text, key=key)
    assert isinstance(result, Submitted)
    return result.id


def _edit(message: MessageId, text: str, *, key: str = "e", tenant: TenantId = ACME) -> Edit:
    content = Content(markdown=text)
    return Edit(tenant=tenant, message=message, content=content, idempotency_key=key)


def _delete(message: MessageId, *, key: str = "d", tenant: TenantId = ACME) -> Delete:
    return Delete(tenant=tenant, message=message, idempotency_key=key)


def _react(target: str, *, to: str | None = None, remove: bool = False, key: str = "r") -> React:
    return React(
        tenant=ACME,
        conversation=to,
        target=target,
        emoji="👍",
        remove=remove,
        idempotency_key=key,
    )


async def _state(desk: Desk, result: Submitted | Refusal) -> MessageState:
    assert isinstance(result, Submitted)
    status = await desk.ledger.status(ACME, result.id)
    assert status is not None
    return status.state


async def test_an_edit_replaces_what_was_posted(egress: Egress) -> None:
    """The platform's id is the one that the post brought; the edit has an id and a status."""
    stage, desk = Editing(), egress.desk()
    message = await _said(egress)

    result = await desk.changes.edit(_edit(message, "**other**"))
    before = await _state(desk, result)
    await egress.work(egress.outbox(stage.outlet()))

    assert {"p1": "**other**"} == stage.seen
    assert (MessageState.QUEUED, MessageState.SENT) == (before, await _state(desk, result))
    status = await desk.ledger.status(ACME, message)
    assert status is not None
    assert (1, ["p1"]) == (status.parts, status.platform_ids)


@pytest.mark.parametrize(
    ("texts", "counts"),
    [
        ((ONE_PART, THREE_PARTS), (1, 3)),
        ((THREE_PARTS, ONE_PART), (3, 1)),
        ((TWO_PARTS, ONE_PART, THREE_PARTS, "end"), (2, 1, 3, 1)),
    ],
)
async def test_an_edit_makes_as_many_parts_as_its_text_needs(
    egress: Egress, texts: tuple[str, ...], counts: tuple[int, ...]
) -> None:
    """Further ones are posted, surplus ones removed, however often; no name is used twice."""
    stage, desk = Editing(), egress.desk()
    message = await _said(egress, texts[0])
    for number, (text, count) in enumerate(zip(texts[1:], counts[1:], strict=True)):
        await egress.work(egress.outbox(stage.outlet()))
        assert counts[number] == len(stage.seen)
        assert isinstance(
            await desk.changes.edit(_edit(message, text, key=f"e{number}")), Submitted
        )
        status = await desk.ledger.status(ACME, message)
        assert status is not None
        assert count == status.parts
    await egress.work(egress.outbox(stage.outlet()))

    assert texts[-1].split() == " ".join(stage.seen.values()).split()
    status = await desk.ledger.status(ACME, message)
    assert status is not None
    assert (MessageState.SENT, list(stage.seen)) == (status.state, status.platform_ids)
    assert len(stage.markers) == len(stage.posts)


async def test_edits_before_the_post_keep_their_order(egress: Egress) -> None:
    """Asked for while nothing has been posted: one lane, one order, the last one stands."""
    stage, desk = Editing(), egress.desk()
    message = await _said(egress)
    edits = [_edit(message, f"text {number}", key=f"e{number}") for number in range(3)]
    for edit in edits:
        await desk.changes.edit(edit)

    await egress.work(egress.outbox(stage.outlet()))

    assert {"p1": "text 2"} == stage.seen
    assert ["text 0", "text 1", "text 2"] == [each.text for each in stage.edits]


async def test_edits_at_the_same_moment_never_lose_a_part(egress: Egress) -> None:
    """Each is built upon the shape that the one before has left."""
    stage, desk = Editing(), egress.desk()
    message = await _said(egress, TWO_PARTS)
    texts = [ONE_PART, THREE_PARTS, "short", TWO_PARTS]
    edits = [_edit(message, text, key=f"e{number}") for number, text in enumerate(texts)]

    results = await asyncio.gather(*(desk.changes.edit(each) for each in edits))
    await egress.work(egress.outbox(stage.outlet()))

    assert [] == [each for each in results if isinstance(each, Refusal)]
    status = await desk.ledger.status(ACME, message)
    assert status is not None
    assert list(stage.seen) == status.platform_ids
    assert " ".join(stage.seen.values()).split() in [text.split() for text in texts]


async def test_a_repeated_change_is_done_once(egress: Egress) -> None:
    """The first answer, also where the change itself has made a second one impossible."""
    desk = egress.desk()
    message = await _said(egress)

    first = await desk.changes.edit(_edit(message, THREE_PARTS))
    again = await desk.changes.edit(_edit(message, THREE_PARTS))
    gone = await desk.changes.delete(_delete(message))
    gone_again = await desk.changes.delete(_delete(message))
    late = await desk.changes.edit(_edit(message, THREE_PARTS))

    assert isinstance(first, Submitted)
    assert isinstance(gone, Submitted)
    assert msgspec.structs.replace(first, repeated=True) == again == late
    assert msgspec.structs.replace(gone, repeated=True) == gone_again
    assert 1 + 3 + 3 == len(await egress.stored())


async def test_a_key_stands_for_one_kind_of_request(egress: Egress) -> None:
    """The same key for a message, an edit and a deletion is a mistake of the agent's."""
    desk = egress.desk()
    message = await _said(egress, key="k")

    assert Refusal.KEY_REUSED is await desk.changes.edit(_edit(message, "other", key="k"))
    assert Refusal.KEY_REUSED is await desk.changes.delete(_delete(message, key="k"))
    assert Refusal.KEY_REUSED is await desk.changes.react(_react(message, key="k"))
    assert Refusal.KEY_REUSED is await desk.streaming.open(ACME, HERE, None, "k")
    assert 1 == len(await egress.stored())


async def test_a_deleted_message_is_gone_in_all_its_parts(egress: Egress) -> None:
    """And can be neither edited, deleted nor reacted to any more."""
    stage, desk = Editing(), egress.desk()
    message = await _said(egress, THREE_PARTS)
    await egress.work(egress.outbox(stage.outlet()))

    result = await desk.changes.delete(_delete(message))
    await egress.work(egress.outbox(stage.outlet()))

    assert {} == stage.seen
    assert MessageState.SENT is await _state(desk, result)
    assert Refusal.UNKNOWN_MESSAGE is await desk.changes.edit(_edit(message, "other"))
    assert Refusal.UNKNOWN_MESSAGE is await desk.changes.delete(_delete(message, key="d2"))
    assert Refusal.UNKNOWN_MESSAGE is await desk.changes.react(_react(message))


async def test_messages_of_others_are_unknown(egress: Egress) -> None:
    """Law 8: neither told of nor touched, by whatever id."""
    desk = egress.desk()
    theirs = await egress.say("theirs", tenant=GLOBEX, to=THERE)
    assert isinstance(theirs, Submitted)

    assert Refusal.UNKNOWN_MESSAGE is await desk.changes.edit(_edit(theirs.id, "mine"))
    assert Refusal.UNKNOWN_MESSAGE is await desk.changes.delete(_delete(theirs.id))
    assert Refusal.UNKNOWN_MESSAGE is await desk.changes.react(_react(theirs.id))
    assert None is await desk.ledger.status(ACME, theirs.id)
    assert Refusal.UNKNOWN_CONVERSATION is await desk.changes.react(_react("17.5", to=THERE))
    assert [] == await egress.stored()
    assert 1.0 == egress.metric("isolation_violations_total")


async def test_a_workspace_that_changed_hands_takes_its_messages_along(egress: Egress) -> None:
    """Whoever wrote them: they stand in somebody else's workspace now."""
    desk = egress.desk()
    message = await _said(egress)
    await egress.bind(GLOBEX, ACME_TEAM, token="xoxb-placeholder")

    assert Refusal.UNKNOWN_CONVERSATION is await desk.changes.edit(_edit(message, "other"))
    assert Refusal.UNKNOWN_CONVERSATION is await desk.changes.delete(_delete(message))
    assert Refusal.UNKNOWN_CONVERSATION is await desk.changes.react(_react(message))
    assert 1 == len(await egress.stored())


async def test_a_change_is_no_message(egress: Egress) -> None:
    """The id of an edit has a status, and nothing that could be edited."""
    desk = egress.desk()
    edited = await desk.changes.edit(_edit(await _said(egress), "other"))
    assert isinstance(edited, Submitted)

    assert Refusal.UNKNOWN_MESSAGE is await desk.changes.edit(_edit(edited.id, "x", key="e2"))
    assert Refusal.UNKNOWN_MESSAGE is await desk.changes.react(_react(edited.id))


@pytest.mark.parametrize("message", ["", "msg_", "msg_" + "0" * 24, "*", "a:b", "msg_\x1f"])
async def test_an_id_that_nobody_has_is_unknown(egress: Egress, message: str) -> None:
    """Whatever stands in it."""
    desk = egress.desk()

    assert Refusal.UNKNOWN_MESSAGE is await desk.changes.edit(_edit(MessageId(message), "x"))
    assert Refusal.UNKNOWN_MESSAGE is await desk.changes.delete(_delete(MessageId(message)))
    assert None is await desk.ledger.status(ACME, MessageId(message))


async def test_a_blank_edit_is_refused(egress: Egress) -> None:
    """To remove a message is another request."""
    message = await _said(egress)

    assert Refusal.BLANK_TEXT is await egress.desk().changes.edit(_edit(message, " \n"))


async def test_reactions_reach_own_messages_and_those_of_people(egress: Egress) -> None:
    """Own ones by the gateway's id, all others by the platform's and their conversation."""
    stage, desk = Editing(), egress.desk()
    message = await _said(egress)

    for number, react in enumerate(
        [
            _react(message, key="1"),
            _react(message, to=HERE, remove=True, key="2"),
            _react("1700000000.000100", to=HERE, key="3"),
        ]
    ):
        assert isinstance(await desk.changes.react(react), Submitted), number
    await egress.work(egress.outbox(stage.outlet()))

    assert ["send", "react 👍 p1", "unreact 👍 p1", "react 👍 1700000000.000100"] == stage.calls


async def test_a_reaction_needs_to_know_where(egress: Egress) -> None:
    """The platform's ids mean nothing without a conversation, the gateway's none but their own."""
    desk, message = egress.desk(), await _said(egress)
    elsewhere = f"slack:{ACME_TEAM}:C0BBBB"

    assert Refusal.UNKNOWN_CONVERSATION is await desk.changes.react(_react("17.5"))
    assert Refusal.UNKNOWN_MESSAGE is await desk.changes.react(_react(message, to=elsewhere))


async def test_changes_are_repeated_blindly_after_a_lost_answer(egress: Egress) -> None:
    """They do no harm twice, so nothing is looked up."""
    stage, desk = Editing(), egress.desk()
    message = await _said(egress)
    await desk.changes.edit(_edit(message, "other"))
    await desk.changes.react(_react(message))
    await desk.changes.delete(_delete(message))
    stage.faults = [None, LOST, None, LOST, None, LOST]

    ends = await egress.work(egress.outbox(stage.outlet()))

    assert ["send", "edit", "edit", "react 👍 p1", "react 👍 p1", "delete", "delete"] == stage.calls
    assert {} == stage.seen
    assert Delivered(receipt="p1") == ends[-1][1]


async def test_what_a_platform_lacks_is_left_out_silently(egress: Egress) -> None:
    """Delivered, and noted for the agent that asks."""
    stage, desk = Plain(), egress.desk()
    message = await _said(egress)
    requests = {
        Ability.EDITS: await desk.changes.edit(_edit(message, "other")),
        Ability.REACTIONS: await desk.changes.react(_react(message)),
        Ability.DELETES: await desk.changes.delete(_delete(message)),
    }

    await egress.work(egress.outbox(stage.outlet()))

    assert {"p1": "hello"} == stage.seen
    for ability, result in requests.items():
        assert isinstance(result, Submitted)
        status = await desk.ledger.status(ACME, result.id)
        assert status is not None
        assert (MessageState.SENT, ability) == (status.state, status.degraded)


async def test_changes_of_what_was_never_posted_die(egress: Egress) -> None:
    """There is nothing to change, and a person may replay both."""
    stage, desk = Editing(faults=[REJECTED]), egress.desk()
    message = await _said(egress)
    result = await desk.changes.edit(_edit(message, "other"))

    [_, (_, end)] = await egress.work(egress.outbox(stage.outlet()))

    assert isinstance(end, Permanent)
    assert Reason.TARGET_MISSING is end.reason
    status = await desk.ledger.status(ACME, message)
    assert status is not None
    assert (MessageState.FAILED, "platform_rejected", "channel_not_found") == (
        status.state,
        status.reason,
        status.detail,
    )
    assert MessageState.FAILED is await _state(desk, result)


async def test_what_may_or_may_not_have_been_posted_is_unknown(egress: Egress) -> None:
    """The platform cannot be asked: a person decides."""
    stage, desk = Plain(faults=[LOST]), egress.desk()
    message = await _said(egress)

    await egress.work(egress.outbox(stage.outlet()))

    status = await desk.ledger.status(ACME, message)
    assert status is not None
    assert (MessageState.UNKNOWN, "outcome_unknown", [None]) == (
        status.state,
        status.reason,
        status.platform_ids,
    )


async def test_one_message_is_edited_once_a_second(egress: Egress) -> None:
    """Another message meanwhile; the wait is a deferral."""
    stage, desk = Editing(), egress.desk()
    message = await _said(egress)
    for number in range(3):
        await desk.changes.edit(_edit(message, f"text {number}", key=f"e{number}"))
    began_s = egress.clock.now_s

    ends = await egress.work(egress.outbox(stage.outlet()))

    assert 2.0 == pytest.approx(egress.clock.now_s - began_s)
    assert 2 == len([end for _, end in ends if isinstance(end, Deferred)])


async def test_a_rate_limited_edit_holds_its_message_alone(egress: Egress) -> None:
    """Posts into the channel go on."""
    limited = SendError(Reason.PLATFORM_RATE_LIMITED, "HTTP 429", retry_after_s=7.0)
    stage, desk = Editing(faults=[None, limited]), egress.desk()
    message = await _said(egress)
    await desk.changes.edit(_edit(message, "other"))
    await egress.work(egress.outbox(stage.outlet()))

    assert {"p1": "other"} == stage.seen
    assert ["send", "edit", "edit"] == stage.calls


async def test_buttons_stand_below_all_of_the_text(egress: Egress) -> None:
    """Of the last part, also when an edit has made it another one."""
    stage, desk = Editing(), egress.desk()
    message = await _said(egress, TWO_PARTS)
    row = Buttons(buttons=(Button(id="ok", label="OK"),))
    edit = Edit(
        tenant=ACME,
        message=message,
        content=Content(markdown=THREE_PARTS, components=(row,)),
        idempotency_key="e",
    )

    await desk.changes.edit(edit)
    await egress.work(egress.outbox(stage.outlet()))

    assert [(), ()] == [each.components for each in stage.edits]
    assert [(), (), (row,)] == [each.components for each in stage.posts]


async def test_a_full_queue_stores_no_change(egress: Egress) -> None:
    """Not even that it was asked for: the same key may be tried again."""
    desk, message = egress.desk(), await _said(egress)
    await egress.bind(ACME, ACME_TEAM, token="xoxb-placeholder", limits=Limits(max_queued=1))

    with pytest.raises(QueueFullError):
        await desk.changes.edit(_edit(message, "other"))
    assert Refusal.TOO_LONG is await desk.changes.edit(_edit(message, THREE_PARTS))

    await egress.work(egress.outbox(Editing().outlet()))
    assert isinstance(await desk.changes.edit(_edit(message, "other")), Submitted)


async def test_the_log_counts_every_act(egress: Egress) -> None:
    """Law 7 over posts, edits, deletions and reactions, by the audit log alone."""
    stage, desk = Editing(faults=[None, None, None, REJECTED]), egress.desk()
    message = await _said(egress, TWO_PARTS)
    await desk.changes.edit(_edit(message, THREE_PARTS))
    await desk.changes.react(_react(message))
    await desk.changes.delete(_delete(message))
    waiting = account(await egress.audit(), Direction.OUTBOUND)
    await egress.work(egress.outbox(stage.outlet()))

    found = account(await egress.audit(), Direction.OUTBOUND)

    assert 2 + 3 + 1 + 3 == waiting.accepted == waiting.on_its_way
    assert (9, 0) == (found.accepted, found.on_its_way)
    assert found.dead >= 1
    actions = {each.action for each in await egress.audit()}
    assert {
        AuditAction.MESSAGE_EDITED,
        AuditAction.MESSAGE_DELETED,
        AuditAction.REACTION_CHANGED,
    } <= actions


async def test_an_edit_that_failed_is_not_put_over_a_newer_one(egress: Egress) -> None:
    """Sent again by an operator, the older of two would be seen last. The last one may come."""
    stage, desk, dead = Editing(), egress.desk(), DeadLetterStore(egress.redis, SHARDS)
    message = await _said(egress)
    await egress.work(egress.outbox(stage.outlet()))
    for text in ("older", "newer"):
        stage.faults.append(REJECTED)
        await desk.changes.edit(_edit(message, text, key=text))
        await egress.work(egress.outbox(stage.outlet()))
    older, newer = await dead.page(ACME)

    assert [False, True] == [await dead.replay(each, actor="ann") for each in (older, newer)]
    await egress.work(egress.outbox(stage.outlet()))

    assert {"p1": "newer"} == stage.seen
    assert [older] == await dead.page(ACME)


async def test_an_edit_that_failed_is_not_made_of_a_message_that_is_gone(egress: Egress) -> None:
    """Nor while the removal waits in the queue."""
    stage, desk, dead = Editing(), egress.desk(), DeadLetterStore(egress.redis, SHARDS)
    message = await _said(egress)
    await egress.work(egress.outbox(stage.outlet()))
    stage.faults.append(REJECTED)
    await desk.changes.edit(_edit(message, "late"))
    await egress.work(egress.outbox(stage.outlet()))
    await desk.changes.delete(_delete(message))
    [letter] = await dead.page(ACME)

    assert not await dead.replay(letter, actor="ann")
    await egress.work(egress.outbox(stage.outlet()))
    assert {} == stage.seen
