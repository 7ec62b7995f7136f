"""Backslash escapes, which the dialects that read Markdown share. Pure."""

from __future__ import annotations

import re

# An underscore inside of a word is no markup; escaping it would spoil every name for who reads the
# raw text. A "!" would make an image of the link that follows it.
_MARKUP = re.compile(r"[\\`*~|\[\]]|(?<![^\W_])_|_(?![^\W_])|!(?=\[|$)")
_BLOCK_START = re.compile(r"[#>+=-]|\d{1,9}(?=[.)])")


def escaped(text: str) -> str:
    """Escape what is markup anywhere in a line."""
    return _MARKUP.sub(r"\\\g<0>", text)


def escaped_start(line: str) -> str:
    """Escape what is markup at the start of a line: headings, quotes, lists, rules."""
    match = _BLOCK_START.match(line)
    if match is None:
        return line
    cut = match.end() if match[0][0].isdigit() else 0
    return f"{line[:cut]}\\{line[cut:]}"
