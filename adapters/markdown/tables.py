"""Tables as columns of monospace text, for platforms that have none. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

import msgspec

# One very long cell must not pad every other row to its length.
_MAX_PADDED_CELLS = 40
# Nor may many empty cells make a message of megabytes.
_MAX_GROWTH = 4

_CELL_EDGE = re.compile(r"(?<!\\)\|")
# What stands before a row of a table in a quote or in a list, and the first edge.
_CONTAINERS = re.compile(r"^(?:\s*(?:>|(?:[-+*]|\d{1,9}[.)])(?=\s)))*\s*\|?")


class Table(msgspec.Struct, kw_only=True):
    """A table while it is read: its source, and the text of its cells row by row."""

    source: Sequence[str]
    rows: list[list[str]] = []

    def text(self) -> tuple[str, str]:
        """Return the head with its rule, and the rows; as written where columns would lose text."""
        widths = [self._width(column) for column in range(len(self.rows[0]))]
        padded = (sum(widths) + 3 * len(widths)) * len(self.rows)
        if self._has_loose_cells() or padded > 1_000 + _MAX_GROWTH * sum(map(len, self.source)):
            return "\n".join(self.source[:2]), "\n".join(self.source[2:])
        head, *rows = (_line(row, widths) for row in self.rows)
        rule = "-|-".join("-" * width for width in widths)
        return f"{head}\n{rule}", "\n".join(rows)

    def _has_loose_cells(self) -> bool:
        """The parser drops cells beyond the head's columns."""
        columns = len(self.rows[0])
        rows = (_CONTAINERS.sub("", line).rstrip().removesuffix("|") for line in self.source)
        return any(len(_CELL_EDGE.split(row)) > columns for row in rows)

    def _width(self, column: int) -> int:
        cells = (row[column] for row in self.rows if column < len(row))
        return min(_MAX_PADDED_CELLS, max(map(_shown_width, cells)))


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (
        cell + " " * (width - _shown_width(cell)) for cell, width in zip(row, widths, strict=False)
    )
    return " | ".join(cells).rstrip()


def _shown_width(text: str) -> int:
    """How many cells of a monospace font `text` takes; Chinese and emoji take two a character."""
    return len(text) if text.isascii() else sum(_character_widths(text))


def _character_widths(text: str) -> Iterator[int]:
    for character in text:
        if unicodedata.combining(character) or unicodedata.category(character) in {"Cf", "Mn"}:
            yield 0
        else:
            yield 2 if unicodedata.east_asian_width(character) in "WF" else 1
