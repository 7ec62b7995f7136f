"""Discord's Markdown. Pure; the only place that escapes for Discord.

A `<` never stands before what would make a mention, a timestamp, an emoji or a command of it: a
zero-width space parts them, since a mention that is merely escaped may still ring. Links stand in
`<...>`, so that Discord fetches no preview of an address that nobody has looked at.
https://docs.discord.com/developers/reference#message-formatting
https://support.discord.com/hc/en-us/articles/210298617
"""

from __future__ import annotations

import re
from typing import Final

from adapters.markdown import marks
from adapters.markdown.clean import ZERO_WIDTH_SPACE
from adapters.markdown.escapes import escaped, escaped_start

DISCORD_ATOM: Final = re.compile(r"\\.|\[(?:\\.|[^\\\[\]\n])*\]\(<[^<>\n]*>\)|<[^<>\s]*>")
"""What a cut must not tear apart: escaped characters, links, mentions."""

_ID = re.compile("[0-9]{1,20}")
_SIGILS = {"user": "@", "channel": "#"}
_TAG = re.compile(r"<(?!\s)")


class Discord:
    """The dialect of Discord: three levels of headings, spoilers, no tables, no mail links."""

    signs: Final = {
        marks.STRONG: "**",
        marks.EMPHASIS: "_",
        marks.STRIKE: "~~",
        marks.SPOILER: "||",
        marks.CODE: "`",
    }
    edged: Final = frozenset({marks.EMPHASIS})
    atom: Final = DISCORD_ATOM
    bullet: Final = "- "
    hanging: Final = None
    newline: Final = "\n"
    heading_levels: Final = 3
    markdown_blocks: Final = True
    indented_blocks: Final = False
    schemes: Final = ("http://", "https://")

    def text(self, text: str) -> str:
        return _TAG.sub(rf"\\<{ZERO_WIDTH_SPACE}", escaped(text))

    def code(self, code: str) -> str:
        return re.sub("<(?=[^\\w\\s!-~]*[@#])", f"<{ZERO_WIDTH_SPACE}", code)

    def line(self, line: str) -> str:
        return line

    def line_start(self, line: str) -> str:
        return escaped_start(line)

    def link(self, target: str, label: str) -> str:
        return f"[{self.text(label)}](<{target}>)"

    def address(self, target: str) -> str:
        return f"<{target}>"

    def mention(self, kind: str, mentioned: str) -> str | None:
        return f"<{_SIGILS[kind]}{mentioned}>" if _ID.fullmatch(mentioned) else None


DISCORD: Final = Discord()
