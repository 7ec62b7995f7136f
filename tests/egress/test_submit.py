"""An agent's message at the door: whose conversation, how many parts, said before?"""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from adapters.slack.outbound import render
from gateway.core.audit import AuditAction
from gateway.core.deliveries import Delivery, Direction
from gateway.core.errors import QueueFullError, StoreError
from gateway.core.ids import ConversationId, DeliveryId
from gateway.core.messages import OutboundMessage
from gateway.core.tenants import Limits
from gateway.egress.inline import InlineReplies
from gateway.egress.requests import Content, Refusal, Submission, Submitted
from gateway.store.connection import connect
from tests.egress.conftest import ACME, ACME_TEAM, GLOBEX, HERE, THERE, Egress

LONG = "\n\n".join(f"Paragraph {number}. " + "word " * 300 for number in range(12))
LONG_PARTS = len(render(LONG))


def _hello() -> Submission:
    return Submission(
        tenant=ACME,
        conversation=HERE,
        content=Content(markdown="hello"),
        idempotency_key="k",
    )


async def _messages(egress: Egress) -> list[OutboundMessage]:
    stored = await egress.stored()
    return [msgspec.json.decode(payload, type=OutboundMessage) for payload in stored]


async def test_a_message_is_stored_rendered_with_its_record(egress: Egress) -> None:
    """Everything that the attempt will need (law 6), and the decision, in one commit (law 3)."""
    result = await egress.say("**hello** there")

    assert isinstance(result, Submitted)
    [message] = await _messages(egress)
    [record] = await egress.audit()
    assert (result.id, "**hello** there", HERE) == (
        message.id,
        message.text,
        message.conversation.id,
    )
    assert (AuditAction.MESSAGE_SUBMITTED, "accepted", result.id, HERE) == (
        record.action,
        record.outcome,
        record.delivery_id,
        record.conversation,
    )


async def test_a_long_message_becomes_parts_in_order(egress: Egress) -> None:
    """Each a delivery of its own in the one lane, so a retry never repeats a posted part."""
    result = await egress.say(LONG)

    messages = await _messages(egress)
    assert isinstance(result, Submitted)
    assert result.parts == len(messages) > 1
    assert list(range(1, result.parts + 1)) == [message.part for message in messages]
    assert {(result.id, result.parts)} == {(message.id, message.parts) for message in messages}
    assert LONG.split() == " ".join(message.text for message in messages).split()
    assert [f"{result.id}-1"] == [delivery.id for delivery in await egress.taken()]


async def test_a_repeat_gets_the_first_answer(egress: Egress) -> None:
    """The agent's answer was lost: it asks again and nothing is said twice."""
    first = await egress.say(LONG)
    again = await egress.say(LONG)

    assert isinstance(first, Submitted)
    assert msgspec.structs.replace(first, repeated=True) == again
    assert first.parts == len(await egress.stored())
    assert 1.0 == egress.metric("dedupe_hits_total", direction="out")


async def test_repeats_at_the_same_moment_are_one(egress: Egress) -> None:
    """Ten requests in flight at once: one message, one id, one that says it was first."""
    results = await asyncio.gather(*(egress.say("hello") for _ in range(10)))

    submitted = [each for each in results if isinstance(each, Submitted)]
    assert 10 == len(submitted)
    assert 1 == len({each.id for each in submitted})
    assert [False] == [each.repeated for each in submitted if not each.repeated]
    assert 1 == len(await egress.stored())


@pytest.mark.parametrize(("text", "to"), [("other", HERE), ("hello", f"slack:{ACME_TEAM}:C0BBBB")])
async def test_a_key_stands_for_one_message(egress: Egress, text: str, to: str) -> None:
    """Another text or another place under the same key is a mistake of the agent's."""
    await egress.say("hello")

    assert Refusal.KEY_REUSED is await egress.say(text, to=to)
    assert 1 == len(await egress.stored())


async def test_keys_are_the_tenants_own(egress: Egress) -> None:
    """The same key of another tenant is another key (law 4)."""
    first = await egress.say("hello")
    other = await egress.say("hello", tenant=GLOBEX, to=THERE)

    assert isinstance(first, Submitted)
    assert isinstance(other, Submitted)
    assert (False, False) == (first.repeated, other.repeated)
    assert first.id != other.id


@pytest.mark.parametrize("key", ["k" * 255, "a:b", "}{", "\x1f", "\udcff", "  "])
async def test_any_key_is_safe(egress: Egress, key: str) -> None:
    """It is hashed, so it can neither break out of a Redis key nor collide by its form."""
    first, again = await egress.say("hello", key=key), await egress.say("hello", key=key)

    assert isinstance(first, Submitted)
    assert isinstance(again, Submitted)
    assert first.id == again.id


async def test_a_foreign_conversation_is_a_violation(egress: Egress) -> None:
    """Law 8: refused, on the record of the tenant that tried, and counted."""
    assert Refusal.UNKNOWN_CONVERSATION is await egress.say("hello", to=THERE)

    [record] = await egress.audit()
    assert (AuditAction.ISOLATION_VIOLATION, "refused", THERE) == (
        record.action,
        record.outcome,
        record.conversation,
    )
    assert 1.0 == egress.metric("isolation_violations_total")
    assert [] == await egress.stored() + await egress.stored(GLOBEX)
    assert [] == await egress.audit(GLOBEX)


async def test_an_unbound_workspace_looks_the_same_to_the_agent(egress: Egress) -> None:
    """Or it could find out which workspaces the gateway knows; no alarm is raised for it."""
    nowhere = "slack:T0NOBODY:C0AAAA"

    assert Refusal.UNKNOWN_CONVERSATION is await egress.say("hello", to=nowhere)

    [record] = await egress.audit()
    assert (AuditAction.CONVERSATION_REFUSED, nowhere) == (record.action, record.conversation)
    assert 0.0 == egress.metric("isolation_violations_total")


@pytest.mark.parametrize("to", ["", "C0AAAA", "irc:T0ACME:C0AAAA", "slack:T0ACME:c@d", "slack:::"])
async def test_what_is_no_conversation_is_unknown(egress: Egress, to: str) -> None:
    """Also forms that would decode to a conversation of the tenant's."""
    assert Refusal.UNKNOWN_CONVERSATION is await egress.say("hello", to=to)
    assert [] == await egress.stored()


async def test_a_platform_that_is_not_configured_is_unknown(egress: Egress) -> None:
    """Whoever owns the workspace: nothing could ever send it."""
    submit = egress.desk(configured=False).submit

    assert Refusal.UNKNOWN_CONVERSATION is await submit(_hello())


@pytest.mark.parametrize("text", [" ", "\n\t\n", "\u00a0\u2003"])
async def test_a_blank_message_is_refused(egress: Egress, text: str) -> None:
    """Slack refuses an empty text, so the agent learns it now and not from a dead letter."""
    assert Refusal.BLANK_TEXT is await egress.say(text)
    assert [] == await egress.stored()


async def test_a_full_queue_stores_nothing(egress: Egress) -> None:
    """Not the half of a long message either; the same key may be tried again."""
    limits = Limits(max_queued=LONG_PARTS)
    await egress.bind(ACME, ACME_TEAM, token="xoxb-placeholder", limits=limits)
    await egress.say("first", key="key-0")

    with pytest.raises(QueueFullError):
        await egress.say(LONG)
    assert 1 == len(await egress.stored())

    assert isinstance(await egress.say("short"), Submitted)


async def test_a_message_that_can_never_fit_is_refused(egress: Egress) -> None:
    """Told to try again, its agent would do so for ever."""
    await egress.bind(ACME, ACME_TEAM, token="xoxb-placeholder", limits=Limits(max_queued=1))

    assert Refusal.TOO_LONG is await egress.say(LONG)
    assert [] == await egress.stored()


async def test_a_store_that_is_away_is_no_refusal(egress: Egress, unused_tcp_port: int) -> None:
    """The agent has to try again (law 9)."""
    async with connect(f"redis://127.0.0.1:{unused_tcp_port}") as away:
        with pytest.raises(StoreError):
            await egress.desk(redis=away).submit(_hello())


def _inbound(name: str = "dlv_1", conversation: str = HERE) -> Delivery:
    return Delivery(
        id=DeliveryId(name),
        tenant=ACME,
        direction=Direction.INBOUND,
        conversation=ConversationId(conversation),
        payload=b"{}",
        attempt=1,
        uncertain=False,
        accepted_at_ms=0,
        entry="1-0",
    )


async def test_inline_answers_are_said_once_per_delivery(egress: Egress) -> None:
    """However often the delivery is repeated; another delivery's answers are others."""
    answers = InlineReplies(egress.submit())

    assert None is await answers(_inbound(), ["one", "two"])
    assert None is await answers(_inbound(), ["one", "two"])
    assert None is await answers(_inbound("dlv_2"), ["one"])

    assert ["one", "two", "one"] == [message.text for message in await _messages(egress)]


async def test_a_refused_inline_answer_says_which_and_why(egress: Egress) -> None:
    """A workspace may have changed hands since the event came in."""
    answers = InlineReplies(egress.submit())

    assert "answer 2: blank_text" == await answers(_inbound(), ["one", " ", "three"])
    assert ["one", "three"] == [message.text for message in await _messages(egress)]
    assert "answer 1: unknown_conversation" == await answers(_inbound(conversation=THERE), ["one"])
