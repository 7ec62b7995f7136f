"""What holds for every text on every platform."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from adapters.markdown.clean import cleaned
from tests.adapters.markdown.platforms import (
    DISCORD,
    SLACK,
    SLACK_TEXT,
    TEAMS,
    Platform,
    every_platform,
)

MARKUP = ["*", "**", "_", "~~", "~", "`", "``", "```", "\\", "|", "||", "<", ">", "&", "#", "!"]
SUMMONS = ["<!channel>", "<@U0ALICEAA>", "<@&1>", "@everyone", "@", "here", "@\u0300here", "&#64;"]
LINKS = ["[x](https://e.com)", "https://e.com/a_b", "[", "](", ")", "<https://e.com>", "![a](b)"]
LINES = ["\n", "\n\n", "- ", "1. ", "> ", "# ", "    ", "---\n", "===\n", "[f]: /u", "- [ ] "]
TABLES = ["| a | b |\n|---|---|\n", "| c |\n", "```py\n", "~~~\n"]
ODD = ["\u202e", "&#x202e;", "&#10;", "\x1b", "\ufdd0", "\ud800", "\u200b", "\u0645", "中", "😀"]
TEXT = ["word", " ", "x1 ", "é", "x" * 50]

MENTIONS = [
    "@[user:U0ALICEAA]",
    "@[user:29:x]",
    "@[channel:1234567890]",
    "@[user:",
    "@[channel:here]",
]


def texts(*pieces: str) -> st.SearchStrategy[str]:
    """Texts of such pieces or of anything, now and then long enough to be cut."""
    hostile = st.lists(st.sampled_from(pieces), max_size=40).map("".join)
    times = st.sampled_from([1, 1, 1, 40])
    return st.builds(lambda text, times: text * times, hostile | st.text(max_size=200), times)


HOSTILE = (*MARKUP, *SUMMONS, *LINKS, *LINES, *TABLES, *ODD, *TEXT)
laws = settings(max_examples=60, deadline=None, derandomize=True)


@every_platform
@laws
@given(texts(*HOSTILE))
def test_parts_fit_and_are_whole(platform: Platform, source: str) -> None:
    """No part is blank or too large, and none leaves a fence open."""
    parts = platform.render(source)
    assert bool(cleaned(source).strip()) == bool(parts)
    for part in parts:
        assert part.strip()
        assert platform.measure(part) <= platform.limit
        assert len(re.findall(r"^(?:> )?\s*```", part, re.MULTILINE)) % 2 == 0
        assert part.count("```") % 2 == 0


@every_platform
@laws
@given(texts(*HOSTILE, *MENTIONS))
def test_nobody_is_summoned(platform: Platform, source: str) -> None:
    """No mention, no tag and no control character but those that the renderer makes itself."""
    for part in platform.render(source):
        assert platform.forbidden.search(platform.own.sub("+", part)) is None


@every_platform
@laws
@given(texts(*HOSTILE))
def test_all_text_arrives_in_order(platform: Platform, source: str) -> None:
    """Every letter that Markdown shows; links and repeated heads may add some."""
    rendered = iter("\n".join(platform.render(source)))
    assert all(letter in rendered for letter in visible_letters(source))


WORDS = st.lists(st.text("abcxyz", min_size=1, max_size=8), min_size=1, max_size=60)
SHAPES = ["{}", "**{}**", "*{}*", "`{}`", "~~{}~~", "||{}||", "\n- {}", "\n> {}", "\n# {}\n"]
FENCES = ["\n\n```\n{}\n```\n\n", "\n\n|{}|\n|-|\n\n"]


@every_platform
@laws
@given(WORDS, st.data(), st.sampled_from([1, 1, 20]))
def test_words_arrive_once(
    platform: Platform, words: list[str], data: st.DataObject, times: int
) -> None:
    """Nothing is said twice either."""
    shapes = st.sampled_from([*SHAPES, *FENCES])
    shaped = " ".join(data.draw(shapes).format(word) for word in words)
    rendered = "\n".join(platform.render("\n\n".join([shaped] * times)))
    assert words * times == re.findall("[a-z]+", rendered)


@pytest.mark.parametrize("platform", [SLACK, TEAMS], ids=lambda platform: platform.name)
@laws
@given(texts(*HOSTILE))
def test_a_reader_of_markdown_sees_what_the_agent_wrote(platform: Platform, source: str) -> None:
    """Both read Markdown: what a reader of it sees in the parts is the text, with no pictures and
    no code but in fences.
    """
    parts = platform.render(source)
    tokens = [token for part in parts for token in read(part, html=True)]
    inside = [child for token in tokens for child in token.children or []]
    assert not {"code_block", "html_block"} & {token.type for token in tokens}
    assert not {"image", "html_inline"} & {token.type for token in inside}
    shown = iter("".join(map(_shown, tokens)))
    assert all(letter in shown for letter in visible_letters(source))


LITERAL = st.text("ab _*~`|<>#[]()!&\\-+=1.@:", min_size=1, max_size=40).filter(str.strip)


@pytest.mark.parametrize("platform", [SLACK, DISCORD, TEAMS], ids=lambda platform: platform.name)
@laws
@given(LITERAL)
def test_literal_text_is_no_markup(platform: Platform, text: str) -> None:
    """All read Markdown, so a reader of Markdown must find the very same text in the output."""
    (rendered,) = platform.render(re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text))
    tokens = read(rendered.replace("\u200b", ""))
    assert ["paragraph_open", "inline", "paragraph_close"] == [token.type for token in tokens]
    (shown,) = (token.children or [] for token in tokens if token.type == "inline")
    assert text.strip() == "".join(token.content for token in shown)


@laws
@given(LITERAL)
def test_literal_text_is_no_mrkdwn(text: str) -> None:
    """Mrkdwn has no escapes for its marks, so no pair of them may stand at the edges of words."""
    (rendered,) = SLACK_TEXT.render(re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text))
    for mark in "*_~":
        sign = re.escape(mark)
        assert not re.search(
            rf"(?<![A-Za-z0-9{sign}]){sign}(?=[^\s{sign}])[^{sign}\n]*(?<=\S){sign}(?![A-Za-z0-9])",
            rendered,
        )
    assert rendered.count("`") < 2
    assert not rendered.startswith(("&gt;", ">"))


NESTED = {
    "brackets": "[",
    "images": "![",
    "emphasis": "*a **b ~~c ",
    "quotes": "> " * 9 + "a\n" + "b\n" * 500,
    "spoilers": "||a ||b|| ",
    "mentions": "@[user:",
    "addresses": "https://e.com/(_))",
    "code": "```[x](\\",
}


@every_platform
@pytest.mark.parametrize("unit", NESTED.values(), ids=NESTED)
def test_hostile_nesting_stays_bounded(platform: Platform, unit: str) -> None:
    """As much as one message may have: quadratic work would not end in the time of a test."""
    source = unit * (40_000 // len(unit))
    parts = platform.render(source)
    assert parts
    assert sum(map(len, parts)) < 10 * len(source)


def read(markdown: str, *, html: bool = False) -> list[Token]:
    """Parse as any reader of Markdown does."""
    reader = MarkdownIt("commonmark", {"html": html}).enable(["table", "strikethrough"])
    return reader.parse(markdown)


def visible_letters(markdown: str) -> Iterable[str]:
    """What a plain reader of Markdown shows, letters and digits alone."""
    shown = "".join(map(_shown, read(cleaned(markdown))))
    return [letter for letter in shown if letter.isalnum()]


def _shown(token: Token) -> str:
    if token.type == "image":
        return "".join(map(_shown, token.children or []))
    return "".join(map(_shown, token.children)) if token.children else token.content
