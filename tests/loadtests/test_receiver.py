"""The receiver, over real sockets and its real pipe."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from loadtests.ledger import verify
from loadtests.messages import Plan
from loadtests.receiver import ACCEPTED
from loadtests.rig import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver in a process of its own."""
    with receiving(lambda _text: None) as opened:
        yield opened


def plan_at(receiver: Receiver, behaviour: str = "0", count: int = 3) -> Plan:
    """Some messages of one tenant in one conversation."""
    return Plan("run", receiver.base_url(behaviour), ("acme",), lanes=1, count=count)


def requests(plan: Plan) -> list[bytes]:
    """The plan's messages as HTTP requests."""
    path = urlsplit(plan.url("acme")).path
    bodies = [plan.body(plan.message(number, due_ns=1)) for number in range(plan.count)]
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\ncontent-length: 1024\r\n\r\n"
    return [head.encode() + body for body in bodies]


def connected(receiver: Receiver) -> socket.socket:
    """A connection to the receiver."""
    address = urlsplit(receiver.base_url())
    return socket.create_connection((address.hostname, address.port or 0), timeout=10)


def answers(connection: socket.socket, count: int) -> bytes:
    """Read so many 202."""
    data = b""
    while len(data) < count * len(ACCEPTED):
        data += connection.recv(1 << 16)
    return data


def test_requests_in_one_piece_are_all_recorded_in_order(receiver: Receiver) -> None:
    """A pipelining client is served, too."""
    plan = plan_at(receiver)
    with connected(receiver) as connection:
        connection.sendall(b"".join(requests(plan)))
        assert ACCEPTED * 3 == answers(connection, 3)
    assert receiver.wait("run", 3, stall_s=5, longest_s=5)
    assert verify(plan.keys(), receiver.arrivals("run")).clean
    assert 1024 == receiver.mean_body_bytes()


def test_a_request_in_many_pieces_is_recorded_once(receiver: Receiver) -> None:
    """Wherever the network cuts it."""
    plan = plan_at(receiver, count=1)
    (request,) = requests(plan)
    with connected(receiver) as connection:
        for start in range(0, len(request), 100):
            connection.sendall(request[start : start + 100])
        assert ACCEPTED == answers(connection, 1)
    assert verify(plan.keys(), receiver.arrivals("run")).clean


def test_a_slow_agent_answers_after_its_delay(receiver: Receiver) -> None:
    """The record holds the moment of the answer."""
    plan = plan_at(receiver, "30", count=1)
    with connected(receiver) as connection:
        connection.sendall(requests(plan)[0])
        assert ACCEPTED == answers(connection, 1)
    assert ["acme"] == [arrival.address for arrival in receiver.arrivals("run")]


def test_a_message_that_does_not_wait_for_the_answer_overlaps(receiver: Receiver) -> None:
    """One after the other is clean; two at once in one conversation are not."""
    plan = plan_at(receiver, "20", count=3)
    first, second, third = requests(plan)
    with connected(receiver) as connection:
        connection.sendall(first)
        assert ACCEPTED == answers(connection, 1)
        connection.sendall(second)
        assert ACCEPTED == answers(connection, 1)
        assert 0 == receiver.seen("run")[1]
        connection.sendall(third + third)
        assert ACCEPTED * 2 == answers(connection, 2)
    assert 1 == receiver.seen("run")[1]


def test_a_hanging_agent_neither_answers_nor_records(receiver: Receiver) -> None:
    """What was sent after it on another connection is answered; the hung one is not."""
    plan = plan_at(receiver, "hang", count=1)
    with connected(receiver) as hung, connected(receiver) as other:
        hung.sendall(requests(plan)[0])
        other.sendall(requests(plan_at(receiver, count=1))[0])
        assert ACCEPTED == answers(other, 1)
        hung.setblocking(False)
        with pytest.raises(BlockingIOError):
            hung.recv(1)
    assert 1 == len(receiver.arrivals("run"))


def test_what_is_missing_is_waited_for_no_longer_than_a_stall(receiver: Receiver) -> None:
    """True: nothing more came, so it is lost and not late."""
    assert receiver.wait("run", 1, stall_s=0, longest_s=60)


def test_reset_forgets(receiver: Receiver) -> None:
    """The next run begins with nothing."""
    with connected(receiver) as connection:
        connection.sendall(requests(plan_at(receiver, count=1))[0])
        answers(connection, 1)
    receiver.reset()
    assert [] == receiver.arrivals("run")
