"""Signs for emphasis between the writing of a line and its cutting. Data.

A line that is cut has to close its marks and open them again, and in finished markup nobody can
tell a mark from a character of the text. So lines carry one sign per mark, a Unicode noncharacter
that no text has, and split.py writes what the platform wants in its place.
https://www.unicode.org/faq/private_use.html#noncharacters
"""

from __future__ import annotations

import re
from typing import Final

STRONG: Final = "\ufdd0"
EMPHASIS: Final = "\ufdd1"
STRIKE: Final = "\ufdd2"
SPOILER: Final = "\ufdd3"
CODE: Final = "\ufdd4"

MARK: Final = re.compile(f"[{STRONG}-{CODE}]")

_PAIR = re.compile(f"([{STRONG}-{CODE}])\\1")


def without_empty_marks(line: str) -> str:
    """Drop marks around nothing: they would be shown as they are."""
    while _PAIR.search(line):
        line = _PAIR.sub("", line)
    return line


def open_marks(line: str) -> list[str]:
    """Return the marks that are open at the end of `line`, the outermost first."""
    opened: list[str] = []
    for mark in MARK.findall(line):
        if mark in opened:
            opened.remove(mark)
        else:
            opened.append(mark)
    return opened
