"""Writes the inside of a paragraph, in any dialect. Pure.

Lines leave here escaped, with the signs of marks.py for emphasis; split.py puts the platform's in
their place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from markdown_it.token import Token

from adapters.markdown import marks
from adapters.markdown.clean import ZERO_WIDTH_SPACE
from adapters.markdown.dialect import Dialect
from adapters.markdown.links import write_link

# No platform has one escape for a backtick within a code span; this sign looks the same.
LOOKALIKE_BACKTICK = "\u02cb"

_MARKS = {
    "strong": marks.STRONG,
    "em": marks.EMPHASIS,
    "s": marks.STRIKE,
    "spoiler": marks.SPOILER,
}
_BREAKS = {"softbreak", "hardbreak"}


def write_lines(children: Iterable[Token], dialect: Dialect, *, bold: bool) -> str:
    """Write inline tokens. `bold` sets all in bold, as headings are shown."""
    return _Writer(dialect).write(children, bold=bold)


def plain(children: Iterable[Token]) -> str:
    """Return the text alone, on one line, not escaped."""
    return "".join(_plain(token) for token in children)


def _plain(token: Token) -> str:
    if token.type in _BREAKS:
        return " "
    if token.type == "image":
        return plain(token.children or []) or str(token.attrGet("src") or "")
    return token.content


class _Mark(msgspec.Struct):
    """An open mark, written only once text follows. `sign` is empty for bold within bold."""

    sign: str
    written: bool = False


class _Writer:
    """Writes one paragraph. Iterative: emphasis may be nested as deep as a text likes."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._lines: list[str] = []
        self._out: list[str] = []
        self._space = ""
        self._marks: list[_Mark] = []
        self._closed = ""

    def write(self, children: Iterable[Token], *, bold: bool) -> str:
        if bold:
            self._open(marks.STRONG)
        tokens = iter(children)
        for token in tokens:
            self._token(token, tokens)
        self._end_line()
        return self._dialect.newline.join(self._lines)

    def _token(self, token: Token, rest: Iterator[Token]) -> None:
        kind, _, end = token.type.rpartition("_")
        if token.type in _BREAKS:
            self._end_line()
        elif token.type == "code_inline":
            self._code(token.content)
        elif token.type == "image":
            self._link(str(token.attrGet("src") or ""), token.children or [])
        elif token.type == "link_open":
            self._link(str(token.attrGet("href") or ""), _until_close(rest))
        elif token.type == "address":
            self._link(token.content, [])
        elif token.type == "mention":
            written = self._dialect.mention(token.meta["kind"], token.meta["id"])
            self._put(written or self._dialect.text(token.content))
        elif kind in _MARKS:
            self._open(_MARKS[kind]) if end == "open" else self._close()
        else:
            self._put(self._dialect.text(token.content))

    def _code(self, code: str) -> None:
        self._open(marks.CODE)
        # Code keeps its spaces, also the outer ones, so it is not put like text.
        self._begin("x")
        self._out.append(self._dialect.code(code.replace("`", LOOKALIKE_BACKTICK)))
        self._close()

    def _link(self, target: str, label: Sequence[Token]) -> None:
        self._put(write_link(self._dialect, target, plain(label)))

    def _open(self, sign: str) -> None:
        opened = any(mark.sign == sign for mark in self._marks)
        self._marks.append(_Mark("" if opened else sign))

    def _close(self) -> None:
        self._end(self._marks.pop())

    def _end(self, mark: _Mark) -> None:
        if mark.written:
            self._out.append(mark.sign)
            self._closed = mark.sign
        mark.written = False

    def _end_line(self) -> None:
        # Platforms end emphasis at a line's end, and a message may be cut there.
        for mark in reversed(self._marks):
            self._end(mark)
        line = self._dialect.line(marks.without_empty_marks("".join(self._out)))
        self._lines.append(self._dialect.line_start(line))
        self._out.clear()
        self._space = self._closed = ""

    def _put(self, text: str) -> None:
        """Put escaped text. Marks stand at words, so spaces wait until the next word."""
        body = text.strip(" \t")
        if not body:
            self._space += text
            return
        lead = text[: text.index(body[0])]
        self._space += lead
        self._begin(body[0])
        self._out.append(body)
        self._space = text[len(lead) + len(body) :]
        self._closed = ""

    def _begin(self, first: str) -> None:
        if self._space and self._out:
            self._out.append(self._space)
            self._closed = ""
        self._space = ""
        new = [mark for mark in self._marks if mark.sign and not mark.written]
        last = self._out[-1][-1] if self._out else ""
        after_edge = self._closed in self._dialect.edged and first.isalnum()
        before_edge = last.isalnum() and any(mark.sign in self._dialect.edged for mark in new)
        if before_edge or (self._closed and after_edge):
            self._out.append(ZERO_WIDTH_SPACE)
        for mark in new:
            self._out.append(mark.sign)
            mark.written = True


def _until_close(tokens: Iterator[Token]) -> list[Token]:
    label = []
    for token in tokens:
        if token.type == "link_close":
            break
        label.append(token)
    return label
