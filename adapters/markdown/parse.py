"""The one parse of agents' Markdown. Every platform's renderer starts from these tokens.

Never looks at a platform, never fails: what is no Markdown is text.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import msgspec
from markdown_it import MarkdownIt
from markdown_it.token import Token

from adapters.markdown.clean import cleaned
from adapters.markdown.syntax import extend, mark_tasks

# Deeper nesting is nobody's document; the parser asks every open quote about every line again.
MAX_NESTING = 24
# Every unmatched bracket makes the parser look through the rest of the text: 40,000 took a second,
# in which no other tenant was served.
_MAX_BRACKETS = 4_000


class Document(msgspec.Struct, frozen=True):
    """Tokens, and the lines of the source that they were read from."""

    tokens: Sequence[Token]
    lines: Sequence[str]


def parse(markdown: str) -> Document:
    """Parse CommonMark with tables, strikethrough and what syntax.py adds. HTML stays text.

    Control characters are dropped, also those that the source only names (`&#x202e;`).
    """
    source = cleaned(markdown)
    lines = source.split("\n")
    if source.count("[") > _MAX_BRACKETS:
        return Document(_as_written(lines), lines)
    tokens = _parser().parse(source)
    if any(token.level >= MAX_NESTING - 1 for token in tokens):
        # The parser silently drops what lies deeper than its limit, so the text is shown as it is.
        return Document(_as_written(lines), lines)
    for token in tokens:
        _clean(token.children or [])
    mark_tasks(tokens)
    return Document(tokens, lines)


@cache
def _parser() -> MarkdownIt:
    options = {"html": False, "linkify": False, "maxNesting": MAX_NESTING}
    parser = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
    return extend(parser.disable(["html_block", "html_inline"]))


def _clean(children: Sequence[Token]) -> None:
    for token in children:
        # A line end that was named (`&#10;`) would begin a heading, a list or a fence.
        token.content = cleaned(token.content).replace("\n", " ")
        _clean(token.children or [])


def _as_written(lines: Sequence[str]) -> list[Token]:
    children: list[Token] = []
    for line in lines:
        children += [Token("softbreak", "", 0), Token("text", "", 0, content=line)]
    return [Token("inline", "", 0, children=children[1:])]
