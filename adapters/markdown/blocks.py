"""Block tokens to blocks of finished lines, in any dialect. Pure.

The walk knows what is open at the moment: quotes, lists, a table. Emphasis and escaping are
line.py's, cutting is split.py's.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec
from markdown_it.token import Token

from adapters.markdown.clean import defused, without_fences
from adapters.markdown.dialect import Dialect
from adapters.markdown.line import plain, write_lines
from adapters.markdown.parse import Document
from adapters.markdown.split import Block
from adapters.markdown.tables import Table

_QUOTE = "> "
_RULE = "———"
# A deeper item is indented like this one: lazy lines would be indented many times their length.
_MAX_INDENTED_LISTS = 6
_LANGUAGE = re.compile(r"[A-Za-z0-9_+#.-]{1,20}")


def write_blocks(document: Document, dialect: Dialect) -> list[Block]:
    """Render a document; it may give no block at all."""
    return _Walk(document, dialect).blocks()


class _List(msgspec.Struct):
    """An open list. `number` is that of the next item, None for bullets."""

    number: int | None
    hanging: str = ""

    def marker(self, dialect: Dialect) -> str:
        marker = dialect.bullet
        if self.number is not None:
            marker = f"{self.number}. "
            self.number += 1
        self.hanging = " " * len(marker) if dialect.hanging is None else dialect.hanging
        return marker


class _Walk:
    """One pass over the block tokens."""

    def __init__(self, document: Document, dialect: Dialect) -> None:
        self._document = document
        self._dialect = dialect
        self._blocks: list[Block] = []
        self._quotes = 0
        self._quote_begun = False
        self._lists_around_quote = 0
        self._heading = 0
        self._after_heading = False
        self._lists: list[_List] = []
        self._list_begun = False
        self._marker = ""
        self._table: Table | None = None
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

    def blocks(self) -> list[Block]:
        for token in self._document.tokens:
            step = self._steps.get(token.type)
            if step is not None:
                step(token)
        return self._blocks

    def _inline(self, token: Token) -> None:
        children = token.children or []
        if self._table is not None:
            self._table.rows[-1].append(plain(children))
            return
        is_native = 0 < self._heading <= self._dialect.heading_levels and not self._lists
        is_bold = bool(self._heading) and not is_native
        text = write_lines(children, self._dialect, bold=is_bold)
        if not text.strip():
            return
        if is_native:
            text = f"{'#' * self._heading} {text.replace(self._dialect.newline, ' ')}"
        self._text(text)
        self._after_heading = bool(self._heading)

    def _open_heading(self, token: Token) -> None:
        self._heading = int(token.tag.removeprefix("h"))

    def _close_heading(self, _: Token) -> None:
        self._heading = 0

    def _open_quote(self, _: Token) -> None:
        self._bare_marker()
        if not self._quotes:
            self._lists_around_quote = len(self._lists)
            self._quote_begun = False
        self._quotes += 1

    def _close_quote(self, _: Token) -> None:
        self._quotes -= 1
        if not self._quotes:
            self._lists_around_quote = 0

    def _open_list(self, token: Token) -> None:
        self._bare_marker()
        start = token.attrGet("start")
        number = None if token.type == "bullet_list_open" else int(1 if start is None else start)
        self._lists.append(_List(number))

    def _close_list(self, _: Token) -> None:
        self._lists.pop()
        self._list_begun = bool(self._lists)

    def _open_item(self, _: Token) -> None:
        self._marker = self._lists[-1].marker(self._dialect)

    def _close_item(self, _: Token) -> None:
        self._bare_marker()

    def _code(self, token: Token) -> None:
        language = _LANGUAGE.match(token.info)
        self._fence(token.content.removesuffix("\n"), language=language[0] if language else "")

    def _rule(self, _: Token) -> None:
        self._text(_RULE)

    def _open_table(self, token: Token) -> None:
        first, last = token.map or [0, 0]
        self._table = Table(source=self._document.lines[first:last])

    def _open_row(self, _: Token) -> None:
        if self._table is not None:
            self._table.rows.append([])

    def _close_table(self, _: Token) -> None:
        if self._table is not None:
            head, rows = self._table.text()
            self._fence(rows, head=head)
        self._table = None

    def _bare_marker(self) -> None:
        """Show the marker of an item that begins with no paragraph on a line of its own."""
        if self._marker:
            self._text("")

    def _text(self, text: str) -> None:
        marker, self._marker = self._marker, ""
        if not marker:
            apart = self._dialect.indented_blocks
            self._add(Block(text=text, indent=self._indent(len(self._lists)), tight=not apart))
            return
        outer, inner = self._indent(len(self._lists) - 1), self._indent(len(self._lists))
        body = marker + text.replace("\n", "\n" + inner.removeprefix(outer))
        self._add(Block(text=body.rstrip(" "), indent=outer, tight=True))

    def _indent(self, depth: int, *, around_quote: bool = False) -> str:
        """The indentation of `depth` lists, as far as they stand within the quote, or around it."""
        outside = self._lists_around_quote
        lists = self._lists[:outside] if around_quote else self._lists[outside:depth]
        return "".join(each.hanging for each in lists[:_MAX_INDENTED_LISTS])

    def _prefix(self, *, fenced: bool) -> str:
        if not self._quotes or (fenced and not self._dialect.markdown_blocks):
            # Slack would show the "> " before a fence as code.
            return ""
        # Slack and Discord know quotes at the start of a line only.
        nested = self._dialect.indented_blocks
        return self._indent(0, around_quote=True) + _QUOTE if nested else _QUOTE

    def _fence(self, code: str, *, head: str = "", language: str = "") -> None:
        self._bare_marker()
        text, head = (self._dialect.code(without_fences(each)) for each in (code, head))
        indent = self._indent(len(self._lists)) if self._dialect.indented_blocks else ""
        block = Block(text=text, head=head, language=language, indent=indent)
        self._add(msgspec.structs.replace(block, fenced=True, tight=True))

    def _add(self, block: Block) -> None:
        goes_on = bool(self._lists) and self._list_begun
        self._blocks.append(
            msgspec.structs.replace(
                block,
                text=defused(block.text),
                head=defused(block.head),
                prefix=self._prefix(fenced=block.fenced),
                language=block.language if self._dialect.markdown_blocks else "",
                tight=goes_on and block.tight,
                joined=self._quote_begun and self._dialect.markdown_blocks,
                keep=goes_on or self._after_heading,
            )
        )
        self._after_heading = False
        self._list_begun = bool(self._lists)
        self._quote_begun = bool(self._quotes)
