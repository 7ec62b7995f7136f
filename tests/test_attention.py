"""What this process has heard, and how far: in memory, exact, and bounded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.attention import MOST_PENDING, Attention
from gateway.core.errors import StoreError
from gateway.core.events import EventKind, InboundEvent
from gateway.core.ids import Platform, WorkspaceId
from tests.routing.factories import TEAM, conversation
from tests.routing.factories import event as said

AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
AT_US = 1_772_366_400_123_456
ROOT = "1700000000.000100"


async def hear(attention: Attention, *events: InboundEvent) -> None:
    """Let events pass that are accepted."""

    async def accept(event: InboundEvent) -> None:
        assert event.id

    watched = attention.watching(accept)
    for each in events:
        await watched(each)


def reached(attention: Attention) -> dict[tuple[str, str | None], int]:
    """How far channels and threads were heard."""
    taken = attention.take()
    return {
        (spot.ref.channel, spot.ref.thread): at_us
        for heard in taken.values()
        for spot, at_us in heard.items()
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"mentioned": False}, {("C0AAAA", None)}),
        ({"mentioned": True}, {("C0AAAA", None), ("C0AAAA", ROOT)}),
        ({"message_id": "1700000009.000100", "mentioned": False}, {("C0AAAA", ROOT)}),
        ({"conversation": conversation(thread=None)}, {("C0AAAA", None)}),
        ({"kind": EventKind.REACTION_ADDED}, set()),
        ({"sent_at": None}, set()),
    ],
)
async def test_a_spot_is_a_channel_or_a_thread_that_an_agent_is_in(
    fields: dict[str, object], expected: set[tuple[str, str | None]]
) -> None:
    """Every message could begin a thread; most never do."""
    attention = Attention()
    await hear(attention, said(**({"sent_at": AT} | fields)))
    assert dict.fromkeys(expected, AT_US) == reached(attention)


async def test_it_is_taken_once_and_can_be_put_back() -> None:
    """By workspace and organisation; what came meanwhile is not lost by it."""
    attention = Attention()
    await hear(attention, said(sent_at=AT, mentioned=False, enterprise=WorkspaceId("E0ORG")))
    taken = attention.take()
    assert [(Platform.SLACK, TEAM, "E0ORG")] == list(taken)
    assert {} == attention.take()
    later = AT + timedelta(seconds=1)
    await hear(attention, said(sent_at=later, mentioned=False, enterprise=WorkspaceId("E0ORG")))
    attention.put_back(taken)
    assert {("C0AAAA", None): AT_US + 1_000_000} == reached(attention)


async def test_what_was_not_accepted_was_not_heard() -> None:
    """The store is away: it has to come again, by itself or from the history."""
    attention = Attention()

    async def refuse(event: InboundEvent) -> None:
        raise StoreError(f"away: {event.id}")

    with pytest.raises(StoreError):
        await attention.watching(refuse)(said(sent_at=AT))
    assert ({}, False) == (attention.take(), attention.has_heard(said(sent_at=AT)))


async def test_it_is_known_what_was_heard() -> None:
    """Also of messages that went nowhere, which no store remembers by name."""
    attention = Attention()
    await hear(attention, said(sent_at=AT))
    assert attention.has_heard(said(sent_at=AT, id="another", dedupe_keys=("another",)))
    other_team = conversation(WorkspaceId("T0OTHER"))
    assert not attention.has_heard(said(sent_at=AT, conversation=other_team))


async def test_the_memory_is_bounded() -> None:
    """While the store is away nothing is taken."""
    attention = Attention()
    channels = (conversation(channel=f"C{number}") for number in range(MOST_PENDING + 10))
    await hear(attention, *(said(sent_at=AT, conversation=each) for each in channels))
    assert MOST_PENDING == len(reached(attention))


async def test_silence_is_measured() -> None:
    """By whatever clock it is given."""
    now_s = 100.0
    attention = Attention(clock=lambda: now_s)
    now_s = 130.0
    assert 30.0 == attention.silent_s
    await hear(attention, said())
    assert 0.0 == attention.silent_s
