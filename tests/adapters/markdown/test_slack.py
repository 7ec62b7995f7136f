"""Agents' Markdown as Slack shows it."""

from __future__ import annotations

import pytest

from adapters.markdown.render import render_parts
from adapters.markdown.slack import SLACK


def shown(markdown: str) -> str:
    """Render a text that fits into one message."""
    (text,) = render_parts(markdown, SLACK, limit=10_000)
    return text


@pytest.mark.parametrize(
    ("markdown", "mrkdwn"),
    [
        ("plain", "plain"),
        ("**b** *i* ~~s~~ `c`", "*b* _i_ ~s~ `c`"),
        ("***x***", "_*x*_"),
        ("**a _b_**", "*a _b_*"),
        ("**a *b* c**", "*a _b_ c*"),
        ("**a **b** c**", "*a b c*"),
        ("****a****", "*a*"),
        ("**a\nb**", "*a*\n*b*"),
        ("foo**bar**baz", "foo\u200b*bar*\u200bbaz"),
        ("a`b`c", "a\u200b`b`\u200bc"),
        ("a  \nb\\\nc", "a\nb\nc"),
        ("`` a`b ``", "`a\u02cbb`"),
        ("`a<b>&c`", "`a&lt;b&gt;&amp;c`"),
        ("2 < 3 & 4 > 1", "2 &lt; 3 &amp; 4 &gt; 1"),
        ("a \\*b\\* snake_case_name", "a \u2217b\u2217 snake_case_name"),
        ("*args and 2 * 3 * 4 and _x", "*args and 2 * 3 * 4 and _x"),
        ("\\*a \\_b\\_ \\~c~ \\`d\\`", "*a \u02cdb\u02cd \u223cc\u223c \u02cbd\u02cb"),
        ("**a** \\*b", "*a* \u2217b"),
        ("`*a*` \\*b", "`*a*` *b"),
        ("https://e.com/_a_b \\_b\\_", "<https://e.com/_a_b> \u02cdb\u02cd"),
        ("**a&#32;** b", "*a*  b"),
        ("||hidden **b**||", "||hidden *b*||"),
        (":white_check_mark: :+1:", ":white_check_mark: :+1:"),
    ],
)
def test_inline(markdown: str, mrkdwn: str) -> None:
    """Emphasis inside emphasis, at the edge of words and over line ends."""
    assert mrkdwn == shown(markdown)


@pytest.mark.parametrize(
    ("markdown", "mrkdwn"),
    [
        ("[x](https://e.com)", "<https://e.com|x>"),
        ("[**x** `y`](https://e.com/?a=1&b=2)", "<https://e.com/?a=1&amp;b=2|x y>"),
        ("[a|b > c](https://e.com/a|b)", "<https://e.com/a%7Cb|a|b &gt; c>"),
        ("<https://e.com>", "<https://e.com>"),
        ("see (https://e.com/a_(b)).", "see (<https://e.com/a_(b)>)."),
        ("https://e.com/?a=1&amp;b=_2", "<https://e.com/?a=1&amp;b=_2>"),
        ("[bank.com](https://evil.com)", "bank.com (<https://evil.com>)"),
        ("[https://bank.com](https://evil.com)", "https://bank.com (<https://evil.com>)"),
        ("[a@bank.com](mailto:a@evil.com)", "a@bank.com (<mailto:a@evil.com>)"),
        ("[bank\u3002com](https://evil.com)", "bank\u3002com (<https://evil.com>)"),
        ("[b\u00adank.com](https://bank.co)", "b\u00adank.com (<https://bank.co>)"),
        ("[bank.com](https://bank.com@e.com)", "bank.com (<https://bank.com@e.com>)"),
        ("[e.com](https://e.com/page)", "<https://e.com/page|e.com>"),
        ("[main.py](https://e.com/src/main.py)", "<https://e.com/src/main.py|main.py>"),
        ("[x](https://e.com/@here)", "<https://e.com/%40here|x>"),
        ("<a@e.com>", "<mailto:a@e.com|a@e.com>"),
        ("[](https://e.com)", "<https://e.com>"),
        ("![alt *text*](https://e.com/i.png)", "<https://e.com/i.png|alt text>"),
        ("![](https://e.com/i.png)", "<https://e.com/i.png>"),
        ("[x](/relative)", "x (/relative)"),
        ("[x](ftp://e.com/f)", "x (ftp://e.com/f)"),
        ("[x](javascript:alert)", "[x](javascript:alert)"),
        ("[x]()", "x"),
    ],
)
def test_links(markdown: str, mrkdwn: str) -> None:
    """Only web and mail addresses become links; the others are read as text."""
    assert mrkdwn == shown(markdown)


def test_a_link_too_long_for_a_message_is_written_out() -> None:
    """It could not be kept whole, and half a link would be garbage."""
    address = "https://e.com/" + "a" * 2_000
    assert f"x ({address})" == shown(f"[x]({address})")


@pytest.mark.parametrize(
    ("markdown", "mrkdwn"),
    [
        ("# One *two* **three**\n\ntext", "*One _two_ three*\n\ntext"),
        ("- a\n- b\n  - c\n    - d\n- e", "• a\n• b\n    • c\n        • d\n• e"),
        ("3. a\n4. b\n   more", "3. a\n4. b\n    more"),
        ("- a\n\n  second\n- b", "• a\n    second\n• b"),
        ("1. - a", "1.\n    • a"),
        ("- a\n  ```\n  x\n  ```\n- b", "• a\n```\nx\n```\n• b"),
        ("- [ ] open\n- [x] done", "• ☐ open\n• ☑ done"),
        ("-\n- b", "•\n• b"),
        ("> a `b`\n> c", "> a `b`\n> c"),
        ("> a\n>> b", "> a\n\n> b"),
        ("> - a\n> - b", "> • a\n> • b"),
        ("> ```\n> x\n> ```", "```\nx\n```"),
        ("```py\nif a < b:\n    *c*\n```", "```\nif a &lt; b:\n    *c*\n```"),
        ("    indented", "```\nindented\n```"),
        ("~~~\n```\n~~~", "```\n``\u200b`\n```"),
        ("a\n\n---\n\nb", "a\n\n———\n\nb"),
        ("<div>**x**</div>", "&lt;div&gt;*x*&lt;/div&gt;"),
        ("\\> no quote", "\u200b&gt; no quote"),
        ("<!-- note -->", "&lt;!-- note --&gt;"),
    ],
)
def test_blocks(markdown: str, mrkdwn: str) -> None:
    """Lists, quotes, code, headings, rules and HTML."""
    assert mrkdwn == shown(markdown)


def test_a_table_is_a_monospace_block() -> None:
    """Slack has no tables."""
    markdown = "| name | n |\n|:--|--:|\n| **ann** | 1 |\n| `b<c` | 22 |"
    assert "```\nname | n\n-----|---\nann  | 1\nb&lt;c  | 22\n```" == shown(markdown)


def test_a_table_with_loose_cells_is_shown_as_written() -> None:
    """The parser drops a cell that has no head; the reader shall not miss it."""
    markdown = "| a |\n|---|\n| b | lost? |"
    assert f"```\n{markdown}\n```" == shown(markdown)


@pytest.mark.parametrize(
    "markdown",
    [
        "<!channel>",
        "`<!here>`",
        "```\n<!everyone>\n```",
        "&lt;!channel&gt;",
        "\\<!channel>",
        "[<!here>](https://e)",
        "[x](<!channel>)",
        "![<!here>](i)",
        "| <!here> |\n|---|",
        "<@U0ALICEAA>",
    ],
)
def test_nobody_is_summoned(markdown: str) -> None:
    """An agent must not be able to ring everybody's phone."""
    text = shown(markdown)
    assert "<!" not in text
    assert "<@" not in text


@pytest.mark.parametrize(
    ("markdown", "mrkdwn"),
    [
        ("hi @[user:U0ALICEAA], see @[channel:C0GENERAL]", "hi <@U0ALICEAA>, see <#C0GENERAL>"),
        ("**@[user:U0ALICEAA]**", "*<@U0ALICEAA>*"),
        ("@[user:U0ALICEAA](https://e.com)", "<@U0ALICEAA>(<https://e.com>)"),
        ("@[user:channel] @[user:C0GENERAL]", "@[user:channel] @[user:C0GENERAL]"),
        ("@[channel:here] @[role:R0]", "@[channel:here] @[role:R0]"),
        ("@[user:U0|x] @[user:]", "@[user:U0|x] @[user:]"),
        ("`@[user:U0ALICEAA]`", "`@[user:U0ALICEAA]`"),
        ("\\@[user:U0ALICEAA]", "@[user:U0ALICEAA]"),
        ("[@[user:U0ALICEAA]](https://e.com)", "<https://e.com|@[user:U0ALICEAA]>"),
    ],
)
def test_mentions(markdown: str, mrkdwn: str) -> None:
    """Ids of this platform ring; everything else is text, as in code."""
    assert mrkdwn == shown(markdown)


def test_nesting_without_end_is_shown_as_written() -> None:
    """The parser would drop it, and a renderer would run out of stack."""
    assert "\u200b" + "&gt;" * 200 + " deep" == shown(">" * 200 + " deep")
    assert shown("*a **b " * 500 + "*" * 1_500)
