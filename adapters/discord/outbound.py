"""Turn what agents say into the texts of Discord messages. Pure: no network, no SDK."""

from __future__ import annotations

from adapters.markdown.discord import DISCORD
from adapters.markdown.render import render_parts

MAX_TEXT_CHARS = 2_000
"""Counted in code points. https://docs.discord.com/developers/resources/message#create-message,
https://github.com/discord/discord-api-docs/issues/1315
"""


def render(markdown: str) -> list[str]:
    """Render Markdown as the texts of one or more Discord messages; none for blank Markdown."""
    return render_parts(markdown, DISCORD, limit=MAX_TEXT_CHARS)
