"""The inside of a paragraph as Slack mrkdwn. Pure; the only place that escapes for Slack."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec
from markdown_it.token import Token

# Slack reads `*` `_` `~` as markup only at the edge of a word; this edge has no width.
_EDGE = "\u200b"
# Slack cannot quote a backtick inside a code span; this one looks the same and closes nothing.
_LOOKALIKE_BACKTICK = "\u02cb"

_MARKS = {"strong": "*", "em": "_", "s": "~"}
_LINK_SCHEMES = ("http://", "https://", "mailto:")
# A longer link could not be kept whole within one message, so it is written out as text.
_MAX_LINK_CHARS = 1_000


def escape(text: str) -> str:
    """Escape the three characters that carry Slack's markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def without_fences(text: str) -> str:
    """Keep text from opening or closing a code fence."""
    return re.sub("``(?=`)", f"``{_EDGE}", text)


def plain(children: Sequence[Token]) -> str:
    """Return the text alone, on one line, not escaped."""
    return "".join(_plain(token) for token in children)


def mrkdwn(children: Sequence[Token], *, bold: bool) -> str:
    """Render inline tokens. `bold` sets the whole line in bold, as headings are shown."""
    return _Line().render(children, bold=bold)


def _plain(token: Token) -> str:
    if token.type in {"softbreak", "hardbreak"}:
        return " "
    if token.type == "image":
        return plain(token.children or []) or str(token.attrGet("src") or "")
    return token.content


class _Mark(msgspec.Struct):
    """An open emphasis; it is written only once text follows, so that none is ever empty.

    `sign` is empty for bold within bold: a second sign would end the first.
    """

    sign: str
    written: bool = False


class _Line:
    """Writes one paragraph. Iterative: emphasis may be nested as deep as a text likes."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._last = ""
        self._marks: list[_Mark] = []
        self._closed_mark = False

    def render(self, children: Sequence[Token], *, bold: bool) -> str:
        if bold:
            self._open_mark("strong")
        tokens = iter(children)
        for token in tokens:
            self._token(token, tokens)
        while self._marks:
            self._close_mark()
        return without_fences("".join(self._out))

    def _token(self, token: Token, rest: Iterator[Token]) -> None:
        kind, _, end = token.type.rpartition("_")
        if token.type in {"softbreak", "hardbreak"}:
            self._newline()
        elif token.type == "code_inline":
            self._write(f"`{escape(token.content.replace('`', _LOOKALIKE_BACKTICK))}`", edge=True)
        elif token.type == "image":
            self._write(_link(str(token.attrGet("src") or ""), plain(token.children or [])))
        elif token.type == "link_open":
            self._write(_link(str(token.attrGet("href") or ""), plain(_until_close(rest))))
        elif kind in _MARKS:
            self._open_mark(kind) if end == "open" else self._close_mark()
        else:
            self._write(escape(token.content))

    def _open_mark(self, kind: str) -> None:
        sign = _MARKS[kind]
        self._marks.append(_Mark("" if any(mark.sign == sign for mark in self._marks) else sign))

    def _close_mark(self) -> None:
        self._end(self._marks.pop())

    def _newline(self) -> None:
        # Slack ends emphasis at a line's end, and a message may be cut there.
        for mark in reversed(self._marks):
            self._end(mark)
        self._put("\n")
        self._closed_mark = False

    def _end(self, mark: _Mark) -> None:
        if mark.written:
            self._put(mark.sign)
            self._closed_mark = True
        mark.written = False

    def _write(self, text: str, *, edge: bool = False) -> None:
        if not text:
            return
        new = [mark for mark in self._marks if mark.sign and not mark.written]
        begins_mark = edge or bool(new)
        if (begins_mark and self._last.isalnum()) or (self._closed_mark and text[0].isalnum()):
            self._put(_EDGE)
        for mark in new:
            self._put(mark.sign)
            mark.written = True
        self._put(text)
        self._closed_mark = edge

    def _put(self, text: str) -> None:
        self._out.append(text)
        self._last = text[-1]


def _link(target: str, label: str) -> str:
    shown = f"{label} ({target})" if label not in {"", target} else target
    if not target.lower().startswith(_LINK_SCHEMES):
        return escape(shown if target else label)
    address = escape(target.replace("|", "%7C"))
    link = f"<{address}|{escape(label)}>" if shown != target else f"<{address}>"
    return link if len(link) <= _MAX_LINK_CHARS else escape(shown)


def _until_close(tokens: Iterator[Token]) -> list[Token]:
    label = []
    for token in tokens:
        if token.type == "link_close":
            break
        label.append(token)
    return label
