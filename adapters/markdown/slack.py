"""Slack mrkdwn. Pure; the only place that escapes for Slack.

Every `<` of the text leaves as `&lt;`, so no agent can produce `<!channel>` or `<@U...>`: the only
`<` in the output are links and mentions made here. Marks cannot be escaped in mrkdwn at all, so a
literal one that might be read as markup is shown by a sign that looks the same.
https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from adapters.markdown import marks
from adapters.markdown.clean import ZERO_WIDTH_SPACE
from adapters.markdown.line import LOOKALIKE_BACKTICK

SLACK_ATOM: Final = re.compile(r"<[^<>\n]*>|&(?:amp|lt|gt);")
"""What a cut must not tear apart in mrkdwn: links and escaped characters."""

_LOOKALIKES = {"*": "\u2217", "_": "\u02cd", "~": "\u223c", "`": LOOKALIKE_BACKTICK}
_OWN_OR_LITERAL = re.compile(f"<[^<>\n]*>|{marks.CODE}[^{marks.CODE}]*{marks.CODE}|[*_~`]")
IDS: Final = {
    "user": re.compile("[UW][A-Z0-9]{1,63}"),
    "channel": re.compile("[CDG][A-Z0-9]{1,63}"),
}
SIGILS: Final = {"user": "@", "channel": "#"}


class Slack:
    """The dialect of Slack: no headings, no languages, code in no quote."""

    signs: Final = {
        marks.STRONG: "*",
        marks.EMPHASIS: "_",
        marks.STRIKE: "~",
        marks.SPOILER: "||",
        marks.CODE: "`",
    }
    edged: Final = frozenset({marks.STRONG, marks.EMPHASIS, marks.STRIKE, marks.CODE})
    atom: Final = SLACK_ATOM
    bullet: Final = "• "
    hanging: Final = "    "
    newline: Final = "\n"
    heading_levels: Final = 0
    markdown_blocks: Final = False
    indented_blocks: Final = False
    schemes: Final = ("http://", "https://", "mailto:")

    def text(self, text: str) -> str:
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    def code(self, code: str) -> str:
        return self.text(code)

    def line(self, line: str) -> str:
        """Replace literal marks at the edge of a word, if there are two that could pair."""
        count = Counter(match[0] for match in _OWN_OR_LITERAL.finditer(line) if _is_edge(match))
        for mark in self.signs.keys() - {marks.CODE}:
            count[self.signs[mark]] += line.count(mark)
        return _OWN_OR_LITERAL.sub(
            lambda match: (
                _LOOKALIKES[match[0]] if count[match[0]] > 1 and _is_edge(match) else match[0]
            ),
            line,
        )

    def line_start(self, line: str) -> str:
        # An escaped ">" is a quote to Slack all the same.
        return f"{ZERO_WIDTH_SPACE}{line}" if line.startswith("&gt;") else line

    def link(self, target: str, label: str) -> str:
        return f"<{self.text(target)}|{self.text(label)}>"

    def address(self, target: str) -> str:
        return f"<{self.text(target)}>"

    def mention(self, kind: str, mentioned: str) -> str | None:
        return f"<{SIGILS[kind]}{mentioned}>" if IDS[kind].fullmatch(mentioned) else None


def _is_edge(match: re.Match[str]) -> bool:
    """Whether a sign is one of the text and may begin or end emphasis."""
    if match[0] not in _LOOKALIKES:
        return False
    start, end = match.span()
    before, after = match.string[max(0, start - 1) : start], match.string[end : end + 1]
    inside_word = before.isalnum() and after.isalnum()
    alone = (not before or before.isspace()) and (not after or after.isspace())
    return match[0] == "`" or not (inside_word or alone)


SLACK: Final = Slack()
