"""Emoji by Slack's names."""

from __future__ import annotations

import pytest

from adapters.slack.emoji import to_name
from adapters.slack.inbound_emoji import EMOJI, to_emoji


@pytest.mark.parametrize(
    ("emoji", "expected"),
    [
        ("👍", "+1"),
        ("👋🏿", "wave::skin-tone-6"),
        ("❤️", "heart"),
        ("❤", "heart"),
        ("☝🏻", "point_up::skin-tone-2"),
        (":tada:", "tada"),
        ("tada", "tada"),
        ("party-parrot", "party-parrot"),
        ("wave::skin-tone-3", "wave::skin-tone-3"),
        ("wave::skin-tone-7", None),
        ("Tada", None),
        ("🫥", None),
        ("", None),
        ("a b", None),
        ("x" * 101, None),
    ],
)
def test_names(emoji: str, expected: str | None) -> None:
    """A common emoji and whatever looks like a name has one; all else has none."""
    assert expected == to_name(emoji)


@pytest.mark.parametrize("name", sorted(EMOJI))
def test_what_people_see_comes_back_as_they_see_it(name: str) -> None:
    """An agent that answers with the emoji it heard puts up the same one."""
    back = to_name(to_emoji(name))
    assert back is not None
    assert to_emoji(name) == to_emoji(back)
