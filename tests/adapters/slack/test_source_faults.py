"""The list of socket faults: none of them keeps the source deaf."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import pytest

from adapters.slack.config import SlackConfig
from gateway.sandbox.slack import SlackSandbox
from tests.adapters.slack.conftest import ANN, CHANNEL, QUICK, TEAM, Door, Listen, Listening
from tests.support.waiting import eventually

LONGEST_DEAF_S = 15.0
TICK_S = 0.05


def lose(slack: SlackSandbox) -> None:
    """Make the source open both of its sockets anew."""
    slack.drop_sockets()


def disable(slack: SlackSandbox) -> None:
    """Somebody switches Socket Mode off, and on again."""
    slack.disconnect_all("link_disabled", grace_s=0.1)


def drip(slack: SlackSandbox) -> None:
    """A frame without an end, byte by byte."""
    slack.stall_sockets(drip_every_s=0.05)


def refuse_upgrades(slack: SlackSandbox) -> None:
    """Handshakes fail."""
    slack.refuse_upgrades(4)
    lose(slack)


def spoil_tickets(slack: SlackSandbox) -> None:
    """URLs are too old."""
    slack.spoil_tickets(4)
    lose(slack)


def fail_opening(slack: SlackSandbox) -> None:
    """apps.connections.open fails, five times."""
    slack.fail_connections_open(5)
    lose(slack)


def greet_nobody(slack: SlackSandbox) -> None:
    """A connection is accepted, and nothing is said on it."""
    slack.greet_nobody(1)
    lose(slack)


def storm(slack: SlackSandbox) -> None:
    """Each connection ends as soon as it stands."""
    slack.hang_up_on(8, "refresh_requested")
    slack.disconnect_all("refresh_requested", grace_s=0.1)


def crowd(slack: SlackSandbox) -> None:
    """As above, for another reason."""
    slack.hang_up_on(8, "too_many_websockets")
    slack.disconnect_all("too_many_websockets", grace_s=0.1)


FAULTS: dict[str, Callable[[SlackSandbox], None]] = {
    "reset": lose,
    "black hole": SlackSandbox.freeze_sockets,
    "stall in a frame": SlackSandbox.stall_sockets,
    "drip": drip,
    "refused upgrades": refuse_upgrades,
    "dead tickets": spoil_tickets,
    "failed opening": fail_opening,
    "no hello": greet_nobody,
    "link_disabled": disable,
    "storm": storm,
    "crowd": crowd,
}


class Lived:
    """Time as the loop has lived it: on a machine that is busy it only goes slower."""

    def __init__(self) -> None:
        self.s = 0.0

    async def run(self) -> None:
        """Count."""
        while True:
            await asyncio.sleep(TICK_S)
            self.s += TICK_S


async def heard_after(name: str) -> tuple[list[str], float]:
    """What a source with nothing but default settings hears after a fault of both its sockets, and
    for how long it heard nothing.
    """
    door = Door()
    async with SlackSandbox(rules=QUICK) as slack:
        slack.add_team(TEAM)
        config = SlackConfig(app_token=slack.app_token, api_base_url=slack.base_url)
        listening = Listening(config, door)
        try:
            await slack.wait_for_sockets(2, 10)
            before, deaf = slack.sockets_opened, Lived()
            FAULTS[name](slack)
            counting = asyncio.create_task(deaf.run())
            await eventually(lambda: slack.sockets_opened > before, timeout_s=40)
            heard = await first_heard(slack, door, name)
            counting.cancel()
            return heard, deaf.s
        finally:
            await listening.stop()


async def first_heard(slack: SlackSandbox, door: Door, text: str) -> list[str]:
    """Say it until it is heard: what was said to dead sockets comes again after minutes."""
    while not door.texts:
        slack.say(TEAM, CHANNEL, ANN, text)
        with contextlib.suppress(AssertionError):
            await eventually(lambda: door.texts, timeout_s=0.5)
    return door.texts[:1]


async def test_it_hears_again_after_every_fault() -> None:
    """With default settings, and in time; all at once, since some of them take their time."""
    ends = dict(zip(FAULTS, await asyncio.gather(*map(heard_after, FAULTS)), strict=True))
    assert {name: [name] for name in FAULTS} == {name: heard for name, (heard, _) in ends.items()}
    assert {} == {name: deaf_s for name, (_, deaf_s) in ends.items() if deaf_s > LONGEST_DEAF_S}


def test_the_defaults_keep_the_promise() -> None:
    """Whatever has just gone wrong, the next good attempt is over in time: first it is noticed,
    then at most one attempt hangs, then the longest wait passes.
    """
    config = SlackConfig()
    noticed_s, hanging_s = config.dead_after_s, config.connect_timeout_s
    waits = {
        "a lost connection": noticed_s + config.backoff_base_s + hanging_s,
        "failed attempts": hanging_s + config.backoff_cap_s,
        "a refusal that was lifted": config.refused_retry_s + config.backoff_base_s + hanging_s,
    }
    assert {} == {name: wait_s for name, wait_s in waits.items() if wait_s > LONGEST_DEAF_S}


@pytest.mark.parametrize("reason", ["refresh_requested", "too_many_websockets", "warning"])
async def test_a_storm_is_not_answered_by_a_storm(
    slack: SlackSandbox, listen: Listen, reason: str
) -> None:
    """Each end at once after the greeting counts as a failure, and the waits grow."""
    slack.hang_up_on(10_000, reason)
    listen(backoff_base_s=0.02, backoff_cap_s=30.0)
    await slack.wait_for_connects(4, 10)
    with pytest.raises(TimeoutError):
        await slack.wait_for_connects(60, 2)
    calls = [each for each in slack.requests if each.method == "apps.connections.open"]
    assert len(calls) <= slack.sockets_opened + 2


async def test_what_we_are_slow_to_take_is_no_silence_of_slack(
    slack: SlackSandbox, listen: Listen, door: Door
) -> None:
    """While a store is away nothing is read, pongs neither, and the connections are good."""
    listen(max_in_flight=1, dead_after_s=0.4)
    await slack.wait_for_sockets(2, 5)
    door.open.clear()
    for number in range(8):
        slack.say(TEAM, CHANNEL, ANN, str(number))
    await eventually(lambda: door.entered)
    asyncio.get_running_loop().call_later(1.0, door.open.set)
    await slack.settled(10)
    assert ([], 2, 8) == (door.ends, slack.sockets_opened, len(door.texts))


async def test_pings_are_timed(slack: SlackSandbox, listen: Listen, door: Door) -> None:
    """How long an answer takes is the first thing that a bad route changes."""
    listen(dead_after_s=0.4)
    await slack.wait_for_sockets(2, 5)
    await eventually(lambda: len(door.answers_s) > 4)
    assert [] == [each for each in door.answers_s if each < 0.0]
    assert [] == door.ends
