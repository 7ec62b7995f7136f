"""Sockets that are open, answer pings, and bring nothing: found out and replaced."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.sandbox.slack import SlackSandbox
from tests.adapters.slack.conftest import (
    ANN,
    CHANNEL,
    HASTY,
    QUICK,
    TEAM,
    Door,
    Listen,
)
from tests.support.waiting import eventually

EAGER = {"watch_every_s": 0.02}


def say(slack: SlackSandbox, *texts: str) -> None:
    """Say something in the channel, each text a message."""
    for text in texts:
        slack.say(TEAM, CHANNEL, ANN, text)


async def stand(slack: SlackSandbox, door: Door) -> None:
    """Both sockets are open, by both sides' knowledge."""
    await slack.wait_for_sockets(2, 5)
    await eventually(lambda: door.open_sockets[-1:] == [2])


@pytest.mark.parametrize("slack", [HASTY], indirect=True)
async def test_one_that_is_silent_while_the_other_is_not(
    slack: SlackSandbox, listen: Listen, door: Door
) -> None:
    """By chance it would happen once in a million times."""
    listen(**EAGER, silent_after_s=0.1, resends_after_s=())
    await stand(slack, door)
    slack.deafen_sockets(1)
    say(slack, *(str(number) for number in range(60)))
    await slack.wait_for_connects(3, 10)
    await slack.wait_for_sockets(2, 10)
    say(slack, "a", "b", "c", "d")
    await slack.settled(10)
    assert {"a", "b", "c", "d"} <= set(door.texts)
    # A pause of this process may make another look silent, too; it costs a successor, no event.
    assert {"silent"} == set(door.ends)
    assert 2 + len(door.ends) == slack.sockets_opened


@pytest.mark.parametrize("slack", [HASTY], indirect=True)
async def test_one_of_a_quiet_workspace(slack: SlackSandbox, listen: Listen, door: Door) -> None:
    """A single event is enough: it comes again, and has never come."""
    listen(**EAGER, resends_after_s=(0.05,))
    await stand(slack, door)
    slack.deafen_sockets(2)
    say(slack, "one", "two")
    await eventually(lambda: {"one", "two"} == set(door.texts))
    await slack.wait_for_connects(3, 5)
    assert ["missed"] == door.ends


async def test_an_event_that_we_left_alone_blames_nobody(
    slack: SlackSandbox, listen: Listen, door: Door
) -> None:
    """It comes again because we did not acknowledge it."""
    listen(**EAGER, resends_after_s=(0.0,))
    await slack.wait_for_sockets(2, 5)
    door.faults.append(RuntimeError("a bug"))
    say(slack, "hello")
    await eventually(lambda: door.unacknowledged)
    slack.lose_patience()
    await slack.settled(5)
    assert ([0, 1], []) == ([event.retry for event in door.entered], door.ends)


async def test_all_of_them(slack: SlackSandbox, listen: Listen, door: Door) -> None:
    """Nothing tells this from a quiet workspace, so silence is reason enough, a few times."""
    listen(**EAGER, quiet_after_s=1.0, quiet_at_once=2, quiet_every_s=600.0)
    await stand(slack, door)
    slack.deafen_sockets()
    await slack.wait_for_connects(6, 10)
    with pytest.raises(TimeoutError):
        await slack.wait_for_connects(7, 2)
    await slack.wait_for_sockets(2, 5)
    say(slack, "hello")
    await slack.settled(5)
    assert (["hello"], ["quiet"] * 4) == (door.texts, door.ends)
    assert 2 <= min(door.open_sockets[door.open_sockets.index(2) :])


async def test_old_ones_are_replaced_without_a_gap(
    slack: SlackSandbox, listen: Listen, door: Door
) -> None:
    """Which is the regular check of everything that a connection needs."""
    listen(**EAGER, max_age_s=0.2)
    await slack.wait_for_connects(6, 10)
    say(slack, *(str(number) for number in range(20)))
    await slack.settled(10)
    assert {str(number) for number in range(20)} == set(door.texts)
    assert {"planned"} == set(door.ends)
    assert 2 <= min(door.open_sockets[door.open_sockets.index(2) :])


async def test_a_good_one_outlives_a_check_that_fails(
    slack: SlackSandbox, listen: Listen, door: Door
) -> None:
    """Nothing is given up for a precaution; but the failure is told."""
    listen(**EAGER, max_age_s=0.2)
    await slack.wait_for_connects(2, 5)
    slack.fail_connections_open(1000)
    await eventually(lambda: door.ends.count("unreachable") >= 2)
    opened = slack.sockets_opened
    say(slack, "one", "two")
    await slack.settled(5)
    await slack.wait_for_sockets(2, 5)
    assert ({"one", "two"}, opened) == (set(door.texts), slack.sockets_opened)


@pytest.mark.parametrize("slack", [replace(QUICK, max_sockets=2)], indirect=True)
async def test_a_deaf_one_gives_up_its_place(
    slack: SlackSandbox, listen: Listen, door: Door
) -> None:
    """Slack allows so many and no more, deaf or not."""
    listening = listen(**EAGER)
    await stand(slack, door)
    slack.deafen_sockets()
    listening.source.condemn()
    await slack.wait_for_connects(4, 10)
    await slack.wait_for_sockets(2, 5)
    say(slack, "one", "two")
    await slack.settled(5)
    assert {"one", "two"} == set(door.texts)
    assert 2 == door.ends.count("unheard")


async def test_one_that_slack_does_not_count(
    slack: SlackSandbox, listen: Listen, door: Door
) -> None:
    """A connection that Slack has forgotten gets no events; the count in each greeting tells."""
    slack.forget_sockets(1)
    listen(**EAGER)
    await slack.wait_for_connects(3, 5)
    await slack.wait_for_sockets(2, 5)
    say(slack, "hello")
    await slack.settled(5)
    assert (["hello"], ["uncounted"], [1, 1, 2]) == (door.texts, door.ends, door.counts)


async def test_somebody_else_is_noticed(
    slack: SlackSandbox, listen: Listen, caplog: pytest.LogCaptureFixture
) -> None:
    """A second process with the same app token gets a share of the events, and nobody misses it."""
    listen()
    await slack.wait_for_sockets(2, 5)
    assert "somebody else" not in caplog.text
    listen()
    await slack.wait_for_sockets(4, 5)
    assert "Slack counts 3 sockets of this app and this process has 1" in caplog.text


async def test_since_when_it_may_have_been_deaf_is_told_once(
    slack: SlackSandbox, listen: Listen, door: Door
) -> None:
    """From then on whatever was said may have to be read again."""
    listening = listen(**EAGER)
    await stand(slack, door)
    say(slack, "one", "two")
    await slack.settled(5)
    assert listening.source.take_deaf_since() is None
    listening.source.condemn()
    await slack.wait_for_connects(4, 5)
    since = listening.source.take_deaf_since()
    assert since is not None
    assert since <= max(event.received_at for event in door.accepted)
    assert listening.source.take_deaf_since() is None


async def test_silence_is_measured_per_slot(
    slack: SlackSandbox, listen: Listen, door: Door
) -> None:
    """The gauge that alerts are made of."""
    listen(**EAGER)
    await slack.wait_for_sockets(2, 5)
    await eventually(lambda: {1, 2} == set(door.silences))
    before = dict(door.silences)
    slack.drop_sockets()
    await slack.wait_for_connects(4, 5)
    await eventually(lambda: all(door.silences[slot] > before[slot] + 0.1 for slot in before))
