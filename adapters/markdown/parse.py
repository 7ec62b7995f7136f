"""The one parse of agents' Markdown. Every platform's renderer starts from these tokens.

Never looks at a platform, never fails: what is no Markdown is text.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

# Deeper nesting is nobody's document, and a renderer must not follow a text into a deep recursion.
MAX_NESTING = 50
# Every unmatched bracket makes the parser look through the rest of the text: 40,000 took a second,
# in which no other tenant was served.
_MAX_BRACKETS = 4_000


def parse(markdown: str) -> Sequence[Token]:
    """Parse CommonMark with tables and strikethrough; HTML stays text, bare addresses stay text."""
    if markdown.count("[") > _MAX_BRACKETS:
        return _as_written(markdown)
    tokens = _parser().parse(markdown)
    if any(token.level >= MAX_NESTING - 1 for token in tokens):
        # The parser silently drops what lies deeper than its limit, so the text is shown as it is.
        return _as_written(markdown)
    return tokens


@cache
def _parser() -> MarkdownIt:
    options = {"html": False, "linkify": False, "maxNesting": MAX_NESTING}
    return MarkdownIt("commonmark", options).enable(["table", "strikethrough"])


def _as_written(markdown: str) -> Sequence[Token]:
    text = Token("text", "", 0, content=markdown)
    return [Token("inline", "", 0, content=markdown, children=[text])]
