"""Agents' Markdown as Discord shows it."""

from __future__ import annotations

import pytest

from adapters.discord.outbound import MAX_TEXT_CHARS, render

ZWSP = "\u200b"


def shown(markdown: str) -> str:
    """Render a text that fits into one message."""
    (text,) = render(markdown)
    return text


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("**b** *i* ~~s~~ `c` ||h||", "**b** _i_ ~~s~~ `c` ||h||"),
        ("***x*** **a *b***", "_**x**_ **a _b_**"),
        ("foo**bar**baz foo*bar*baz", f"foo**bar**baz foo{ZWSP}_bar_{ZWSP}baz"),
        ("**a\nb**", "**a**\n**b**"),
        ("a  \nb\\\nc", "a\nb\nc"),
        ("||a **b**|| x||y||z", "||a **b**|| x\\|\\|y\\|\\|z"),
        ("\\*a\\* \\_b\\_ \\~~c~~ \\`d\\` \\\\", "\\*a\\* \\_b\\_ \\~\\~c\\~\\~ \\`d\\` \\\\"),
        ("snake_case_name _x", "snake_case_name \\_x"),
        ("`a * b \\ c`", "`a * b \\ c`"),
        (":white_check_mark: :+1:", ":white_check_mark: :+1:"),
        ("\u0645\u0631\u062d\u0628\u0627 **x**", "\u0645\u0631\u062d\u0628\u0627 **x**"),
    ],
)
def test_inline(markdown: str, expected: str) -> None:
    """Emphasis is written again, and what only looks like it is escaped."""
    assert expected == shown(markdown)


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("[x](https://e.com)", "[x](<https://e.com>)"),
        ("https://e.com/a_b_c.", "<https://e.com/a_b_c>."),
        ("![alt](https://e.com/i.png)", "[alt](<https://e.com/i.png>)"),
        ("[a](mailto:a@e.com) <a@e.com>", "a (mailto:a@e.com) a@e.com"),
        ("[x](/relative)", "x (/relative)"),
        ("[bank.com](https://evil.com)", "bank.com (<https://evil.com>)"),
        ("\\[x](https://e.com)", "\\[x\\](<https://e.com>)"),
        ("[a\\]b](https://e.com)", "[a\\]b](<https://e.com>)"),
    ],
)
def test_links(markdown: str, expected: str) -> None:
    """They show no preview, and none leads to another place than it says."""
    assert expected == shown(markdown)


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("# A *b*\n## B\n### C\n#### D", "# A _b_\n\n## B\n\n### C\n\n**D**"),
        ("a\nb\n===", "# a b"),
        ("- # x", "- **x**"),
        ("- a\n- b\n  - c\n    - d", "- a\n- b\n  - c\n    - d"),
        ("9. a\n10. b\n    - c", "9. a\n10. b\n    - c"),
        ("- [ ] a\n- [x] b", "- ☐ a\n- ☑ b"),
        ("- a\n  ```py\n  x\n  ```\n- b", "- a\n```py\nx\n```\n- b"),
        ("> a\n>\n> ```js\n> x\n> ```", "> a\n> \n> ```js\n> x\n> ```"),
        ("> - a\n>   - b", "> - a\n>   - b"),
        ("```c++ title=x\nint *a;\n```", "```c++\nint *a;\n```"),
        ("```<b>\nx\n```", "```\nx\n```"),
        ("~~~\n```\n~~~", f"```\n``{ZWSP}`\n```"),
        ("a\n\n---\n\nb", "a\n\n———\n\nb"),
        ("| a | b |\n|--|--|\n| 中 | 1 |\n| x | 2 |", "```\na  | b\n---|--\n中 | 1\nx  | 2\n```"),
        ("\\# a\n\\-# b\n\\- c\n\\> d\n1\\. e", "\\# a\n\\-# b\n\\- c\n\\> d\n1\\. e"),
        ("a &#10;# b", "a  # b"),
    ],
)
def test_blocks(markdown: str, expected: str) -> None:
    """What Discord has is kept; a table is columns of a monospace block."""
    assert expected == shown(markdown)


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("hi @[user:80351110224678912]", "hi <@80351110224678912>"),
        ("@[channel:103735883630395392]", "<#103735883630395392>"),
        ("@[user:U0ALICEAA]", "@\\[user:U0ALICEAA\\]"),
        ("@[user:\u0661\u0662]", "@\\[user:\u0661\u0662\\]"),
        ("`@[user:80351110224678912]`", "`@[user:80351110224678912]`"),
    ],
)
def test_mentions(markdown: str, expected: str) -> None:
    """Only ids of digits are Discord's."""
    assert expected == shown(markdown)


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("@everyone @HERE", f"@{ZWSP}everyone @{ZWSP}HERE"),
        ("`@everyone`", f"`@{ZWSP}everyone`"),
        ("@\u202eeveryone @e\u0300veryone", f"@{ZWSP}everyone @{ZWSP}e\u0300veryone"),
        ("@&#101;veryone \\@here", f"@{ZWSP}everyone @{ZWSP}here"),
        ("<@80351110224678912> <@&1>", f"\\<{ZWSP}@80351110224678912> \\<{ZWSP}@&1>"),
        ("`<@80351110224678912>`", f"`<{ZWSP}@80351110224678912>`"),
        ("<t:1618953630> </a:1>", f"\\<{ZWSP}t:1618953630> \\<{ZWSP}/a:1>"),
    ],
)
def test_nobody_is_summoned(markdown: str, expected: str) -> None:
    """Not even by characters that Discord drops before it looks for mentions."""
    assert expected == shown(markdown)


def test_bold_text_is_bold_in_every_part() -> None:
    """A part that lacks the end of its emphasis shows it as it is."""
    parts = render(f"**{'word ' * 1_000}word**")
    assert 3 == len(parts)
    assert all(part.startswith("**word") and part.rstrip().endswith("word**") for part in parts)


def test_a_long_table_repeats_its_head() -> None:
    """The columns of a second part would have no names."""
    rows = "\n".join(f"| row {number} | x |" for number in range(400))
    parts = render(f"| name | n |\n|--|--|\n{rows}")
    assert 2 < len(parts)
    assert all(part.startswith("```\nname    | n\n--------|--\nrow") for part in parts)
    assert all(part.endswith("\n```") and len(part) <= MAX_TEXT_CHARS for part in parts)


def test_a_long_fence_keeps_its_language() -> None:
    """Each part of it is coloured."""
    parts = render("```py\n" + "print('x')\n" * 400 + "```")
    assert 3 == len(parts)
    assert all(part.startswith("```py\nprint") and part.endswith(")\n```") for part in parts)
