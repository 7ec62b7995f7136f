"""What people write in Slack, as Markdown."""

from __future__ import annotations

import pytest

from adapters.slack.inbound_text import MAX_TEXT_CHARS, to_markdown

BOT = "U0BOTAAAA"


@pytest.mark.parametrize(
    ("mrkdwn", "markdown"),
    [
        ("a &lt;b&gt; &amp; c", "a <b> & c"),
        ("&amp;lt;", "&lt;"),
        ("<https://example.com>", "https://example.com"),
        ("<https://example.com|the docs>", "[the docs](https://example.com)"),
        ("<https://e.com/a_(b)?c=1&amp;d=2|x>", "[x](https://e.com/a_%28b%29?c=1&d=2)"),
        ("<https://e.com|a [b]>", "[a \\[b\\]](https://e.com)"),
        ("<mailto:a@example.com|a@example.com>", "a@example.com"),
        ("<@U1|ann> and <@U2>", "@ann and @U2"),
        ("see <#C1|general>, <#C2> and <#C3|>", "see #general, #C2 and #C3"),
        ("<!here> <!channel> <!everyone>", "@here @channel @everyone"),
        ("<!subteam^S1|@ops> <!subteam^S2>", "@ops @S2"),
        ("<!date^1700000000^{date}|Nov 14>", "Nov 14"),
        ("*b* _i_ ~s~", "**b** _i_ ~~s~~"),
        ("*<https://e.com|x> y*", "**[x](https://e.com) y**"),
        ("2 * 3 * 4, a*b*c, 5*", "2 * 3 * 4, a*b*c, 5*"),
        ("`*x* &lt;y&gt; <https://e.com>`", "`*x* <y> https://e.com`"),
        ("```a *b*```", "```a *b*```"),
        ("run ```x = 1\ny = *2*``` now", "run \n```\nx = 1\ny = *2*\n```\n now"),
        ("```\nx\n```", "```\nx\n```"),
        ("&gt; quoted", "> quoted"),
        ("", ""),
    ],
)
def test_translation(mrkdwn: str, markdown: str) -> None:
    """One line of the table each."""
    assert markdown == to_markdown(mrkdwn, bot=BOT).text


@pytest.mark.parametrize(
    ("mrkdwn", "markdown"),
    [
        (f"<@{BOT}> hi", "hi"),
        (f" <@{BOT}|gateway>: hi", "hi"),
        (f"<@{BOT}> <@{BOT}>, hi", "hi"),
        (f"hi <@{BOT}>", f"hi @{BOT}"),
        (f"<@{BOT}>", ""),
    ],
)
def test_the_leading_mention_is_dropped(mrkdwn: str, markdown: str) -> None:
    """Only in front: elsewhere the name is part of the sentence."""
    content = to_markdown(mrkdwn, bot=BOT)
    assert (markdown, True, ()) == (content.text, content.mentions_bot, content.mentions)


def test_mentions_are_collected_once_and_in_order() -> None:
    """The ids of the people named, for the agent."""
    content = to_markdown("<@U2> <@U1|ann> <@U2>", bot=BOT)
    assert (("U2", "U1"), False) == (content.mentions, content.mentions_bot)


def test_too_long_a_text_is_cut_and_says_so() -> None:
    """It is not refused: its beginning is better than nothing."""
    text = to_markdown("x" * (MAX_TEXT_CHARS + 7), bot=BOT).text
    assert "x" * MAX_TEXT_CHARS + " [cut: 7 more characters]" == text


@pytest.mark.parametrize(
    "text",
    [
        " " * MAX_TEXT_CHARS,
        "*" * MAX_TEXT_CHARS,
        "<" * MAX_TEXT_CHARS,
        "`" * (MAX_TEXT_CHARS - 1),
        "*a " * 13_000,
        "~a *b" * 8_000,
        "```a\n" * 8_000,
        f"<@{BOT}" * 3_600,
        f"<@{BOT}>{' ' * 39_000}x",
    ],
)
def test_hostile_texts_take_no_longer_than_others(text: str) -> None:
    """Patterns that backtrack would hold up every tenant; the suite's time limit is the judge."""
    assert to_markdown(text, bot=BOT).text is not None
