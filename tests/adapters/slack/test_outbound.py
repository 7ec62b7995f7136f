"""Answers on their way to Slack, before the wire."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.markdown.clean import cleaned
from adapters.slack.outbound import MAX_MARKDOWN_CHARS, post_message_call, render
from gateway.core.conversations import ConversationRef
from gateway.core.ids import MessageId, Platform, WorkspaceId
from gateway.core.messages import OutboundMessage

PIECES = [
    "*",
    "**",
    "_",
    "~~",
    "`",
    "```",
    "<!channel>",
    "<b>",
    "&amp;",
    "&lt;",
    "[x](https://e.com)",
    "![",
    "](",
    ")",
    "|",
    "word",
    "\\",
    "é",
]
LINES = [
    "\n",
    "\n\n",
    "- ",
    "1. ",
    "> ",
    "# ",
    "    ",
    "---\n",
    "[f]: /u",
    "| a | b |\n|---|---|\n",
]
MARKDOWN = st.lists(
    st.sampled_from([*PIECES, *LINES, " ", "\u200b", "<https://e.com>", "x" * 50]), max_size=40
).map("".join)


@settings(max_examples=400, deadline=None)
@given(MARKDOWN | st.text(max_size=300), st.sampled_from([1, 1, 1, 60]))
def test_any_markdown_is_rendered(markdown: str, times: int) -> None:
    """Parts are short enough, none is blank, no `<` could be a mention, fences are in pairs; as
    mrkdwn, too.
    """
    source = markdown * times
    parts = render(source)
    assert bool(cleaned(source).strip()) == bool(parts)
    for part in parts:
        assert 0 < len(part) <= MAX_MARKDOWN_CHARS
        assert part.strip()
        assert not re.search(r"<[@#!]|@(?:channel|here|everyone)", part)
        text = str(post_message_call(message(None, text=part))["text"])
        assert text.strip()
        assert not re.search(r"<(?!https?://|mailto:)|@(?:channel|here|everyone)", text)
        assert text.count("```") % 2 == 0


WORDS = st.lists(st.text("abcxyz", min_size=1, max_size=8), min_size=1, max_size=60)
SHAPES = [
    "{}",
    "**{}**",
    "*{}*",
    "`{}`",
    "~~{}~~",
    "\n- {}",
    "\n> {}",
    "\n# {}\n",
    "\n\n```\n{}\n```\n\n",
]


@settings(max_examples=200, deadline=None)
@given(WORDS, st.data())
def test_every_word_arrives_in_order(words: list[str], data: st.DataObject) -> None:
    """Markup may be lost on a platform; what was said may not."""
    shaped = [data.draw(st.sampled_from(SHAPES)).format(word) for word in words]
    rendered = "\n".join(render(" ".join(shaped)))
    assert words == re.findall("[a-z]+", rendered)


@pytest.mark.parametrize("blank", ["", " ", "\n\n", "\t"])
def test_blank_markdown_is_no_message(blank: str) -> None:
    """Slack would refuse it."""
    assert render(blank) == []


@pytest.mark.parametrize("markdown", ["[f]: https://e.com", "#", "&nbsp;", "```\n```", "[]()"])
def test_markdown_without_text_is_shown_as_written(markdown: str) -> None:
    """An agent that said something is never silent."""
    assert "".join(render(markdown)).strip()


def test_a_long_answer_becomes_few_parts() -> None:
    """As many as its length asks for, with code in full."""
    code = "\n".join(f"line {number} `x`" for number in range(3_000))
    parts = render(f"before\n\n```\n{code}\n```\n\nafter")
    assert 5 == len(parts)
    assert parts[-1].endswith("```\n\nafter")


def message(thread: str | None, part: int = 1, text: str = "*hi*") -> OutboundMessage:
    """A message for a channel."""
    return OutboundMessage(
        id=MessageId("msg_0000"),
        conversation=ConversationRef(
            platform=Platform.SLACK,
            workspace=WorkspaceId("T0AAAAAAA"),
            channel="C0GENERAL",
            thread=thread,
        ),
        text=text,
        part=part,
    )


def test_the_call_names_the_thread_and_carries_the_marker() -> None:
    """The marker is how the message is found again after a lost answer."""
    expected = {
        "channel": "C0GENERAL",
        "text": "_hi_",
        "blocks": [{"type": "markdown", "text": "*hi*"}],
        "mrkdwn": True,
        "unfurl_links": False,
        "unfurl_media": False,
        "thread_ts": "1700000000.000100",
        "metadata": {
            "event_type": "channel_gateway_message",
            "event_payload": {"marker": "msg_0000-2", "workspace": "T0AAAAAAA"},
        },
    }
    assert expected == post_message_call(message("1700000000.000100", part=2))


def test_a_direct_message_has_no_thread() -> None:
    """An empty thread_ts would be an error."""
    assert "thread_ts" not in post_message_call(message(None))
