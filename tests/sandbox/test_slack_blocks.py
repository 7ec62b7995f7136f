"""What the sandbox makes of blocks, against https://docs.slack.dev/reference/block-kit/blocks/."""

from __future__ import annotations

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

Json = dict[str, object]


def text(words: str, kind: str = "mrkdwn") -> Json:
    """A text object."""
    return {"type": kind, "text": words}


def plain(words: str) -> Json:
    """A text object without markup."""
    return text(words, "plain_text")


def section(words: str) -> Json:
    """A section."""
    return {"type": "section", "text": text(words)}


def button(label: str = "Go", **more: object) -> Json:
    """A button."""
    return {"type": "button", "text": plain(label)} | more


def actions(*elements: object) -> Json:
    """An actions block."""
    return {"type": "actions", "elements": list(elements)}


def select(*options: object) -> Json:
    """An actions block with a menu."""
    return actions({"type": "static_select", "options": list(options)})


def feedback(**more: object) -> Json:
    """A block with thumbs."""
    thumbs = {
        "positive_button": {"text": plain("up"), "value": "1"},
        "negative_button": {"text": plain("down"), "value": "0"},
    }
    element = {"type": "feedback_buttons"} | thumbs | more
    return {"type": "context_actions", "elements": [element]}


IMAGE: Json = {"type": "image", "image_url": "https://e.com/a.png", "alt_text": "a"}
OPTION: Json = {"text": plain("A"), "value": "a"}


async def fault_of(web: AsyncWebClient, blocks: object) -> str:
    """Where Slack's fault is, "" when there is none."""
    call = {"channel": "C0GENERAL", "blocks": blocks}
    answer: Json = {}
    try:
        await web.api_call("chat.postMessage", json=call)
    except SlackApiError as exc:
        answer = exc.response.data
    if not answer:
        return ""
    metadata = answer["response_metadata"]
    assert (True, "invalid_blocks") == (isinstance(metadata, dict), answer["error"])
    return str(metadata).partition("[json-pointer:")[2].partition("]")[0]


@pytest.mark.parametrize(
    "block",
    [
        section("x" * 3_000),
        {"type": "section", "fields": [text("x" * 2_000)] * 10},
        {"type": "section", "text": plain("x"), "accessory": button()},
        {"type": "header", "text": plain("x" * 150)},
        {"type": "divider"},
        IMAGE,
        {"type": "context", "elements": [text("x")] * 10},
        actions(*(button("x" * 75, action_id=str(number)) for number in range(25))),
        actions(button(value="x" * 2_000, url="https://e.com", style="danger")),
        select(*[OPTION] * 100),
        feedback(),
        {"type": "markdown", "text": "x" * 12_000},
        {"type": "rich_text", "elements": []},
    ],
)
async def test_what_slack_takes(web: AsyncWebClient, block: Json) -> None:
    """Up to the last character and the last element."""
    assert "" == await fault_of(web, [block])


@pytest.mark.parametrize(
    ("block", "where"),
    [
        ("x", "/blocks/0"),
        ({}, "/blocks/0/type"),
        ({"type": "poem"}, "/blocks/0/type"),
        ({"type": "section"}, "/blocks/0"),
        ({"type": "divider", "block_id": "x" * 256}, "/blocks/0/block_id"),
        (section("x" * 3_001), "/blocks/0/text/text"),
        (section(""), "/blocks/0/text/text"),
        ({"type": "section", "text": "x"}, "/blocks/0/text"),
        ({"type": "section", "text": text("x", "html")}, "/blocks/0/text/type"),
        ({"type": "section", "fields": [text("x")] * 11}, "/blocks/0/fields"),
        ({"type": "section", "fields": [text("x" * 2_001)]}, "/blocks/0/fields/0/text"),
        ({"type": "section", "text": text("x"), "accessory": 1}, "/blocks/0/accessory"),
        ({"type": "header", "text": text("x")}, "/blocks/0/text/type"),
        ({"type": "header", "text": plain("x" * 151)}, "/blocks/0/text/text"),
        (IMAGE | {"alt_text": None}, "/blocks/0"),
        ({"type": "context", "elements": [text("x")] * 11}, "/blocks/0/elements"),
        (actions(), "/blocks/0/elements"),
        (actions(*[button()] * 26), "/blocks/0/elements"),
        (actions(button(action_id="a"), button(action_id="a")), "/blocks/0/elements"),
        (actions({"type": "lever"}), "/blocks/0/elements/0/type"),
        (actions(button("x" * 76)), "/blocks/0/elements/0/text/text"),
        (actions(button(value="x" * 2_001)), "/blocks/0/elements/0/value"),
        (actions(button(url="x" * 3_001)), "/blocks/0/elements/0/url"),
        (actions(button(style="loud")), "/blocks/0/elements/0/style"),
        (actions(button(action_id="x" * 256)), "/blocks/0/elements/0/action_id"),
        (select(), "/blocks/0/elements/0/options"),
        (select(*[OPTION] * 101), "/blocks/0/elements/0/options"),
        (select(OPTION | {"value": "x" * 151}), "/blocks/0/elements/0/options/0/value"),
        (select(OPTION | {"text": plain("x" * 76)}), "/blocks/0/elements/0/options/0/text/text"),
        (feedback(positive_button=None), "/blocks/0/elements/0"),
        ({"type": "context_actions", "elements": [button()]}, "/blocks/0/elements/0/type"),
        ({"type": "markdown", "text": "x" * 12_001}, "/blocks/0/text"),
    ],
)
async def test_what_slack_refuses_and_where(web: AsyncWebClient, block: object, where: str) -> None:
    """Lengths, counts, types and ids, with a pointer to the place."""
    assert where == await fault_of(web, [block])


async def test_what_all_blocks_together_may_not_be(web: AsyncWebClient) -> None:
    """Fifty of them, 12,000 characters of Markdown, no id twice."""
    assert "" == await fault_of(web, [{"type": "divider"}] * 50)
    assert "/blocks" == await fault_of(web, [{"type": "divider"}] * 51)
    assert "/blocks" == await fault_of(web, [{"type": "divider", "block_id": "a"}] * 2)
    assert "/blocks" == await fault_of(web, [{"type": "markdown", "text": "x" * 6_001}] * 2)
    same = [actions(button(action_id="a")), actions(button(action_id="a"))]
    assert "" == await fault_of(web, same)


async def test_blocks_that_are_no_list(web: AsyncWebClient) -> None:
    """Another error, for they are not even blocks."""
    with pytest.raises(SlackApiError, match="invalid_blocks_format"):
        await web.api_call("chat.postMessage", json={"channel": "C0GENERAL", "blocks": {"a": 1}})
