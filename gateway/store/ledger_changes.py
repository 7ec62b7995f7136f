"""What a commit writes into the ledgers of requests, and how it is handed to commit.lua. What the
fields mean stands in ledger.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

import msgspec

from gateway.core.components import Component, forms_of
from gateway.core.ids import ConversationId, MessageId, TenantId
from gateway.core.messages import FINISH
from gateway.store.connection import Value
from gateway.store.keys import Shard

Fields: TypeAlias = dict[str, str | bytes]

QUEUED: Final = "q"
SENT: Final = "s"

LEDGER_TTL_S: Final = 7 * 24 * 3600
MOST_LEDGERS: Final = 50_000
"""Per tenant. The oldest one makes room, so that no agent can fill Redis with what it has said."""


class Shape(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Which parts a message has now. Numbers are used once: `last` is the highest there ever was.

    `streaming` while its text may grow.
    """

    texts: tuple[int, ...] = ()
    files: tuple[int, ...] = ()
    last: int = 0
    streaming: bool = False

    @property
    def parts(self) -> tuple[int, ...]:
        """All of them, in the order in which they were posted."""
        return tuple(sorted(self.texts + self.files))


class LedgerChange(msgspec.Struct, frozen=True, kw_only=True):
    """Fields of the ledger of one request, to be written with the decision. `expects` is the shape
    that the decision was built upon; None for a new ledger.
    """

    message: MessageId
    fields: Fields
    expects: bytes | None = None


def ledger_keys(shard: Shard, tenant: TenantId, changes: Sequence[LedgerChange]) -> Iterator[str]:
    """Name the keys for commit.lua."""
    if changes:
        yield shard.ledgers(tenant)
    for change in changes:
        yield shard.ledger(tenant, change.message)


def ledger_limits(changes: Sequence[LedgerChange]) -> tuple[Value, ...]:
    """How many there are, for how long they are kept, and how many of them."""
    return len(changes), LEDGER_TTL_S * 1000, MOST_LEDGERS


def ledger_arguments(changes: Sequence[LedgerChange]) -> Iterator[Value]:
    """Write the changes down for commit.lua."""
    for change in changes:
        yield change.expects or b""
        yield 2 * len(change.fields)
        for name, value in change.fields.items():
            yield name
            yield value


def queued(parts: Iterable[int | str]) -> Fields:
    """Fields that say that these deliveries are on their way."""
    return {f"d:{part}": QUEUED for part in parts}


def begun(conversation: ConversationId, shape: Shape | None = None) -> Fields:
    """Fields of a new ledger: of a message, or of a change to one."""
    fields: Fields = {"c": conversation}
    return fields if shape is None else fields | shaped(shape)


def shaped(shape: Shape) -> Fields:
    """Field of a message's shape."""
    return {"shape": msgspec.json.encode(shape)}


def changed_by(change: MessageId) -> Fields:
    """Field of the change after which no earlier one is made any more."""
    return {"change": change}


def with_forms(components: Sequence[Component]) -> Fields:
    """Fields of the forms among the components."""
    return {f"form:{each.id}": msgspec.json.encode(each) for each in forms_of(tuple(components))}


def unfinished(part: int = 1) -> Fields:
    """Field that says that something will end the stream, in its message of that number."""
    return queued([f"{part}{FINISH}"])


def lost_stream(reason: str, detail: str) -> Fields:
    """Field that says that nothing could end the stream, and why."""
    return {f"d:1{FINISH}": f"f{reason}\x1f{detail}"}


def ended_stream() -> Fields:
    """Field that says that nothing will end the stream any more: it has been removed."""
    return {f"d:1{FINISH}": SENT}
