"""Markdown tokens to Slack mrkdwn blocks. Pure.

Every `<` of the text leaves as `&lt;`, so no agent can produce `<!channel>` or `<@U...>`: the only
`<` in the output are links made here. https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import msgspec
from markdown_it.token import Token

from adapters.markdown.slack_inline import escape, mrkdwn, plain, without_fences
from adapters.markdown.split import Block

SLACK_ATOM = re.compile(r"<[^<>\n]*>|&(?:amp|lt|gt);")
"""What a cut must not tear apart in mrkdwn: links and escaped characters."""

_QUOTE = "> "
_INDENT = "    "
_RULE = "———"
_MAX_PADDED_CHARS = 40


def slack_blocks(tokens: Sequence[Token], source: str) -> list[Block]:
    """Render the tokens of `source`; it may give no block at all."""
    return _Walk(source).blocks(tokens)


class _List(msgspec.Struct):
    """An open list; `number` is that of the next item, None for bullets."""

    number: int | None

    def marker(self) -> str:
        if self.number is None:
            return "• "
        self.number += 1
        return f"{self.number - 1}. "


class _Walk:
    """One pass over the block tokens, with what is open at the moment."""

    def __init__(self, source: str) -> None:
        self._source_lines = source.splitlines()
        self._blocks: list[Block] = []
        self._quotes = 0
        self._heading = False
        self._lists: list[_List] = []
        self._marker = ""
        self._tight = False
        self._table: _Table | None = None
        self._steps: dict[str, Callable[[Token], None]] = {
            "inline": self._inline,
            "heading_open": self._open_heading,
            "heading_close": self._close_heading,
            "blockquote_open": self._open_quote,
            "blockquote_close": self._close_quote,
            "bullet_list_open": self._open_list,
            "ordered_list_open": self._open_list,
            "bullet_list_close": self._close_list,
            "ordered_list_close": self._close_list,
            "list_item_open": self._open_item,
            "list_item_close": self._close_item,
            "fence": self._code,
            "code_block": self._code,
            "hr": self._rule,
            "table_open": self._open_table,
            "tr_open": self._open_row,
            "table_close": self._close_table,
        }

    def blocks(self, tokens: Sequence[Token]) -> list[Block]:
        for token in tokens:
            step = self._steps.get(token.type)
            if step is not None:
                step(token)
        return self._blocks

    def _inline(self, token: Token) -> None:
        children = token.children or []
        if self._table is not None:
            self._table.rows[-1].append(plain(children))
        elif text := mrkdwn(children, bold=self._heading):
            self._text(text)

    def _open_heading(self, _: Token) -> None:
        self._heading = True

    def _close_heading(self, _: Token) -> None:
        self._heading = False

    def _open_quote(self, _: Token) -> None:
        self._bare_marker()
        self._quotes += 1

    def _close_quote(self, _: Token) -> None:
        self._quotes -= 1

    def _open_list(self, token: Token) -> None:
        self._bare_marker()
        if not self._lists:
            self._tight = False
        start = token.attrGet("start")
        number = None if token.type == "bullet_list_open" else int(1 if start is None else start)
        self._lists.append(_List(number))

    def _close_list(self, _: Token) -> None:
        self._lists.pop()
        if not self._lists:
            self._tight = False

    def _open_item(self, _: Token) -> None:
        self._marker = self._lists[-1].marker()

    def _close_item(self, _: Token) -> None:
        self._bare_marker()

    def _code(self, token: Token) -> None:
        self._fence(token.content.removesuffix("\n"))

    def _rule(self, _: Token) -> None:
        self._text(_RULE)

    def _open_table(self, token: Token) -> None:
        first, last = token.map or [0, 0]
        self._table = _Table(source=self._source_lines[first:last])

    def _open_row(self, _: Token) -> None:
        if self._table is not None:
            self._table.rows.append([])

    def _close_table(self, _: Token) -> None:
        if self._table is not None:
            self._fence("\n".join(self._table.lines()))
        self._table = None

    def _bare_marker(self) -> None:
        """Show the marker of an item that begins with no paragraph on a line of its own."""
        if self._marker:
            self._text("")

    def _text(self, text: str) -> None:
        outer = _INDENT * max(0, len(self._lists) - 1)
        hanging = _INDENT * len(self._lists)
        first = outer + self._marker if self._marker else hanging
        self._marker = ""
        self._add((first + text.replace("\n", "\n" + hanging)).rstrip(" "), fenced=False)

    def _fence(self, code: str) -> None:
        # Outside of quotes and indentation: Slack would show the "> " and the spaces as code.
        self._bare_marker()
        self._add(escape(without_fences(code)), fenced=True)

    def _add(self, text: str, *, fenced: bool) -> None:
        prefix = _QUOTE if self._quotes and not fenced else ""
        self._blocks.append(Block(text=text, prefix=prefix, fenced=fenced, tight=self._tight))
        self._tight = bool(self._lists)


class _Table(msgspec.Struct, kw_only=True):
    """A table, which Slack has none of: columns of a monospace block."""

    source: list[str]
    rows: list[list[str]] = []

    def lines(self) -> Iterator[str]:
        if self._has_loose_cells():
            yield from self.source
            return
        widths = [self._width(column) for column in range(len(self.rows[0]))]
        for index, row in enumerate(self.rows):
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
            yield " | ".join(cells).rstrip()
            if index == 0:
                yield "-|-".join("-" * width for width in widths)

    def _has_loose_cells(self) -> bool:
        """The parser drops cells beyond the head's columns; then the source is shown instead."""
        columns = len(self.rows[0])
        return any(
            len(re.split(r"(?<!\\)\|", line.strip().strip("|"))) > columns for line in self.source
        )

    def _width(self, column: int) -> int:
        # One very long cell must not pad every other row to its length.
        return min(
            _MAX_PADDED_CHARS, max(len(row[column]) for row in self.rows if column < len(row))
        )
