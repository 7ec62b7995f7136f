"""What a platform's renderer has to say for itself; everything else is shared.

A dialect is pure data and pure functions. It alone knows how its platform escapes: whatever comes
out of `text` and `code` must be inert there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol


class Dialect(Protocol):
    """How one platform writes what the parse found.

    `signs` are the platform's for the marks of marks.py; those in `edged` are markup only at the
    edge of a word. `newline` ends a line inside of a paragraph. `hanging` is the indentation of a
    list's inside, None for as wide as its marker. `atom` is what a cut must not tear apart.
    """

    @property
    def signs(self) -> Mapping[str, str]: ...
    @property
    def edged(self) -> frozenset[str]: ...
    @property
    def atom(self) -> re.Pattern[str]: ...
    @property
    def bullet(self) -> str: ...
    @property
    def hanging(self) -> str | None: ...
    @property
    def newline(self) -> str: ...
    @property
    def heading_levels(self) -> int:
        """Levels of headings that the platform has; the others are bold lines."""
        ...

    @property
    def markdown_blocks(self) -> bool:
        """Whether fences name their language and may stand in quotes, as in Markdown."""
        ...

    @property
    def indented_blocks(self) -> bool:
        """Whether a paragraph or fence in a list must stand apart and indented to belong to it."""
        ...

    @property
    def schemes(self) -> tuple[str, ...]:
        """The schemes that become links."""
        ...

    def text(self, text: str) -> str:
        """Escape text within a line."""
        ...

    def code(self, code: str) -> str:
        """Escape the inside of code."""
        ...

    def line(self, line: str) -> str:
        """Settle a finished line that still carries its marks."""
        ...

    def line_start(self, line: str) -> str:
        """Escape what is markup only at the start of a line."""
        ...

    def link(self, target: str, label: str) -> str:
        """Write a link with a label; both are as the agent wrote them."""
        ...

    def address(self, target: str) -> str:
        """Write a link that shows its own address."""
        ...

    def mention(self, kind: str, mentioned: str) -> str | None:
        """Write a mention of a `user` or `channel`; None for an id that is none of here."""
        ...
