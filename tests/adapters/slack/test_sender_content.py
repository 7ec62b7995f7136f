"""What a message to Slack may carry besides its text, and who sees it where."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from adapters.slack import writing
from adapters.slack.outbound import post_message_call
from adapters.slack.sender import SlackSender
from gateway.core.components import Button, Buttons, Card, Component, Feedback, Option, Select
from gateway.core.deliveries import Reason
from gateway.core.ids import WorkspaceId
from gateway.core.messages import OutboundMessage
from gateway.core.places import Places
from gateway.core.ports import (
    Addresses,
    Downloads,
    Edits,
    People,
    Reacts,
    Readback,
    Typing,
    Uploads,
)
from gateway.sandbox.slack import ApiError, Fault, HttpStatus, ResetAfter, SlackSandbox
from tests.adapters.slack.acts import BOT, Verdict, failure, message, verdict
from tests.adapters.slack.conftest import ANN, CHANNEL, TEAM

REFUSED: Verdict = (Reason.PLATFORM_REJECTED, True, False, None)
BUTTONS = (Buttons(buttons=(Button(id="yes", label="Yes"), Button(id="no", label="No"))),)
EVERYTHING: tuple[Component, ...] = (
    *BUTTONS,
    Select(id="pick", options=(Option(label="A", value="a"), Option(label="B", value="b"))),
    Select(id="more", options=(Option(label="A", value="a"),), multiple=True),
    Card(title="Card", text="x" * 2_000, url="https://e.com/x"),
    Feedback(id="rate"),
)


def with_parts(**parts: Any) -> OutboundMessage:
    """A message with some of its fields set."""
    return msgspec.structs.replace(message(), **parts)


@pytest.mark.parametrize(
    "ability", [Readback, Edits, Reacts, Typing, Addresses, People, Uploads, Downloads, Places]
)
def test_the_sender_has_the_ability(sender: SlackSender, ability: type) -> None:
    """Egress asks by isinstance."""
    assert isinstance(sender, ability)


async def test_the_text_stands_above_the_components(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """Slack shows blocks in the text's place; the text itself is for notifications then."""
    await sender.send(with_parts(components=BUTTONS), BOT)
    (posted,) = slack.bot_messages(TEAM, CHANNEL)
    blocks: Any = posted.blocks
    assert [{"type": "markdown", "text": "*hi*"}, "actions"] == [blocks[0], blocks[1]["type"]]
    assert "_hi_" == posted.text
    assert ["Yes", "No"] == [each["text"]["text"] for each in blocks[1]["elements"]]


@pytest.mark.parametrize("chars", [0, 3_000, 12_000])
@pytest.mark.parametrize("fault", [None, ApiError("msg_blocks_too_long")])
async def test_slack_takes_every_component_with_a_text_of_any_length(
    slack: SlackSandbox, sender: SlackSender, chars: int, fault: Fault | None
) -> None:
    """As Markdown, and as sections where Slack does not take it; the text is there in full."""
    text = ("word " * 2_400)[:chars].strip()
    if fault is not None and text:
        slack.fail_next("chat.postMessage", fault)
    await sender.send(with_parts(text=text, components=EVERYTHING), BOT)
    (posted,) = slack.bot_messages(TEAM, CHANNEL)
    blocks: Any = posted.blocks
    kind = "markdown" if fault is None else "section"
    shown = [each["text"] for each in blocks if each["type"] == kind and "text" in each]
    words = " ".join(each if isinstance(each, str) else each["text"] for each in shown).split()
    assert words.count("word") == posted.text.split().count("word") == text.split().count("word")


async def test_markdown_that_slack_refuses_is_said_in_mrkdwn(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """It stands there once, and can be found; nobody is mentioned who was not before."""
    slack.fail_next("chat.postMessage", ApiError("invalid_blocks"))
    text = "**Hi** <@U0ANN> <\u200b!channel>"
    await sender.send(with_parts(text=text), BOT)
    (posted,) = slack.bot_messages(TEAM, CHANNEL)
    assert ("*Hi* <@U0ANN> &lt;\u200b!channel&gt;", None) == (posted.text, posted.blocks)
    assert await sender.find_sent(message(), BOT) is not None


async def test_a_refusal_that_took_long_is_not_answered_at_once(
    slack: SlackSandbox, sender: SlackSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else may be at it by now: another attempt asks, and nothing is in doubt."""
    monkeypatch.setattr(writing, "AGAIN_WITHIN_S", -1.0)
    slack.fail_next("chat.postMessage", ApiError("invalid_blocks"))
    error = await failure(sender.send(message(), BOT))
    assert (Reason.PLATFORM_REJECTED, False, False, None) == verdict(error)
    assert [] == slack.bot_messages(TEAM, CHANNEL)


async def test_components_that_slack_refuses_are_refused(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """A text in mrkdwn does not make them better."""
    slack.fail_next("chat.postMessage", ApiError("invalid_blocks"), times=2)
    error = await failure(sender.send(with_parts(components=BUTTONS), BOT))
    assert REFUSED == verdict(error)
    assert [] == slack.bot_messages(TEAM, CHANNEL)


async def test_a_payload_of_the_agents_own_is_merged(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """Its blocks stand in the text's place, above the components; our marker stays."""
    raw = {
        "blocks": [{"type": "header", "text": {"type": "plain_text", "text": "Own"}}],
        "attachments": [{"color": "#ff0000", "text": "old"}],
        "unfurl_links": True,
    }
    await sender.send(with_parts(raw=raw, components=BUTTONS), BOT)
    (posted,) = slack.bot_messages(TEAM, CHANNEL)
    blocks: Any = posted.blocks
    assert ["header", "actions"] == [block["type"] for block in blocks]
    assert (raw["attachments"], "_hi_") == (posted.attachments, posted.text)
    assert await sender.find_sent(message(), BOT) is not None


@pytest.mark.parametrize(
    "name", ["channel", "token", "thread_ts", "metadata", "text", "as_user", "username", "x" * 500]
)
async def test_a_payload_says_nothing_of_where_it_goes(
    slack: SlackSandbox, sender: SlackSender, name: str
) -> None:
    """Else an agent could speak into another conversation, or with another token."""
    error = await failure(sender.send(with_parts(raw={name: "C0OTHER"}), BOT))
    assert REFUSED == verdict(error)
    assert error.detail.startswith(f"raw.{name[:40]}: ")
    assert [] == list(slack.requests)


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"blocks": {}}, "raw.blocks: "),
        ({"attachments": "x"}, "raw.attachments: "),
        ({"unfurl_links": "yes"}, "raw.unfurl_links: "),
        ({"blocks": [{"n": 2**70}]}, "the call "),
    ],
)
async def test_a_payload_of_the_wrong_shape_is_refused_by_name(
    slack: SlackSandbox, sender: SlackSender, raw: dict[str, Any], field: str
) -> None:
    """Before Slack is asked."""
    error = await failure(sender.send(with_parts(raw=raw), BOT))
    assert REFUSED == verdict(error)
    assert error.detail.startswith(field)
    assert [] == list(slack.requests)


async def test_slacks_word_on_blocks_names_the_place(sender: SlackSender) -> None:
    """And quotes nothing of what stands there."""
    long = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3_001}}
    error = await failure(sender.send(with_parts(raw={"blocks": [long]}), BOT))
    assert (REFUSED, "invalid_blocks at /blocks/0/text/text") == (verdict(error), error.detail)


async def test_a_reply_stands_in_the_thread_of_what_it_answers(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """And is found there after a lost answer."""
    asked = slack.say(TEAM, CHANNEL, ANN, "hello")
    reply = with_parts(reply_to=asked)
    slack.fail_next("chat.postMessage", ResetAfter())
    assert (await failure(sender.send(reply, BOT))).ambiguous
    (posted,) = slack.bot_messages(TEAM, CHANNEL)
    found = await sender.find_sent(reply, BOT)
    assert (asked, posted.ts) == (posted.thread_ts, found and found.id)


async def test_a_reply_inside_a_thread_stays_there(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """Slack has no threads inside threads."""
    root = slack.say(TEAM, CHANNEL, ANN, "hello")
    inner = slack.say(TEAM, CHANNEL, ANN, "and", thread_ts=root)
    await sender.send(msgspec.structs.replace(message(root), reply_to=inner), BOT)
    (posted,) = slack.bot_messages(TEAM, CHANNEL)
    assert root == posted.thread_ts


@pytest.mark.parametrize("reply_to", ["", "msg_0000", "1700000000", "1700000000.000100&x=1"])
async def test_a_reply_to_what_is_no_message_is_refused_by_name(
    sender: SlackSender, reply_to: str
) -> None:
    """Slack would post it somewhere."""
    error = await failure(sender.send(with_parts(reply_to=reply_to), BOT))
    assert REFUSED == verdict(error)
    assert error.detail.startswith("reply_to: ")


async def test_a_message_for_one_user_is_seen_by_nobody_else(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """In its thread, with its buttons, and in no history."""
    root = slack.say(TEAM, CHANNEL, ANN, "hello")
    parts = {"visible_to": ANN, "components": BUTTONS, "raw": {"unfurl_links": True}}
    sent = await sender.send(msgspec.structs.replace(message(root), **parts), BOT)
    (shown,) = slack.ephemerals(TEAM, CHANNEL)
    assert (ANN, root, "_hi_", sent.id) == (
        shown.visible_to,
        shown.thread_ts,
        shown.text,
        shown.ts,
    )
    assert shown.blocks is not None
    assert [] == slack.bot_messages(TEAM, CHANNEL)


@pytest.mark.parametrize("fault", [ResetAfter(), HttpStatus(503), ApiError("internal_error")])
async def test_whether_one_user_saw_it_cannot_be_known(
    slack: SlackSandbox, sender: SlackSender, fault: Fault
) -> None:
    """So it is not shown again: a person decides."""
    slack.add_user(TEAM, ANN)
    slack.fail_next("chat.postEphemeral", fault)
    private = with_parts(visible_to=ANN)
    assert (await failure(sender.send(private, BOT))).ambiguous
    error = await failure(sender.find_sent(private, BOT))
    assert (Reason.OUTCOME_UNKNOWN, True, False, None) == verdict(error)
    assert ["chat.postEphemeral"] == [each.method for each in slack.requests]


@pytest.mark.parametrize(
    ("user", "detail"),
    [
        ("U0NOBODY", "user_not_in_channel"),
        ("", "visible_to: is not the id of a user"),
        ("ann", "visible_to: is not the id of a user"),
    ],
)
async def test_one_user_who_is_not_there(sender: SlackSender, user: str, detail: str) -> None:
    """Refused by name, by Slack or before."""
    error = await failure(sender.send(with_parts(visible_to=user), BOT))
    assert (REFUSED, detail) == (verdict(error), error.detail)


@pytest.mark.parametrize(
    "raw",
    [
        {"unfurl_links": True},
        {"unfurl_media": True},
        {"blocks": [{"type": "image", "alt_text": "x", "slack_file": {"id": "F0AAAA"}}]},
        {"attachments": [{"blocks": [{"type": "section", "accessory": {"slack_file": {}}}]}]},
    ],
)
async def test_by_an_organisations_token_nothing_is_drawn_from_its_other_workspaces(
    slack: SlackSandbox, sender: SlackSender, raw: dict[str, Any]
) -> None:
    """Files and linked messages there may be another tenant's; a workspace's own token sees its
    own alone.
    """
    in_one = with_parts(raw=raw)
    place = msgspec.structs.replace(in_one.conversation, workspace=WorkspaceId("E0ORG"))
    error = await failure(sender.send(msgspec.structs.replace(in_one, conversation=place), BOT))

    assert REFUSED == verdict(error)
    assert [] == list(slack.requests)
    assert raw.items() <= post_message_call(in_one).items()
