"""Pieces of Markdown that Slack renders itself: put together in any way, they summon nobody."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.markdown.clean import ZERO_WIDTH_SPACE
from adapters.slack.raw_markdown import defused_piece
from tests.contracts.outbound import MASS_MENTIONS

NAMES = "channel|here|everyone|subteam|group"
SUMMONS = re.compile(rf"(?:<\\*!|&lt;\\*!|@|&#64;|&commat;)(?:{NAMES})|<[@#!]", re.IGNORECASE)
_BITS = st.sampled_from(
    [
        *("<", "!", "@", "&lt;", "&#64;", "&commat;", "&", "#", "64", ";", "\\", *NAMES.split("|")),
        *("ch", "annel", "EVERY", "one", "\u200d", "\u0301", " ", "\n", "`", "*", "U0ANN", ">"),
    ]
)


def shown(pieces: list[str]) -> str:
    """What Slack has when all pieces have come."""
    return "".join(map(defused_piece, pieces))


@given(st.lists(st.lists(_BITS, max_size=8).map("".join), max_size=8))
def test_no_pieces_summon_anybody(pieces: list[str]) -> None:
    """However a text is cut."""
    assert SUMMONS.search(shown(pieces)) is None


@pytest.mark.parametrize("markdown", MASS_MENTIONS)
def test_no_cut_of_a_summons_rings(markdown: str) -> None:
    """Whole, and at every place in two."""
    for at in range(len(markdown) + 1):
        assert SUMMONS.search(shown([markdown[:at], markdown[at:]])) is None


@given(st.lists(st.text(max_size=20), max_size=5))
def test_visibly_nothing_changes(pieces: list[str]) -> None:
    """But for characters that no message may carry."""
    text = shown(pieces).replace(ZERO_WIDTH_SPACE, "")
    assert "".join(shown([each]) for each in pieces).replace(ZERO_WIDTH_SPACE, "") == text


@pytest.mark.parametrize(
    "harmless",
    [
        "**bold** and `code`",
        "```python\n@property\ndef f(x: List[int]) -> bool: return x != 2\n```",
        "mail ann@example.com!",
        "Look here! Everyone, see `a!here`.",
        "| a | b |\n|---|---|\n| 1 | 2 |",
    ],
)
def test_what_is_harmless_stays_as_it_is(harmless: str) -> None:
    """To the letter: it may be code that somebody copies."""
    assert harmless == defused_piece(harmless)


def test_portable_mentions_are_slacks() -> None:
    """Of single users; those of other platforms stay as they were written."""
    assert "Hi <@U0ANN> and @[user:29:1x]" == defused_piece("Hi @[user:U0ANN] and @[user:29:1x]")
