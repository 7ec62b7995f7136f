"""Characters that no message may carry, and the defusing of mass mentions. Pure.

Owns what is true on every platform; how a platform escapes its own markup is its dialect's.
"""

from __future__ import annotations

import re

ZERO_WIDTH_SPACE = "\u200b"

# Controls, and the marks that turn the direction of all that follows: with them an address reads
# as another one. The marks that only say how one character stands (U+200E, U+200F) stay.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
# These noncharacters are signs between our own modules (see marks.py); surrogates are no text.
_NO_TEXT = re.compile("[\ufdd0-\ufdef\ud800-\udfff]")
_LINE_ENDS = re.compile("\r\n?|[\u2028\u2029]")

# Platforms drop some characters before they look for mentions, so `@e<accent>veryone` may ring too.
# https://github.com/discord/discord-api-docs/issues/1189 and .../1241
_DROPPED = r"[^\w\s!-~]*"
_MASS_MENTION = re.compile(
    f"@(?={'|'.join(_DROPPED + _DROPPED.join(name) for name in ('everyone', 'here', 'channel'))})",
    re.IGNORECASE,
)


def cleaned(text: str) -> str:
    """Drop control characters and overrides of direction; ends of lines become `\\n`."""
    text = _LINE_ENDS.sub("\n", text)
    return _NO_TEXT.sub("\ufffd", _CONTROLS.sub("", text))


def defused(text: str) -> str:
    """Part the `@` from the name of a mass mention, visibly the same.

    A zero-width space is not among what Discord drops:
    https://github.com/discord/discord-api-docs/pull/1248
    """
    return _MASS_MENTION.sub(f"@{ZERO_WIDTH_SPACE}", text)


def without_fences(text: str) -> str:
    """Keep text from opening or closing a code fence."""
    return re.sub("``(?=`)", f"``{ZERO_WIDTH_SPACE}", text)
