"""Turn what agents say into the texts of Teams activities. Pure: no network, no SDK.

An activity with such a text has `textFormat: markdown` and carries `mention_entities(text)`.
"""

from __future__ import annotations

from adapters.markdown.render import render_parts
from adapters.markdown.teams import TEAMS, mention_entities

__all__ = ["MAX_TEXT_BYTES", "mention_entities", "render", "text_bytes"]

MAX_TEXT_BYTES = 24_000
"""In UTF-16, as Teams counts a message with all that belongs to it: at most 40 KB by one version of
its page, 80 by another, and half of that may be a card.
https://learn.microsoft.com/en-us/microsoftteams/platform/bots/how-to/format-your-bot-messages
"""


def render(markdown: str) -> list[str]:
    """Render Markdown as the texts of one or more activities; none for blank Markdown."""
    return render_parts(markdown, TEAMS, limit=MAX_TEXT_BYTES, measure=text_bytes)


def text_bytes(text: str) -> int:
    """Return the size of `text` in bytes of UTF-16."""
    return len(text.encode("utf-16-le"))
