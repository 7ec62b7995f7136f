"""The ledger finds what went wrong, id by id."""

from __future__ import annotations

from loadtests.ledger import Ledger, verify
from loadtests.messages import Arrival, Key, Message

KEYS = [Key("acme", "c0", sequence) for sequence in range(4)]


def arrived(*sequences: int, address: str = "acme", conversation: str = "c0") -> list[Arrival]:
    """Messages of one conversation, in the order in which they came."""
    keys = [Key("acme", conversation, sequence) for sequence in sequences]
    return [Arrival(Message("run", key, 0), address, at) for at, key in enumerate(keys)]


def test_everything_once_in_order_at_home_is_clean() -> None:
    """The good case."""
    ledger = verify(KEYS, arrived(0, 1, 2, 3))
    assert Ledger(published=4, arrived=4) == ledger
    assert ledger.clean


def test_what_never_came_is_lost() -> None:
    """One id is missing."""
    assert Ledger(published=4, arrived=3, lost=1) == verify(KEYS, arrived(0, 1, 3))


def test_a_run_that_was_cut_short_loses_nothing() -> None:
    """A slow machine is not a loss."""
    assert verify(KEYS, arrived(0, 1), all_due=False).clean


def test_the_same_id_twice_is_doubled_and_not_out_of_order() -> None:
    """A repetition is one fault, not two."""
    ledger = verify(KEYS, arrived(0, 1, 2, 0, 0, 3))
    assert Ledger(published=4, arrived=4, doubled=2) == ledger


def test_a_message_after_a_later_one_is_out_of_order() -> None:
    """0 and 1 came after 3: two messages were overtaken."""
    assert 2 == verify(KEYS, arrived(2, 3, 0, 1)).out_of_order


def test_conversations_do_not_wait_for_each_other() -> None:
    """Order holds within a conversation only."""
    mixed = [*arrived(1, conversation="c1"), *arrived(0, 1)]
    keys = [*KEYS[:2], Key("acme", "c1", 1)]
    assert verify(keys, mixed).clean


def test_another_tenants_address_is_the_wrong_one() -> None:
    """The one unforgivable fault."""
    ledger = verify(KEYS[:1], arrived(0, address="globex"))
    assert 1 == ledger.wrong_tenant
    assert not ledger.clean


def test_what_nobody_published_is_a_stranger() -> None:
    """An id that was refused, yet arrived."""
    assert 1 == verify(KEYS[:1], arrived(0, 1)).strangers


def test_an_overlap_is_a_fault() -> None:
    """The next message of a conversation must wait for the answer to the last."""
    assert not verify(KEYS, arrived(0, 1, 2, 3), overlapping=1).clean


def test_ledgers_add_up() -> None:
    """Runs are summed field by field."""
    one = Ledger(
        published=1,
        arrived=2,
        lost=3,
        doubled=4,
        out_of_order=5,
        wrong_tenant=6,
        strangers=7,
        overlapping=8,
    )
    twice = Ledger(
        published=2,
        arrived=4,
        lost=6,
        doubled=8,
        out_of_order=10,
        wrong_tenant=12,
        strangers=14,
        overlapping=16,
    )
    assert twice == one.plus(one)
