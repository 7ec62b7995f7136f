"""Plans, marks and bodies."""

from __future__ import annotations

import json

import pytest

from loadtests.messages import Arrival, Key, Message, Plan, parse_mark

PLAN = Plan("run", "http://127.0.0.1:1/0", ("acme", "globex"), lanes=4, count=10)


def test_a_lane_is_one_conversation_of_one_tenant() -> None:
    """Messages of a lane share tenant and conversation, and are numbered from 0."""
    lane_1 = [PLAN.message(number).key for number in (1, 5, 9)]
    assert [Key("globex", "c1", sequence) for sequence in range(3)] == lane_1


def test_a_plan_names_every_message_once() -> None:
    """No two messages of a plan share a key."""
    keys = list(PLAN.keys())
    assert 10 == len(keys) == len(set(keys))


def test_a_mark_names_its_message() -> None:
    """What stands between the marks is enough to know the message again."""
    message = PLAN.message(7, due_ns=12_345)
    assert message == parse_mark(message.mark().strip("@"))


def test_a_broken_mark_is_refused() -> None:
    """A body without a mark must not count as a message."""
    with pytest.raises(ValueError, match="values to unpack"):
        parse_mark("no mark at all")


@pytest.mark.parametrize("due_ns", [0, 10**15])
def test_a_body_is_json_of_the_wanted_size(due_ns: int) -> None:
    """Whatever the mark holds, the body has `body_bytes`."""
    body = PLAN.body(PLAN.message(3, due_ns))
    assert 1024 == len(body)
    assert json.loads(body)["text"].startswith("@@run|globex|c3|0|")


def test_a_plan_travels_as_json() -> None:
    """A subject's process gets the same plan."""
    assert PLAN == Plan.from_json(json.loads(json.dumps(PLAN.as_json())))


def test_latency_counts_from_the_scheduled_moment() -> None:
    """The time that a late publisher lost is in it."""
    message = Message("run", Key("acme", "c0", 0), due_ns=1_000_000)
    assert 2.5 == Arrival(message, "acme", at_ns=3_500_000).latency_ms
