"""Edits, deletions and emoji in Slack, all of which may be repeated."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from adapters.slack.sender import SlackSender
from gateway.core.components import Button, Buttons
from gateway.core.deliveries import Reason
from gateway.core.messages import SentMessage
from gateway.sandbox.slack import ApiError, Fault, ResetAfter, SlackSandbox
from tests.adapters.slack.acts import (
    BOT,
    HARMLESS_FAULTS,
    Verdict,
    edit,
    failure,
    message,
    reaction,
    standing,
    verdict,
)
from tests.adapters.slack.conftest import ANN, CHANNEL, TEAM

REFUSED: Verdict = (Reason.PLATFORM_REJECTED, True, False, None)


@pytest.fixture
async def ts(sender: SlackSender) -> str:
    """A message of the bot's own."""
    return (await sender.send(message(), BOT)).id


def bot_texts(slack: SlackSandbox) -> list[str]:
    """What the bot has said and not taken back."""
    return [each.text for each in slack.bot_messages(TEAM, CHANNEL)]


async def test_an_edit_replaces_the_text(slack: SlackSandbox, sender: SlackSender, ts: str) -> None:
    """The same message, still with the marker by which it can be found."""
    changed = await sender.edit(edit("better"), standing(ts), BOT)
    (now,) = slack.bot_messages(TEAM, CHANNEL)
    assert ("better", ts, ts) == (now.text, now.ts, changed.id)
    assert now.edited_ts is not None
    assert await sender.find_sent(message(), BOT) == SentMessage(id=ts, sent_at=changed.sent_at)


async def test_an_edit_without_components_takes_the_old_ones_away(
    slack: SlackSandbox, sender: SlackSender, ts: str
) -> None:
    """Buttons that belong to an old text must not stand under the new one."""
    buttons = (Buttons(buttons=(Button(id="go", label="Go"),)),)
    await sender.edit(msgspec.structs.replace(edit(), components=buttons), standing(ts), BOT)
    (with_buttons,) = slack.bot_messages(TEAM, CHANNEL)
    assert with_buttons.blocks is not None
    await sender.edit(edit("plain"), standing(ts), BOT)
    (plain,) = slack.bot_messages(TEAM, CHANNEL)
    assert [{"type": "markdown", "text": "plain"}] == plain.blocks


async def test_an_edit_may_hold_blocks_of_the_agents_own(
    slack: SlackSandbox, sender: SlackSender, ts: str
) -> None:
    """The escape hatch works for edits as it does for posts."""
    raw = {"blocks": [{"type": "divider"}], "unfurl_links": True}
    await sender.edit(msgspec.structs.replace(edit(), raw=raw), standing(ts), BOT)
    (now,) = slack.bot_messages(TEAM, CHANNEL)
    assert [{"type": "divider"}] == now.blocks


async def test_an_edit_may_be_as_long_as_a_post(
    slack: SlackSandbox, sender: SlackSender, ts: str
) -> None:
    """Slack takes 4,000 characters of `text` in an edit: people see all of the Markdown."""
    long = "word " * 2_400
    await sender.edit(edit(long), standing(ts), BOT)
    (now,) = slack.bot_messages(TEAM, CHANNEL)
    assert [{"type": "markdown", "text": long}] == now.blocks
    assert now.text.endswith(" word\n…")
    assert 3_900 < len(now.text) <= 4_000


async def test_an_edit_that_slack_refuses_as_markdown_is_made_in_mrkdwn(
    slack: SlackSandbox, sender: SlackSender, ts: str
) -> None:
    """In sections where it is too long for a text, and without any blocks where it is not."""
    slack.fail_next("chat.update", ApiError("msg_blocks_too_long"))
    await sender.edit(edit("word " * 2_000), standing(ts), BOT)
    (long,) = slack.bot_messages(TEAM, CHANNEL)
    shown: Any = long.blocks
    words = [each["text"]["text"].count("word") for each in shown]
    assert ({"section"}, 2_000) == ({each["type"] for each in shown}, sum(words))

    slack.fail_next("chat.update", ApiError("invalid_blocks"))
    await sender.edit(edit("**bold**"), standing(ts), BOT)
    (short,) = slack.bot_messages(TEAM, CHANNEL)
    assert ("*bold*", None) == (short.text, short.blocks)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("message_not_found", REFUSED),
        ("cant_update_message", REFUSED),
        ("edit_window_closed", REFUSED),
        ("streaming_state_conflict", (Reason.PLATFORM_ERROR, False, False, None)),
        ("update_failed", (Reason.PLATFORM_ERROR, False, False, None)),
    ],
)
async def test_what_slack_says_to_an_edit(
    slack: SlackSandbox, sender: SlackSender, ts: str, code: str, expected: Verdict
) -> None:
    """Whether another try has a chance."""
    slack.fail_next("chat.update", ApiError(code))
    error = await failure(sender.edit(edit(), standing(ts), BOT))
    assert (expected, code) == (verdict(error), error.detail)


async def test_messages_of_others_cannot_be_edited(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """Slack itself refuses, without a planned fault."""
    theirs = slack.say(TEAM, CHANNEL, ANN, "mine")
    error = await failure(sender.edit(edit(), standing(theirs), BOT))
    assert (REFUSED, "cant_update_message") == (verdict(error), error.detail)


async def test_a_deleted_message_is_gone_and_may_be_deleted_again(
    slack: SlackSandbox, sender: SlackSender, ts: str
) -> None:
    """What is gone already is removed."""
    await sender.delete(standing(ts), BOT)
    await sender.delete(standing(ts), BOT)
    assert [] == bot_texts(slack)


async def test_deletions_that_slack_refuses(slack: SlackSandbox, sender: SlackSender) -> None:
    """Only a message that is not there counts as removed."""
    theirs = slack.say(TEAM, CHANNEL, ANN, "mine")
    error = await failure(sender.delete(standing(theirs), BOT))
    assert (REFUSED, "cant_delete_message") == (verdict(error), error.detail)
    error = await failure(sender.delete(standing(theirs, channel="C0NOWHERE"), BOT))
    assert (REFUSED, "channel_not_found") == (verdict(error), error.detail)


async def test_an_emoji_is_put_on_and_taken_off(slack: SlackSandbox, sender: SlackSender) -> None:
    """On anybody's message, and twice without harm."""
    theirs = slack.say(TEAM, CHANNEL, ANN, "done?")
    for _ in range(2):
        await sender.react(reaction("👍🏽"), standing(theirs), BOT)
    bot = f"U0BOT{TEAM[1:]}"
    (now,) = slack.messages(TEAM, CHANNEL)
    assert {"+1::skin-tone-4": (bot,)} == now.reactions
    for _ in range(2):
        await sender.react(reaction("👍🏽", remove=True), standing(theirs), BOT)
    (now,) = slack.messages(TEAM, CHANNEL)
    assert {} == now.reactions


@pytest.mark.parametrize("emoji", ["🫥", "not an emoji", "", ":", "👍👍"])
async def test_an_unknown_emoji_is_refused_by_name(
    slack: SlackSandbox, sender: SlackSender, emoji: str
) -> None:
    """Slack is not asked for what it has no name for."""
    theirs = slack.say(TEAM, CHANNEL, ANN, "done?")
    error = await failure(sender.react(reaction(emoji), standing(theirs), BOT))
    assert REFUSED == verdict(error)
    assert error.detail.startswith("emoji: ")
    assert [] == list(slack.requests)


async def test_a_name_that_the_workspace_does_not_have_is_refused_by_name(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """The workspace's own emoji are known to Slack alone."""
    theirs = slack.say(TEAM, CHANNEL, ANN, "done?")
    slack.fail_next("reactions.add", ApiError("invalid_name"))
    error = await failure(sender.react(reaction("party-parrot"), standing(theirs), BOT))
    assert REFUSED == verdict(error)
    assert error.detail.startswith("emoji: ")


async def test_a_reaction_to_nothing_is_refused(sender: SlackSender) -> None:
    """No such message, and no ts at all."""
    for ts, code in (("1700000000.000100", "message_not_found"), ("soon", "bad_timestamp")):
        error = await failure(sender.react(reaction("eyes"), standing(ts), BOT))
        assert (REFUSED, code) == (verdict(error), error.detail)


@pytest.mark.parametrize(("fault", "expected"), HARMLESS_FAULTS)
async def test_faults_of_changes_are_never_ambiguous(
    slack: SlackSandbox, sender: SlackSender, ts: str, fault: Fault, expected: Verdict
) -> None:
    """They are carried out again, and nothing has to be looked up before."""
    for method in ("chat.update", "chat.delete", "reactions.add", "reactions.remove"):
        slack.fail_next(method, fault)
    off = reaction("eyes", remove=True)
    for attempt in (
        sender.edit(edit(), standing(ts), BOT),
        sender.react(reaction("eyes"), standing(ts), BOT),
        sender.react(off, standing(ts), BOT),
        sender.delete(standing(ts), BOT),
    ):
        assert expected == verdict(await failure(attempt))


async def test_a_change_whose_answer_was_lost_is_done_once(
    slack: SlackSandbox, sender: SlackSender, ts: str
) -> None:
    """The second attempt finds it done, and that is success."""
    for method in ("chat.update", "reactions.add", "chat.delete"):
        slack.fail_next(method, ResetAfter())
    await failure(sender.edit(edit(), standing(ts), BOT))
    await sender.edit(edit(), standing(ts), BOT)
    assert ["better"] == bot_texts(slack)
    await failure(sender.react(reaction("eyes"), standing(ts), BOT))
    await sender.react(reaction("eyes"), standing(ts), BOT)
    (now,) = slack.bot_messages(TEAM, CHANNEL)
    assert ["eyes"] == list(now.reactions)
    await failure(sender.delete(standing(ts), BOT))
    await sender.delete(standing(ts), BOT)
    assert [] == bot_texts(slack)
