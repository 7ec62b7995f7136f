"""What a platform can do, and what becomes of what it cannot: the table that agents are served."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Ability(StrEnum):
    """What the agent protocol knows."""

    MESSAGES = "messages"
    REPLIES = "replies"
    THREADS = "threads"
    EDITS = "edits"
    DELETES = "deletes"
    REACTIONS = "reactions"
    TYPING = "typing"
    STREAMS = "streams"
    FILES_IN = "files_in"
    FILES_OUT = "files_out"
    BUTTONS = "buttons"
    SELECTS = "selects"
    FORMS = "forms"
    CARDS = "cards"
    FEEDBACK = "feedback"
    EPHEMERAL = "ephemeral"
    PROACTIVE = "proactive"
    RAW = "raw"


class Support(StrEnum):
    """NATIVE: as asked. DEGRADED: something else of the same meaning. NONE: left out silently."""

    NATIVE = "native"
    DEGRADED = "degraded"
    NONE = "none"


class Capability(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one ability is served. `note` says in words what is done instead."""

    support: Support
    note: str = ""


class TextLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Characters and bytes. A longer text is split, a larger file is refused."""

    part_chars: int
    file_bytes: int


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """One platform's table. Every ability stands in it."""

    abilities: dict[Ability, Capability]
    limits: TextLimits

    def __post_init__(self) -> None:
        if missing := [each.value for each in Ability if each not in self.abilities]:
            raise ValueError(f"no word on {', '.join(missing)}")
