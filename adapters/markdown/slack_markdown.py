"""The Markdown of Slack's `markdown` block. Pure; the only place that escapes for it.

Slack translates it into blocks of its own, by a parser that it says little about. So what must not
ring does not depend on how that reads escapes: a zero-width space parts every `<` of the text from
what follows, and whatever an entity could be made of. The only mentions are those made here.
https://docs.slack.dev/reference/block-kit/blocks/markdown-block
"""

from __future__ import annotations

import re
from typing import Final

from adapters.markdown import marks
from adapters.markdown.clean import ZERO_WIDTH_SPACE
from adapters.markdown.escapes import escaped, escaped_start
from adapters.markdown.slack import IDS, SIGILS

SLACK_MARKDOWN_ATOM: Final = re.compile(r"\\.|\[(?:\\.|[^\\\[\]\n])*\]\([^()\s]*\)|<[@#][^<>\s]*>")
"""What a cut must not tear apart: escaped characters, links, mentions."""

_TAG = re.compile(r"<(?!\s)")
_ENTITY = re.compile(r"&(?=#|\w+;|lt|commat|excl)", re.IGNORECASE)
_WHOLE_ENTITY = re.compile(r"&(?=#?\w+;)")
_SIGIL = re.compile(r"<(?=[^\w\s!-~]*[@#!])")
_MENTION = re.compile(r"<([@#])([A-Z0-9]{2,64})>")
_CODE_OR_ESCAPED = re.compile(rf"{marks.CODE}[^{marks.CODE}]*{marks.CODE}|\\.")
_KINDS = {sigil: kind for kind, sigil in SIGILS.items()}


class SlackMarkdown:
    """The dialect of the block: headings, lists, quotes and code as in CommonMark. Tables are code,
    for Slack takes one of its own in a message and refuses the message for a second.
    """

    signs: Final = {
        marks.STRONG: "**",
        marks.EMPHASIS: "*",
        marks.STRIKE: "~~",
        marks.SPOILER: "\\|\\|",
        marks.CODE: "`",
    }
    edged: Final[frozenset[str]] = frozenset()
    atom: Final = SLACK_MARKDOWN_ATOM
    bullet: Final = "- "
    hanging: Final = None
    # A single line end may be a space; two spaces before it keep the lines of the author.
    newline: Final = "  \n"
    heading_levels: Final = 6
    markdown_blocks: Final = True
    indented_blocks: Final = True
    schemes: Final = ("http://", "https://", "mailto:")

    def text(self, text: str) -> str:
        parted = _ENTITY.sub(f"&{ZERO_WIDTH_SPACE}", text)
        return _TAG.sub(f"<{ZERO_WIDTH_SPACE}", escaped(parted))

    def code(self, code: str) -> str:
        # Code is for copying: nothing is parted but what might be a mention.
        return _SIGIL.sub(f"<{ZERO_WIDTH_SPACE}", code)

    def line(self, line: str) -> str:
        """A "!" is markup before a link alone, and ends too many sentences to be escaped in all."""
        return _CODE_OR_ESCAPED.sub(lambda match: _settled(match, line), line)

    def line_start(self, line: str) -> str:
        return escaped_start(line)

    def link(self, target: str, label: str) -> str:
        address = _WHOLE_ENTITY.sub("&amp;", target).replace("(", "%28").replace(")", "%29")
        return f"[{self.text(label)}]({address})"

    def address(self, target: str) -> str:
        return self.link(target, target.removeprefix("mailto:"))

    def mention(self, kind: str, mentioned: str) -> str | None:
        return f"<{SIGILS[kind]}{mentioned}>" if IDS[kind].fullmatch(mentioned) else None


SLACK_MARKDOWN: Final = SlackMarkdown()


def _settled(match: re.Match[str], line: str) -> str:
    before_link = line.startswith("[", match.end())
    return "!" if match[0] == "\\!" and not before_link else match[0]


def portable(text: str) -> str:
    """Return Markdown of this dialect as an agent could have written it, for another rendering."""
    return _MENTION.sub(lambda match: f"@[{_KINDS[match[1]]}:{match[2]}]", text)
