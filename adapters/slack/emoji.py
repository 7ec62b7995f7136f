"""Emoji as Slack's names of them, for reactions of ours. Pure.

https://docs.slack.dev/reference/methods/reactions.add
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from adapters.slack.inbound_emoji import EMOJI

_NAME: Final = re.compile(r"[a-z0-9_+'-]{1,100}(?:::skin-tone-[2-6])?")
_TONES: Final = {chr(0x1F3FB + step): f"::skin-tone-{step + 2}" for step in range(5)}
_SELECTOR: Final = "\ufe0f"


def to_name(emoji: str) -> str | None:
    """Return the name without colons; None for an emoji that is not among the common ones.

    Takes Unicode emoji, with a skin tone or without, and names: the workspace's own emoji have no
    other form. Whether there is one of that name, Slack alone knows.
    """
    bare = emoji.strip(":")
    if _NAME.fullmatch(bare):
        return bare
    tone = next((name for char, name in _TONES.items() if char in emoji), "")
    plain = "".join(char for char in emoji if char not in _TONES and char != _SELECTOR)
    name = _NAMES.get(plain)
    return None if name is None else name + tone


def _names() -> Mapping[str, str]:
    names: dict[str, str] = {}
    for name, emoji in EMOJI.items():
        # The first name of several is the one that Slack shows.
        names.setdefault(emoji.replace(_SELECTOR, ""), name)
    return names


_NAMES: Final = _names()
