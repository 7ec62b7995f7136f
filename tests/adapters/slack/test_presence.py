"""The status line that says the agent is at work."""

from __future__ import annotations

import pytest

from adapters.slack.sender import SlackSender
from gateway.sandbox.slack import ApiError, Fault, SlackSandbox
from tests.adapters.slack.acts import BOT, HARMLESS_FAULTS, Verdict, failure, place, verdict
from tests.adapters.slack.conftest import ANN, CHANNEL, TEAM


async def test_it_stands_under_the_thread_until_it_is_taken_back(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """Slack shows it for two minutes; we count on less."""
    root = slack.say(TEAM, CHANNEL, ANN, "hello")
    await sender.typing(place(root), BOT, on=True)
    await sender.typing(place(root), BOT, on=False)
    assert [(root, "is typing…"), (root, "")] == [
        (status.thread_ts, status.text) for status in slack.statuses
    ]
    assert 0 < sender.typing_lasts_s < 120


async def test_outside_of_threads_nothing_is_shown(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """Slack has no place for it there, and is not asked."""
    await sender.typing(place(), BOT, on=True)
    assert [] == list(slack.requests)


@pytest.mark.parametrize(
    ("thread", "channel"), [("1700000000.000100", CHANNEL), ("1700000000.000100", "C0NOWHERE")]
)
async def test_where_it_cannot_be_shown_nobody_minds(
    slack: SlackSandbox, sender: SlackSender, thread: str, channel: str
) -> None:
    """No such thread, no such channel: a status is a nicety."""
    await sender.typing(place(thread, channel=channel), BOT, on=True)
    assert ["assistant.threads.setStatus"] == [each.method for each in slack.requests]
    assert [] == list(slack.statuses)


async def test_an_app_without_the_scope_shows_nothing(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """Nor does anything fail for it."""
    root = slack.say(TEAM, CHANNEL, ANN, "hello")
    slack.fail_next("assistant.threads.setStatus", ApiError("missing_scope"))
    await sender.typing(place(root), BOT, on=True)
    assert [] == list(slack.statuses)


@pytest.mark.parametrize(("fault", "expected"), HARMLESS_FAULTS)
async def test_faults(
    slack: SlackSandbox, sender: SlackSender, fault: Fault, expected: Verdict
) -> None:
    """They are told, and never ambiguous."""
    root = slack.say(TEAM, CHANNEL, ANN, "hello")
    slack.fail_next("assistant.threads.setStatus", fault)
    assert expected == verdict(await failure(sender.typing(place(root), BOT, on=True)))
