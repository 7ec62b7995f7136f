"""The Markdown of Teams' bot messages (`textFormat: markdown`). Pure; the only place that escapes
for Teams, and the one that knows its mentions.

Teams reads Markdown and simple HTML in the same text, so `<` and `&` leave as entities; the only
tags are the `<at>` of mentions. It documents neither headings nor tables for such messages.
https://learn.microsoft.com/en-us/microsoftteams/platform/bots/how-to/format-your-bot-messages
"""

from __future__ import annotations

import re
from typing import Final

from adapters.markdown import marks
from adapters.markdown.clean import ZERO_WIDTH_SPACE, defused
from adapters.markdown.escapes import escaped, escaped_start

TEAMS_ATOM: Final = re.compile(
    r"\\.|&(?:amp|lt|gt);|<at>[^<\n]*</at>|\[(?:\\.|[^\\\[\]\n])*\]\([^()\s]*\)"
)
"""What a cut must not tear apart: escaped characters, mentions, links."""

# Ids of Bot Framework (`29:...`), object ids and principal names of Entra.
# https://learn.microsoft.com/en-us/microsoftteams/platform/bots/how-to/conversations/channel-and-group-conversations
_USER_ID = re.compile(
    r"29:[\w.=-]{1,125}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[\w.-]+@[\w.-]+",
    re.ASCII,
)
_MENTION = re.compile(rf"<at>({_USER_ID.pattern})</at>", re.ASCII)
_ENTITY = re.compile(r"&(?=#?\w+;)")


class Teams:
    """The dialect of Teams: bold lines for headings, lists and quotes as in CommonMark."""

    signs: Final = {
        marks.STRONG: "**",
        marks.EMPHASIS: "*",
        marks.STRIKE: "~~",
        marks.SPOILER: "\\|\\|",
        marks.CODE: "`",
    }
    edged: Final[frozenset[str]] = frozenset()
    atom: Final = TEAMS_ATOM
    bullet: Final = "- "
    hanging: Final = None
    # A single line end is a space in Markdown; two spaces before it keep the lines of the author.
    newline: Final = "  \n"
    heading_levels: Final = 0
    markdown_blocks: Final = True
    indented_blocks: Final = True
    schemes: Final = ("http://", "https://", "mailto:")

    def text(self, text: str) -> str:
        return escaped(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))

    def code(self, code: str) -> str:
        # Code is shown as it is, without entities; but it must not hold a mention.
        return re.sub("<(?=/?at)", f"<{ZERO_WIDTH_SPACE}", code, flags=re.IGNORECASE)

    def line(self, line: str) -> str:
        return line

    def line_start(self, line: str) -> str:
        return escaped_start(line)

    def link(self, target: str, label: str) -> str:
        address = _ENTITY.sub("&amp;", target).replace("(", "%28").replace(")", "%29")
        return f"[{self.text(label)}]({address})"

    def address(self, target: str) -> str:
        return self.link(target, target.removeprefix("mailto:"))

    def mention(self, kind: str, mentioned: str) -> str | None:
        is_user = kind == "user" and _USER_ID.fullmatch(mentioned)
        # Bots have no mention of a channel.
        return f"<at>{mentioned}</at>" if is_user and defused(mentioned) == mentioned else None


TEAMS: Final = Teams()


def mention_entities(text: str) -> list[dict[str, object]]:
    """Return the `entities` that an activity with the rendered `text` has to carry, one per user.

    Teams shows an `<at>` without its entity as text, and refuses an entity without its `<at>`.
    https://learn.microsoft.com/en-us/microsoftteams/platform/bots/how-to/conversations/channel-and-group-conversations#add-mentions-to-your-messages
    """
    return [
        {
            "type": "mention",
            "text": f"<at>{user}</at>",
            "mentioned": {"id": user, "name": user},
        }
        for user in dict.fromkeys(_MENTION.findall(text))
    ]
