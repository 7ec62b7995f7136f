"""Where a text that grows is cut, so that it goes on in another message. Pure.

Knows of Markdown only what a cut could break: fences of code, paragraphs, lines, words.
"""

from __future__ import annotations

import re

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})([^\n]*)$", re.MULTILINE)
_PARAGRAPH = re.compile(r"\n[ \t]*\n+")
_LINE = re.compile(r"\n")
_WORD = re.compile(r"\s")


def opening(text: str) -> str:
    """Return the line that opens the code in which `text` ends, with its end; "" outside of code.

    What comes after such a text is code only with this line in front of it.
    """
    opened: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opened is None:
            # An opening fence of backticks has none behind it: that would be code within a line.
            opened = fence if "~" in fence[1] or "`" not in fence[2] else None
        elif fence[1].startswith(opened[1]) and not fence[2].strip():
            opened = None
    return "" if opened is None else f"{opened[0]}\n"


def cut(text: str, start: int, end: int) -> int:
    """Find the best place to end a message that begins at `start`: at `end` or before, in the
    second half of what lies between, where it is torn least.
    """
    middle = start + (end - start) // 2
    for seam in (_PARAGRAPH, _LINE, _WORD):
        places = [each.end() for each in seam.finditer(text, middle, end)]
        whole = (place for place in reversed(places) if not opening(text[:place]))
        if places:
            return next(whole, places[-1])
    return end
