"""Cutting rendered blocks into parts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.markdown.split import Block, split

ATOM = re.compile(r"<[^<>\n]*>|&lt;")


def parts(*blocks: Block, limit: int = 40) -> list[str]:
    """Split at a limit that fits on a line of a test."""
    return split(blocks, limit=limit, atom=ATOM)


def test_blocks_that_fit_stay_together() -> None:
    """An empty line between them, unless the second is tight."""
    blocks = [Block(text="one"), Block(text="two"), Block(text="three", tight=True)]
    assert ["one\n\ntwo\nthree"] == parts(*blocks)


def test_cuts_fall_between_blocks_first() -> None:
    """A paragraph that fits into a part of its own is not torn."""
    assert ["a" * 30, "b" * 30] == parts(Block(text="a" * 30), Block(text="b" * 30))


def test_cuts_fall_between_lines_next() -> None:
    """A long block goes line by line."""
    assert [f"{'a' * 30}\nb", "c" * 39] == parts(Block(text=f"{'a' * 30}\nb\n{'c' * 39}"))


def test_a_long_line_is_cut_at_a_space() -> None:
    """Words stay whole where they can."""
    assert [f"{'a' * 30} ", "b" * 20] == parts(Block(text=f"{'a' * 30} {'b' * 20}"))


def test_a_word_without_end_is_cut_anywhere() -> None:
    """No text is too odd to be sent."""
    assert ["a" * 40, "a" * 40, "a"] == parts(Block(text="a" * 81))


@pytest.mark.parametrize("atom", ["<https://x|y z>", "&lt;"])
def test_an_atom_is_not_cut(atom: str) -> None:
    """Half a link is garbage, and half an escape too."""
    assert ["a" * 38, f"{atom}b"] == parts(Block(text=f"{'a' * 38}{atom}b"))


def test_a_fence_is_closed_and_opened_again() -> None:
    """Each part stands for itself, or the rest of the message would be code."""
    code = Block(text="\n".join(["x" * 20] * 3), fenced=True)
    assert [f"```\n{'x' * 20}\n```"] * 3 == parts(code)


def test_a_quote_goes_on_in_the_next_part() -> None:
    """Every line of it is marked, also those made by cutting."""
    assert [f"> {'q' * 38}", "> qq"] == parts(Block(text="q" * 40, prefix="> "))


def test_nothing_but_white_space_makes_no_part() -> None:
    """Platforms refuse such a message."""
    assert parts(Block(text="\n" * 100)) == []


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.builds(
            Block,
            text=st.text("ab <>&lt;\n", max_size=120),
            prefix=st.sampled_from(["", "> "]),
            fenced=st.booleans(),
            tight=st.booleans(),
        ),
        max_size=6,
    ),
    st.integers(20, 60),
)
def test_parts_hold_the_limit_and_every_character(blocks: list[Block], limit: int) -> None:
    """What goes in comes out, in parts that are short enough and have both ends of every fence."""
    made = parts(*blocks, limit=limit)
    assert all(part.strip() and len(part) <= limit for part in made)
    assert all(part.count("```") % 2 == 0 for part in made)
    assert letters("".join(block.text for block in blocks)) == letters("".join(made))


def letters(text: str) -> str:
    """What is left of a text without the characters that cutting may add."""
    return re.sub(r"[\s`>]", "", text)
