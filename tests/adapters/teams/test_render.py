"""Agents' Markdown as Teams shows it."""

from __future__ import annotations

import pytest

from adapters.teams.outbound import MAX_TEXT_BYTES, mention_entities, render, text_bytes

ZWSP = "\u200b"
ENTRA_ID = "0a1b2c3d-0000-4000-8000-0123456789ab"


def shown(markdown: str) -> str:
    """Render a text that fits into one message."""
    (text,) = render(markdown)
    return text


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("**b** *i* ~~s~~ `c`", "**b** *i* ~~s~~ `c`"),
        ("***x*** foo**bar**baz", "***x*** foo**bar**baz"),
        ("a\nb  \nc", "a  \nb  \nc"),
        ("||hidden||", "\\|\\|hidden\\|\\|"),
        ("\\*a\\* \\_b\\_ \\`c\\` snake_case", "\\*a\\* \\_b\\_ \\`c\\` snake_case"),
        ("2 < 3 & 4 > 1 &amp;lt;", "2 &lt; 3 &amp; 4 &gt; 1 &amp;lt;"),
        ("<b>x</b> <!-- c -->", "&lt;b&gt;x&lt;/b&gt; &lt;!-- c --&gt;"),
        ("`a < b`", "`a < b`"),
    ],
)
def test_inline(markdown: str, expected: str) -> None:
    """Emphasis is written again; HTML is text."""
    assert expected == shown(markdown)


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("[x](https://e.com/a_(b))", "[x](https://e.com/a_%28b%29)"),
        ("https://e.com/a_b.", "[https://e.com/a_b](https://e.com/a_b)."),
        ("<a@e.com>", "[a@e.com](mailto:a@e.com)"),
        ("[x](https://e.com/?a=1&b=2&amp;lt;=3)", "[x](https://e.com/?a=1&b=2&amp;lt;=3)"),
        ("![alt](https://e.com/i.png)", "[alt](https://e.com/i.png)"),
        ("\\![x](https://e.com/i.png)", "\\![x](https://e.com/i.png)"),
        ("[bank.com](https://evil.com)", "bank.com ([https://evil.com](https://evil.com))"),
        ("[x](ftp://e.com)", "x (ftp://e.com)"),
    ],
)
def test_links(markdown: str, expected: str) -> None:
    """An image is a link: one that loads by itself would tell its address to a stranger."""
    assert expected == shown(markdown)


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("# A *b*\n## B", "**A *b***\n\n**B**"),
        ("- a\n- b\n  - c\n    1. d", "- a\n- b\n  - c\n    1. d"),
        ("1. a\n\n   b\n2. c", "1. a\n\n   b\n2. c"),
        ("- a\n  b", "- a  \n  b"),
        ("1. a\n   ```py\n   x\n   ```\n2. b", "1. a\n   ```py\n   x\n   ```\n2. b"),
        ("> a\n> - b\n>\n> ```\n> c\n> ```", "> a\n> \n> - b\n> \n> ```\n> c\n> ```"),
        ("> - a\n>\n>   b", "> - a\n> \n>   b"),
        ("- a\n  > b\n  > - c", "- a\n\n  > b\n  > - c"),
        ("> | a | b |\n> |--|--|\n> | 1 | 2 |", "> ```\n> a | b\n> --|--\n> 1 | 2\n> ```"),
        ("| a | b |\n|--|--|\n| 1 | `<` |", "```\na | b\n--|--\n1 | <\n```"),
        ("\\# a\n\\- b\n\\+ c\n1\\. d\n\\===", "\\# a  \n\\- b  \n\\+ c  \n1\\. d  \n\\==="),
    ],
)
def test_blocks(markdown: str, expected: str) -> None:
    """Headings are bold lines and tables monospace: Teams documents neither for messages."""
    assert expected == shown(markdown)


def test_a_mention_comes_with_its_entity() -> None:
    """Teams wants the text and the entity; a second mention of the same user needs no other."""
    text = shown(f"@[user:29:1x-Y_z] @[user:ann@e.com] @[user:{ENTRA_ID}] @[user:ann@e.com]")
    users = ["29:1x-Y_z", "ann@e.com", ENTRA_ID]
    assert " ".join(f"<at>{user}</at>" for user in [*users, "ann@e.com"]) == text
    entities = [
        {"type": "mention", "text": f"<at>{user}</at>", "mentioned": {"id": user, "name": user}}
        for user in users
    ]
    assert entities == mention_entities(text)


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("<at>29:x</at>", "&lt;at&gt;29:x&lt;/at&gt;"),
        ("`<at>29:x</at>`", f"`<{ZWSP}at>29:x<{ZWSP}/at>`"),
        ("```\n<AT>29:x</at>\n```", f"```\n<{ZWSP}AT>29:x<{ZWSP}/at>\n```"),
        ("@[user:U0ALICEAA]", "@\\[user:U0ALICEAA\\]"),
        ("@[channel:19:x@thread.tacv2]", "@\\[channel:19:x@thread.tacv2\\]"),
        ("`@[user:29:x]`", "`@[user:29:x]`"),
        ("@everyone", f"@{ZWSP}everyone"),
    ],
)
def test_nobody_else_is_mentioned(markdown: str, expected: str) -> None:
    """A tag that an agent wrote itself is text, and has no entity."""
    text = shown(markdown)
    assert expected == text
    assert mention_entities(text) == []


def test_parts_are_measured_as_teams_measures() -> None:
    """Emoji take four bytes in UTF-16, so a part holds half as many of them."""
    parts = render("\U0001f600" * 10_000)
    assert 2 == len(parts)
    assert 40_000 == sum(map(text_bytes, parts))
    assert MAX_TEXT_BYTES - 50 < text_bytes(parts[0]) <= MAX_TEXT_BYTES


def test_a_part_never_begins_with_code_by_indentation() -> None:
    """Four spaces at the start of a message are code in Markdown."""
    items = "\n".join(f"      - {'word ' * 300}{number}" for number in range(20))
    parts = render(f"- a\n  - b\n    - c\n{items}")
    assert 2 < len(parts)
    assert all(not part.startswith("    ") for part in parts)
