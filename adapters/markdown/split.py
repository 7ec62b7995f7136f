"""Cut rendered blocks into parts that a platform takes. Knows no markup but the code fence.

Never loses a character, never leaves a fence or a mark open at the end of a part.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from adapters.markdown import marks
from adapters.markdown.links import MAX_LINK_CHARS

FENCE: Final = "```"

# At the start of a part they would be code in Markdown.
_DEEP_INDENT = re.compile(" {4,}")


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A rendered paragraph, list item, quote or code block.

    `prefix` stands before every line (a quote), then `indent`. A `fenced` block holds only the
    inside of the fence, whose `language` and `head` (a table's first lines) are written again in
    every part. A `tight` block follows the one before it without an empty line; that of a `joined`
    block has the prefix, so that a quote goes on. A block to `keep` goes into the same part as the
    one before it if there is a part that holds both.
    """

    text: str
    prefix: str = ""
    indent: str = ""
    language: str = ""
    head: str = ""
    fenced: bool = False
    tight: bool = False
    joined: bool = False
    keep: bool = False

    @property
    def gap(self) -> str:
        """What stands between the block and the one before it."""
        if self.tight:
            return "\n"
        return f"\n{self.prefix}\n" if self.joined else "\n\n"


def split(
    blocks: Iterable[Block],
    *,
    limit: int,
    atom: re.Pattern[str],
    measure: Callable[[str], int] = len,
    signs: Mapping[str, str] | None = None,
    line_start: Callable[[str], str] | None = None,
) -> list[str]:
    """Pack blocks into parts of at most `limit`, in the unit of `measure`, which adds up.

    Cuts between blocks, else between lines, else at a space, else anywhere but inside an `atom`
    (a link or an escaped character, which would be garbage in two halves). `signs` replace the
    marks of marks.py; `line_start` escapes, with one character, what a cut brought to the start
    of a line.
    """
    cutter = _Cutter(limit, atom, measure, signs or {}, line_start)
    parts = _Parts(limit, cutter.size)
    for group in _groups(blocks):
        parts.add([piece for block in group for piece in cutter.pieces(block)])
    return [cutter.finished(part) for part in parts.texts()]


def _groups(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    group: list[Block] = []
    for block in blocks:
        if group and not block.keep:
            yield group
            group = []
        group.append(block)
    if group:
        yield group


class _Piece(msgspec.Struct, frozen=True):
    """So many lines of a block as fit into one part."""

    block: Block
    lines: list[str]
    gap: str

    def text(self, *, begins_part: bool = False) -> str:
        block = self.block
        margin = block.prefix + block.indent
        if begins_part:
            margin = _DEEP_INDENT.sub("   ", margin)
        lines = self.lines
        if block.fenced:
            head = block.head.split("\n") if block.head else []
            lines = [FENCE + block.language, *head, *lines, FENCE]
        return "\n".join(margin + line for line in lines)


class _Parts:
    """The parts so far. Counts as it goes: measuring a growing part again would be quadratic."""

    def __init__(self, limit: int, size: Callable[[str], int]) -> None:
        self._limit = limit
        self._size = size
        self._parts: list[list[str]] = []
        self._room = 0

    def texts(self) -> list[str]:
        return ["".join(part) for part in self._parts]

    def add(self, group: list[_Piece]) -> None:
        sizes = [self._size(piece.gap + piece.text()) for piece in group]
        if self._room < sum(sizes) <= self._limit:
            self._room = 0
        for piece, size in zip(group, sizes, strict=True):
            if size <= self._room:
                self._parts[-1].append(piece.gap + piece.text())
                self._room -= size
            else:
                first = piece.text(begins_part=True)
                self._parts.append([first])
                self._room = self._limit - self._size(first)


class _Cutter:
    """Cuts blocks into pieces, each small enough for a part."""

    def __init__(
        self,
        limit: int,
        atom: re.Pattern[str],
        measure: Callable[[str], int],
        signs: Mapping[str, str],
        line_start: Callable[[str], str] | None,
    ) -> None:
        self._limit = limit
        self._atom = atom
        self._measure = measure
        self._signs = {ord(mark): sign for mark, sign in signs.items()}
        self._line_start = line_start or str
        # What a cut may add: marks closed and opened again, an escape at the start.
        self._spare = 2 * self.size("".join(signs)) + (measure("\\") if line_start else 0)

    def size(self, text: str) -> int:
        return self._measure(self.finished(text))

    def finished(self, text: str) -> str:
        return text.translate(self._signs) if self._signs else text

    def pieces(self, block: Block) -> Iterator[_Piece]:
        if block.head and self.size(block.head) > self._limit // 3:
            text = f"{block.head}\n{block.text}"
            block = msgspec.structs.replace(block, text=text, head="")
        gap = block.gap
        frame = self.size(_Piece(block, [], "").text()) + self._measure("\n") * block.fenced
        margin = self.size(block.prefix + block.indent)
        room = self._limit - frame
        lines = (
            fragment
            for line in block.text.split("\n")
            for fragment in self._fragments(line, room - margin, is_code=block.fenced)
        )
        for chunk in self._packed(lines, room, margin):
            # Platforms refuse a message of nothing but white space.
            if block.fenced or "".join(chunk).strip():
                yield _Piece(block, chunk, gap)
                gap = "\n"

    def _packed(self, lines: Iterable[str], room: int, margin: int) -> Iterator[list[str]]:
        chunk: list[str] = []
        left = room
        for line in lines:
            size = self.size(line) + margin
            if chunk and size + self._measure("\n") > left:
                yield chunk
                chunk, left = [], room
            left -= size + (self._measure("\n") if chunk else 0)
            chunk.append(line)
        yield chunk

    def _fragments(self, line: str, room: int, *, is_code: bool) -> Iterator[str]:
        left = self.size(line)
        opened = ""
        start = 0
        while left + (self._spare if start else 0) > room:
            end = self._cut(line, start, room - self._spare)
            fragment = self._opened(opened, line[start:end], is_code=is_code or not start)
            left -= self.size(line[start:end])
            start, opened = end, "".join(marks.open_marks(fragment))
            yield _closed(fragment, opened)
        yield self._opened(opened, line[start:], is_code=is_code or not start)

    def _opened(self, opened: str, text: str, *, is_code: bool) -> str:
        if is_code:
            return text
        return marks.without_empty_marks(opened + text) if opened else self._line_start(text)

    def _cut(self, line: str, start: int, room: int) -> int:
        longest = range(1, min(room, len(line) - start) + 1)
        fitting = bisect_right(longest, room, key=lambda n: self.size(line[start : start + n]))
        end = start + max(1, fitting)
        space = line.rfind(" ", (start + end) // 2, end)
        cut = end if space < 0 else space + 1
        for match in self._atom.finditer(line, start, cut + MAX_LINK_CHARS):
            if match.start() >= cut:
                break
            if match.end() > cut and match.start() > start:
                return match.start()
        return cut


def _closed(fragment: str, opened: str) -> str:
    """Close what is open, before the spaces at which the line was cut."""
    text = fragment.rstrip(" ")
    return marks.without_empty_marks(text + opened[::-1]) + fragment[len(text) :]
