"""Cut rendered blocks into parts that a platform takes. Knows no markup but the code fence.

Never loses a character, never leaves a fence open at the end of a part.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

FENCE = "```"


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A rendered paragraph, list item, quote or code block.

    `prefix` stands before every line (a quote). A `fenced` block holds only the inside of the
    fence. A `tight` block follows the one before it without an empty line.
    """

    text: str
    prefix: str = ""
    fenced: bool = False
    tight: bool = False


def split(blocks: Iterable[Block], *, limit: int, atom: re.Pattern[str]) -> list[str]:
    """Pack blocks into parts of at most `limit` characters.

    Cuts between blocks, else between lines, else at a space, else anywhere but inside an `atom`
    (a link or an escaped character, which would be garbage in two halves).
    """
    parts: list[str] = []
    for block in blocks:
        gap = "\n" if block.tight else "\n\n"
        for piece in _pieces(block, limit, atom):
            if parts and len(parts[-1]) + len(gap) + len(piece) <= limit:
                parts[-1] += gap + piece
            else:
                parts.append(piece)
            gap = "\n"
    return parts


def _pieces(block: Block, limit: int, atom: re.Pattern[str]) -> Iterator[str]:
    head, tail = (f"{FENCE}\n", f"\n{FENCE}") if block.fenced else ("", "")
    room = limit - len(head) - len(tail)
    lines = (
        block.prefix + fragment
        for line in block.text.split("\n")
        for fragment in _fragments(line, room - len(block.prefix), atom)
    )
    for chunk in _packed(lines, room):
        # Platforms refuse a message of nothing but white space.
        if block.fenced or chunk.strip():
            yield f"{head}{chunk}{tail}"


def _packed(lines: Iterable[str], room: int) -> Iterator[str]:
    chunk: str | None = None
    for line in lines:
        if chunk is None:
            chunk = line
        elif len(chunk) + 1 + len(line) <= room:
            chunk += "\n" + line
        else:
            yield chunk
            chunk = line
    if chunk is not None:
        yield chunk


def _fragments(line: str, room: int, atom: re.Pattern[str]) -> Iterator[str]:
    start = 0
    while len(line) - start > room:
        end = _cut(line, start, start + room, atom)
        yield line[start:end]
        start = end
    yield line[start:]


def _cut(line: str, start: int, end: int, atom: re.Pattern[str]) -> int:
    space = line.rfind(" ", (start + end) // 2, end)
    cut = end if space < 0 else space + 1
    for match in atom.finditer(line, start):
        if match.start() >= cut:
            break
        if match.end() > cut and match.start() > start:
            return match.start()
    return cut
