"""Markdown that Slack itself renders, in pieces: made harmless without being parsed. Pure.

A piece means nothing by itself, so it cannot be escaped as mrkdwn is (adapters/markdown/slack.py):
what would call many people is torn apart instead, visibly the same, and also when it comes in two
pieces.
"""

from __future__ import annotations

import re
from typing import Final

from adapters.markdown.clean import ZERO_WIDTH_SPACE, cleaned

_NAMES: Final = ("channel", "here", "everyone", "subteam", "group")
# Slack drops some characters before it looks for names, and entities are text to Markdown.
_DROPPED: Final = r"[^\w\s!-~]*"
_LESS: Final = r"(?:<|&lt;?|&#0*60;?|&#x0*3c;?)\\*"
_BANG: Final = r"(?:!|&excl;?|&#0*33;?|&#x0*21;?)"
_AT: Final = r"(?:@|&commat;?|&#0*64;?|&#x0*40;?)"
_SIGIL: Final = f"(?:{_LESS}{_BANG}|{_AT})"
_SUMMONS: Final = re.compile(
    f"({_SIGIL})(?={_DROPPED}(?:&|{'|'.join(_DROPPED.join(name) for name in _NAMES)}))",
    re.IGNORECASE,
)


def _half(name: str) -> str:
    """Match how `name` begins, however much of it there is."""
    halves = ""
    for letter in reversed(name[:-1]):
        halves = f"(?:{_DROPPED}{letter}{halves})?"
    return halves


# What the next piece could make a whole of.
_OPEN_END: Final = re.compile(
    f"(?:{_SIGIL}(?:{'|'.join(map(_half, _NAMES))}){_DROPPED}|&[#\\w]{{0,9}}|{_LESS})\\Z",
    re.IGNORECASE,
)
_MENTION: Final = re.compile(r"@\[user:([UW][A-Z0-9]{1,63})\]")
# Marks that turn the direction of all that follows, written as entities.
_OVERRIDES: Final = re.compile(
    r"&#(?:x0*(?:202[a-e]|206[6-9])|0*(?:823[4-8]|829[4-7]));?", re.IGNORECASE
)
_FORGED: Final = re.compile(r"<(?=[@#!])")


def defused_piece(text: str) -> str:
    """Return a piece of Markdown that summons nobody by itself, nor with any pieces around it, but
    for single users whom the agent mentions (see adapters/markdown/syntax.py).
    """
    text = _SUMMONS.sub(rf"\1{ZERO_WIDTH_SPACE}", _OVERRIDES.sub("", cleaned(text)))
    text = _FORGED.sub(f"<{ZERO_WIDTH_SPACE}", text)
    if _OPEN_END.search(text):
        text += ZERO_WIDTH_SPACE
    return _MENTION.sub(r"<@\1>", text)
