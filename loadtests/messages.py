"""What is sent: numbered messages that name themselves. Pure, and standard library only, since a
peer in a virtual environment of its own imports it too; peers/bullmq.mjs follows the same rules.

Message `n` of a plan belongs to lane `n % lanes` (a lane is one conversation of one tenant) and is
number `n // lanes` in it. Its text holds a mark by which the receiver knows it again in any body,
whoever wrapped it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

MARK = "@@"
PART = "|"


class Key(NamedTuple):
    """What a message is called in the ledger."""

    tenant: str
    conversation: str
    sequence: int


class Message(NamedTuple):
    """One message to publish. `due_ns` is when the schedule wanted it (CLOCK_MONOTONIC)."""

    run: str
    key: Key
    due_ns: int

    @property
    def id(self) -> str:
        """Unique over all runs against one store."""
        return f"{self.run}-{self.key.tenant}-{self.key.conversation}-{self.key.sequence}"

    def mark(self) -> str:
        """The words by which the receiver knows this message."""
        parts = (self.run, *self.key[:2], str(self.key.sequence), str(self.due_ns))
        return f"{MARK}{PART.join(parts)}{MARK}"

    def text(self, length: int) -> str:
        """The mark, filled up to `length` characters."""
        return self.mark().ljust(length, "x")


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run publishes. `base_url` ends in how the receiver shall behave (receiver.py)."""

    run: str
    base_url: str
    tenants: tuple[str, ...]
    lanes: int
    count: int
    body_bytes: int = 1024

    def message(self, number: int, due_ns: int = 0) -> Message:
        """Make message `number`; the same number always gives the same key."""
        lane, sequence = number % self.lanes, number // self.lanes
        key = Key(self.tenants[lane % len(self.tenants)], f"c{lane}", sequence)
        return Message(self.run, key, due_ns)

    def keys(self) -> Iterator[Key]:
        """All that is published: the ledger's first phase."""
        return (self.message(number).key for number in range(self.count))

    def url(self, tenant: str) -> str:
        """Where this tenant's agent listens."""
        return f"{self.base_url}/{tenant}"

    def body(self, message: Message) -> bytes:
        """A JSON body of `body_bytes`, for subjects that have no wire format of their own."""
        frame = len(b'{"text":""}')
        return b'{"text":"%b"}' % message.text(self.body_bytes - frame).encode()

    def as_json(self) -> dict[str, Any]:
        """The form in which a plan travels to a subject's process."""
        return asdict(self)

    @staticmethod
    def from_json(fields: dict[str, Any]) -> Plan:
        """Read `as_json` back."""
        return Plan(**{**fields, "tenants": tuple(fields["tenants"])})


class Arrival(NamedTuple):
    """What the receiver saw: the message, whose address it came to, and when (CLOCK_MONOTONIC)."""

    message: Message
    address: str
    at_ns: int

    @property
    def latency_ms(self) -> float:
        """From the moment the schedule wanted it published to its 2xx."""
        return (self.at_ns - self.message.due_ns) / 1e6


def parse_mark(mark: str) -> Message:
    """Read what stood between the two marks. Raises ValueError."""
    run, tenant, conversation, sequence, due_ns = mark.split(PART)
    return Message(run, Key(tenant, conversation, int(sequence)), int(due_ns))
