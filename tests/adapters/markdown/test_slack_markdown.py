"""Agents' Markdown as Slack is given it, in a block that Slack renders itself."""

from __future__ import annotations

import pytest

from adapters.markdown.render import render_parts
from adapters.markdown.slack_markdown import SLACK_MARKDOWN, portable
from tests.contracts.outbound import MASS_MENTIONS


def shown(markdown: str) -> str:
    """Render a text that fits into one message."""
    (text,) = render_parts(markdown, SLACK_MARKDOWN, limit=10_000)
    return text


@pytest.mark.parametrize(
    ("markdown", "written"),
    [
        ("**b** *i* ~~s~~ `c`", "**b** *i* ~~s~~ `c`"),
        ("foo**bar**baz", "foo**bar**baz"),
        ("### Third\n\ntext", "### Third\n\ntext"),
        ("a\nb", "a  \nb"),
        ("a \\*b\\* snake_case_name", "a \\*b\\* snake_case_name"),
        ("R&D at AT&T, a && b", "R&D at AT&T, a && b"),
        ("2 < 3 <b> 4 > 1", "2 < 3 <\u200bb> 4 > 1"),
        ("Done! And done!", "Done! And done!"),
        ("Look: \\![x](https://e.com)", "Look: \\![x](https://e.com)"),
        ("`a\\!` and `<b>&lt;`", "`a\\!` and `<b>&lt;`"),
        (":white_check_mark: 🎉", ":white_check_mark: 🎉"),
        ("```py\nif a < b: pass\n```", "```py\nif a < b: pass\n```"),
        ("- [x] done\n- [ ] open", "- ☑ done\n- ☐ open"),
    ],
)
def test_markdown_stays_what_it_is(markdown: str, written: str) -> None:
    """Nothing is escaped that is no markup: people copy it."""
    assert written == shown(markdown)


@pytest.mark.parametrize(
    ("markdown", "written"),
    [
        ("[x](https://e.com/?a=1&b=2)", "[x](https://e.com/?a=1&b=2)"),
        ("[x](https://e.com/?a=1&amp;copy;)", "[x](https://e.com/?a=1&amp;copy;)"),
        ("<https://e.com>", "[https://e.com](https://e.com)"),
        ("[bank.com](https://evil.com)", "bank.com ([https://evil.com](https://evil.com))"),
        ("![pic](https://e.com/i.png)", "[pic](https://e.com/i.png)"),
        ("[x](javascript:alert)", "\\[x\\](javascript:alert)"),
        ("<ann@e.com>", "[ann@e.com](mailto:ann@e.com)"),
    ],
)
def test_links_say_where_they_lead(markdown: str, written: str) -> None:
    """Pictures are links, too."""
    assert written == shown(markdown)


@pytest.mark.parametrize(
    ("markdown", "written"),
    [
        ("Hi @[user:U0ANN] in @[channel:C0NEWS]", "Hi <@U0ANN> in <#C0NEWS>"),
        ("`@[user:U0ANN]`", "`@[user:U0ANN]`"),
        ("@[user:29:x]", "@\\[user:29:x\\]"),
        ("<@U0ANN> <#C0NEWS> <!here>", "<\u200b@U0ANN> <\u200b#C0NEWS> <\u200b!here>"),
        ("`<@U0ANN>`", "`<\u200b@U0ANN>`"),
        ("&lt;!here&gt; &amp;lt;!here&amp;gt;", "<\u200b!here> &\u200blt;!here&\u200bgt;"),
        ("&amp;#60;!here> &amp;lt!here", "&\u200b#60;!here> &\u200blt!here"),
        ("&commat;channel @here", "@\u200bchannel @\u200bhere"),
    ],
)
def test_only_the_agents_own_mentions_ring(markdown: str, written: str) -> None:
    """By no tag, and by nothing that reads as one once its entities are read, or read twice."""
    assert written == shown(markdown)


@pytest.mark.parametrize("markdown", MASS_MENTIONS)
def test_what_was_rendered_rings_no_more_when_it_is_rendered_again(markdown: str) -> None:
    """The text for notifications is made of it."""
    assert "<!" not in shown(portable(shown(markdown)))


def test_mentions_are_portable_again() -> None:
    """For another rendering; what was parted from its `<` is none."""
    assert "@[user:U0ANN] @[channel:C0NEWS] <\u200b@U0BEN>" == portable(
        shown("@[user:U0ANN] @[channel:C0NEWS] <@U0BEN>")
    )
