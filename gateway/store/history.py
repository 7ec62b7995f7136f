"""The last messages of conversations, which later deliveries bring along.

Kept by the scripts that store decisions, so that it costs no round trip of its own and can neither
miss a message nor hold one twice. Knows entries as bytes: what stands in them, the agent protocol
says. Nothing here decides what is remembered.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from gateway.core.ids import ConversationId
from gateway.store.connection import Value

HISTORY_TTL_S: Final = 24 * 3600
"""How long a conversation is remembered after the last thing said in it."""


class Carry(StrEnum):
    """What a delivery brings along from the first list: COPY leaves it there, TAKE empties it."""

    NOTHING = ""
    COPY = "copy"
    TAKE = "take"


class Write(StrEnum):
    """What becomes of the message in all lists. REPLACE adds nothing that is not there."""

    NOTHING = ""
    ADD = "add"
    REPLACE = "replace"
    REMOVE = "remove"


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What storing a decision does to the history.

    `lists` are conversations, the one that a delivery draws from first. `entry` is a JSON object;
    it begins with `name`, by which it is found again. `keep` bounds each list.
    """

    lists: tuple[ConversationId, ...]
    name: bytes
    keep: int
    carry: Carry = Carry.NOTHING
    write: Write = Write.NOTHING
    entry: bytes = b""


def history_keys(own: str, memory: Memory | None) -> list[str]:
    """Name the lists; `own` is the prefix of the tenant's keys."""
    return [] if memory is None else [f"{own}hist:{each}" for each in memory.lists]


def history_arguments(memory: Memory | None) -> tuple[Value, ...]:
    """Tell the scripts how many lists there are and, if any, what to do with them."""
    if memory is None:
        return (0,)
    return (
        len(memory.lists),
        memory.carry,
        memory.write,
        memory.name,
        memory.entry,
        memory.keep,
        HISTORY_TTL_S * 1000,
    )
