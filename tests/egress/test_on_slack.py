"""The whole vocabulary on Slack's stand-in: what agents ask for is what stands in the channel."""

from __future__ import annotations

from gateway.core.ids import MessageId
from gateway.egress.desk import Desk
from gateway.egress.requests import Content, Delete, Edit, React, Submitted
from gateway.sandbox.slack import ResetAfter
from gateway.store.ledger import MessageState
from tests.egress.conftest import ACME, ACME_TEAM, HERE, Egress
from tests.support.slack import shown

LONG = "\n\n".join(["A paragraph. " + "word " * 2_200] * 2)


def _texts(egress: Egress) -> list[str]:
    return [each.text for each in egress.slack.bot_messages(ACME_TEAM, "C0AAAA")]


async def _state(desk: Desk, message: MessageId) -> MessageState:
    status = await desk.ledger.status(ACME, message)
    assert status is not None
    return status.state


async def test_messages_are_edited_reacted_to_and_removed(egress: Egress) -> None:
    """Also when the answers of Slack are lost: each is there once, as it was last."""
    desk, said = egress.desk(), await egress.say("hello")
    assert isinstance(said, Submitted)
    for method in ("chat.postMessage", "chat.update", "reactions.add", "chat.delete"):
        egress.slack.fail_next(method, ResetAfter())
    edit = Edit(
        tenant=ACME, message=said.id, content=Content(markdown=LONG), idempotency_key="edit"
    )
    react = React(
        tenant=ACME, conversation=None, target=said.id, emoji="eyes", idempotency_key="react"
    )
    outbox = egress.outbox()

    await desk.changes.edit(edit)
    await desk.changes.react(react)
    await egress.work(outbox)
    messages = egress.slack.bot_messages(ACME_TEAM, "C0AAAA")
    await desk.changes.delete(Delete(tenant=ACME, message=said.id, idempotency_key="delete"))
    await egress.work(outbox)

    assert LONG.split() == " ".join(map(shown, messages)).split()
    assert ["eyes"] == list(messages[0].reactions)
    assert [] == _texts(egress)
    assert MessageState.SENT is await _state(desk, said.id)


async def test_a_stream_grows_in_its_thread(egress: Egress) -> None:
    """Begun, added to, and its end there even when Slack's answer to it was lost."""
    desk = egress.desk()
    outbox = egress.outbox()
    opened = await desk.streaming.open(ACME, HERE, "U0ANNA", "open")
    assert isinstance(opened, Submitted)
    await egress.work(outbox)
    began = _texts(egress)
    await desk.streaming.append(ACME, opened.id, text="half an")
    await egress.work(outbox)
    grown = _texts(egress)
    egress.slack.fail_next("chat.update", ResetAfter())
    await desk.streaming.finish(ACME, opened.id, Content(markdown="half an *answer*"), "finish")
    await egress.work(outbox)

    [message] = egress.slack.bot_messages(ACME_TEAM, "C0AAAA")
    assert ([""], ["half an"]) == (began, grown)
    assert ("half an _answer_", "1700000000.000100") == (message.text, message.thread_ts)
    assert MessageState.SENT is await _state(desk, opened.id)
