"""Where texts are cut that go on in another message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.egress.segments import cut, opening

PAGE = "first line\nsecond line\n\nanother paragraph\n\n```python\nx = 1\n\ny = 2\n```\n\nthe end"


@given(st.text(alphabet="a \n`~", max_size=80), st.data())
def test_a_cut_is_in_the_second_half_and_moves_the_message_on(
    text: str, data: st.DataObject
) -> None:
    """Never at the beginning, never behind the end."""
    end = data.draw(st.integers(0, len(text)))
    start = data.draw(st.integers(0, end))
    at = cut(text, start, end)
    assert start + (end - start) // 2 <= at <= end
    assert at > start or start == end


@pytest.mark.parametrize(
    ("end", "before"),
    [
        (len(PAGE) - 3, "```\n\n"),
        (40, "second line\n\n"),
        (18, "first line\n"),
        (6, "first "),
        (4, "firs"),
    ],
)
def test_it_tears_as_little_as_possible(end: int, before: str) -> None:
    """Paragraphs before lines before words."""
    assert PAGE[: cut(PAGE, 0, end)].endswith(before)


def test_code_is_only_cut_when_there_is_nothing_else() -> None:
    """The paragraph before it is the better place."""
    text = "intro\n\nmore\n\n```\na\n\nb\n\nc\n```"
    assert "more\n\n" == text[: cut(text, 0, 22)][-6:]
    code = "```\n" + "line\n" * 20
    assert code[: cut(code, 0, 50)].endswith("line\n")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("no code", ""),
        ("```python\nx", "```python\n"),
        ("```\nx\n```\n", ""),
        ("~~~ a\n```\n", "~~~ a\n"),
        ("````\n```\n", "````\n"),
        ("``` not a fence ` of code\n", ""),
        ("```\n``` not its end\n", "```\n"),
        ("- list\n  ```sh\n  ls\n", "  ```sh\n"),
    ],
)
def test_what_comes_after_code_is_opened_again(text: str, line: str) -> None:
    """By the same line."""
    assert line == opening(text)
