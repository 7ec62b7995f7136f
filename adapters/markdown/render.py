"""Markdown to the texts of messages: parse, write, cut. Pure."""

from __future__ import annotations

from collections.abc import Callable

from adapters.markdown.blocks import write_blocks
from adapters.markdown.clean import cleaned, defused
from adapters.markdown.dialect import Dialect
from adapters.markdown.parse import parse
from adapters.markdown.split import Block, split


def render_parts(
    markdown: str, dialect: Dialect, *, limit: int, measure: Callable[[str], int] = len
) -> list[str]:
    """Render Markdown as the texts of one or more messages; none for Markdown without any text.

    No part is larger than `limit`, in the unit of `measure`.
    """
    if not cleaned(markdown).strip():
        return []
    # Markdown of nothing but link definitions has no text of its own: better odd than silent.
    for blocks in write_blocks(parse(markdown), dialect), [_as_written(markdown, dialect)]:
        parts = split(
            blocks,
            limit=limit,
            atom=dialect.atom,
            measure=measure,
            signs=dialect.signs,
            line_start=dialect.line_start,
        )
        if parts:
            return parts
    return []


def _as_written(markdown: str, dialect: Dialect) -> Block:
    lines = cleaned(markdown).split("\n")
    text = "\n".join(dialect.line_start(dialect.line(dialect.text(line))) for line in lines)
    return Block(text=defused(text))
