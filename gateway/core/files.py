"""Files as the gateway speaks of them: what it keeps, what it hands out, why it refuses.

Names and types come from strangers and end up in headers, on disks and on screens, so both are
made harmless here. Pure: holds no bytes beyond the head of a file.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

import filetype  # type: ignore[import-untyped]  # it ships no types
import msgspec

from gateway.core.ids import FileId, TenantId

HEAD_BYTES: Final = 8192
"""How much of a file is looked at to tell its type."""

MAX_NAME_BYTES: Final = 255
UNKNOWN_TYPE: Final = "application/octet-stream"
_NAMELESS: Final = "file"
_PLAIN_TEXT: Final = "text/plain"

# Their first bytes are text by design. Every other match on a text is a coincidence: "BMW" begins
# like a bitmap and "MZ" like a program.
_TEXTUAL_FORMATS: Final = frozenset(
    {"application/pdf", "application/postscript", "application/rtf"}
)
_TEXT_TYPE: Final = re.compile(
    r"text/[a-z0-9.+-]+|application/([a-z0-9.-]+\+)?(json|xml|yaml)|application/(x-ndjson|sql|toml)"
    r"|application/(javascript|typescript|x-sh)|image/svg\+xml"
)
_BINARY: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


class FileRefusal(StrEnum):
    """Why a file is not taken or not given. UNREACHABLE alone may be worth another try."""

    TOO_LARGE = "file_too_large"
    STORAGE_FULL = "file_storage_full"
    EMPTY = "file_empty"
    KEY_REUSED = "idempotency_key_reused"
    UNKNOWN = "unknown_file"
    GONE = "file_gone"
    UNREACHABLE = "file_unreachable"


class KeptFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that an agent brought and the gateway keeps; `sha256` is hexadecimal."""

    id: FileId
    tenant: TenantId
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A file on its way to an agent. `content` can be read once. It raises SendError or StoreError
    when the rest cannot be had: then what was read is not the file.
    """

    name: str
    media_type: str
    size_bytes: int | None
    content: AsyncIterator[bytes]
    held: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def aclose(self) -> None:
        """Let go of what the file comes through. To be called whatever becomes of it."""
        await self.held.aclose()


def safe_name(name: str | None) -> str:
    """Return a file name without a path, without characters that nobody sees (control characters,
    bidirectional overrides) and of at most 255 bytes; its extension survives the cut.
    """
    last = re.split(r"[/\\]", name or "")[-1]
    seen = "".join(each for each in last if unicodedata.category(each)[0] != "C")
    bare = " ".join(seen.split())
    return _NAMELESS if not bare.strip(". ") else _cut(bare)


def media_type_of(head: bytes, declared: str | None = None) -> str:
    """Tell the type of a file by its first `HEAD_BYTES`. What it was declared to be counts only
    for text, which no signature tells apart.
    """
    is_text = _is_text(head)
    guessed = filetype.guess(head) if head else None
    if guessed is not None and (not is_text or guessed.mime in _TEXTUAL_FORMATS):
        return str(guessed.mime)
    if not is_text:
        return UNKNOWN_TYPE
    bare = (declared or "").partition(";")[0].strip().lower()
    return bare if _TEXT_TYPE.fullmatch(bare) else _PLAIN_TEXT


def _is_text(head: bytes) -> bool:
    try:
        # Not final: the head may end in the middle of a character.
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return bool(head) and _BINARY.search(text) is None


def _cut(name: str) -> str:
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    stem, dot, extension = name.rpartition(".")
    kept = f"{dot}{extension}" if stem and len(extension.encode()) <= 16 else ""
    room = MAX_NAME_BYTES - len(kept.encode())
    return name.encode()[:room].decode(errors="ignore").rstrip() + kept
