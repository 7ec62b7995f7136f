"""Cutting rendered blocks into parts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.markdown import marks
from adapters.markdown.escapes import escaped_start
from adapters.markdown.split import Block, split

ATOM = re.compile(r"<[^<>\n]*>|&lt;")


SIGNS = {marks.STRONG: "**", marks.EMPHASIS: "_", marks.CODE: "`"}


def parts(*blocks: Block, limit: int = 40) -> list[str]:
    """Split at a limit that fits on a line of a test."""
    return split(blocks, limit=limit, atom=ATOM)


def marked(text: str, *, limit: int) -> list[str]:
    """Split one line whose marks stand as `{b}`, `{i}` and `{c}`."""
    line = text.format(b=marks.STRONG, i=marks.EMPHASIS, c=marks.CODE)
    return split([Block(text=line)], limit=limit, atom=ATOM, signs=SIGNS, line_start=escaped_start)


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


def test_marks_are_closed_and_opened_again() -> None:
    """Else half of the text would lose its emphasis, and the other half gain some."""
    assert ["**aaaa bbbb** ", "**cccc dddd** ", "**eeee** f"] == marked(
        "{b}aaaa bbbb cccc dddd eeee{b} f", limit=24
    )
    assert ["**_aaaa bbbb_** ", "**_cccc dddd_ eee**"] == marked(
        "{b}{i}aaaa bbbb cccc dddd{i} eee{b}", limit=26
    )


def test_a_cut_leaves_no_empty_marks() -> None:
    """Platforms show marks around nothing as they are."""
    line = "a" * 17 + "{b}" + "b" * 14 + "{b}"
    assert ["a" * 17, f"**{'b' * 14}**"] == marked(line, limit=28)


def test_a_cut_makes_no_markup() -> None:
    """What comes to the start of a line is still the middle of a sentence."""
    assert ["aaaa bbbb ", "\\# cccc dd ", "\\> eeeeeeee"] == marked(
        "aaaa bbbb # cccc dd > eeeeeeee", limit=20
    )


def test_a_fence_keeps_its_language_and_a_table_its_head() -> None:
    """In every part."""
    code = Block(text="\n".join(["x" * 20] * 2), fenced=True, language="py", head="a | b\n--|--")
    assert [f"```py\na | b\n--|--\n{'x' * 20}\n```"] * 2 == parts(code, limit=50)


def test_a_head_too_large_to_repeat_is_written_once() -> None:
    """It would leave no room for rows."""
    table = Block(text="x" * 20, fenced=True, head="h" * 20)
    assert [f"```\n{'h' * 20}\n```", f"```\n{'x' * 20}\n```"] == parts(table)


def test_a_list_stays_whole_if_a_part_can_hold_it() -> None:
    """It rather begins a new part."""
    items = [Block(text=f"- {'x' * 10}", tight=bool(n), keep=bool(n)) for n in range(3)]
    assert ["a" * 10, "\n".join([f"- {'x' * 10}"] * 3)] == parts(Block(text="a" * 10), *items)


def test_a_list_that_no_part_holds_is_cut_between_items() -> None:
    """And fills the part before it."""
    items = [Block(text=f"- {'x' * 10}", tight=bool(n), keep=bool(n)) for n in range(4)]
    assert ["a" * 10 + f"\n\n- {'x' * 10}\n- {'x' * 10}", "\n".join([f"- {'x' * 10}"] * 2)] == (
        parts(Block(text="a" * 10), *items)
    )


def test_a_part_begins_with_three_spaces_at_most() -> None:
    """Four would be code in Markdown."""
    item = Block(text=f"- {'x' * 20}", indent=" " * 6)
    assert ["a" * 38, f"   - {'x' * 20}"] == parts(Block(text="a" * 38), item)


def test_the_limit_is_in_the_unit_of_the_platform() -> None:
    """Here bytes."""
    text = "é" * 30
    made = split([Block(text=text)], limit=40, atom=ATOM, measure=lambda text: 2 * len(text))
    assert ["é" * 20, "é" * 10] == made


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
