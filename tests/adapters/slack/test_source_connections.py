"""What the source does when its sockets end, are refused, or fall silent."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from aiohttp import web

from adapters.slack.config import SlackConfig
from gateway.sandbox.slack import SlackSandbox
from tests.adapters.slack.conftest import (
    ANN,
    CHANNEL,
    QUICK,
    TEAM,
    Door,
    Listen,
    Listening,
)
from tests.support.waiting import eventually


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
async def test_an_announced_end_leaves_no_gap(
    slack: SlackSandbox, listening: Listening, door: Door, reason: str
) -> None:
    """The successor stands before the old socket closes, which is read to its end."""
    slack.disconnect_all(reason, grace_s=60)
    for number in range(40):
        slack.say(TEAM, CHANNEL, ANN, str(number))
        await asyncio.sleep(0)
    await slack.wait_for_connects(4, 5)
    for number in range(40, 80):
        slack.say(TEAM, CHANNEL, ANN, str(number))
    await slack.settled(5)
    slack.close_announced()
    await slack.wait_for_sockets(2, 5)
    slack.say(TEAM, CHANNEL, ANN, "80")
    await slack.settled(5)
    assert {str(number) for number in range(81)} == set(door.texts)
    assert 81 == len(slack.deliveries)
    assert all(delivery.socket == delivery.acked_on_socket for delivery in slack.deliveries)
    assert 2 <= min(door.open_sockets[door.open_sockets.index(2) :])
    assert [reason, reason] == door.ends
    assert listening.health is None


async def test_a_lost_connection_is_replaced(
    slack: SlackSandbox, listening: Listening, door: Door
) -> None:
    """A TCP reset, without any word from Slack."""
    slack.drop_sockets()
    await slack.wait_for_connects(4, 5)
    await slack.wait_for_sockets(2, 5)
    slack.say(TEAM, CHANNEL, ANN, "hello")
    await slack.settled(5)
    assert (["hello"], ["closed", "closed"]) == (door.texts, door.ends)
    assert listening.health is None


async def test_a_silent_connection_is_replaced(
    slack: SlackSandbox, listen: Listen, door: Door
) -> None:
    """A route that swallows everything: only the pings find out."""
    listen(dead_after_s=0.3)
    await slack.wait_for_sockets(2, 5)
    slack.freeze_sockets()
    await slack.wait_for_connects(4, 5)
    assert ["stalled", "stalled"] == door.ends[:2]


@pytest.mark.usefixtures("door")
async def test_every_attempt_takes_a_fresh_url(slack: SlackSandbox, listen: Listen) -> None:
    """A refused URL is spent; a client that dials it again is deaf for ever."""
    slack.refuse_upgrades(3)
    listening = listen()
    await slack.wait_for_sockets(2, 5)
    await eventually(lambda: listening.health is None)
    assert 5 == len([each for each in slack.requests if each.method == "apps.connections.open"])


@pytest.mark.parametrize("status", [None, 500, 502])
async def test_failures_of_the_opening_call_are_survived(
    slack: SlackSandbox, listen: Listen, door: Door, status: int | None
) -> None:
    """Slack's own trouble, as an answer or as none."""
    slack.fail_connections_open(5, status=status)
    listening = listen()
    await slack.wait_for_sockets(2, 5)
    slack.say(TEAM, CHANNEL, ANN, "hello")
    await slack.settled(5)
    assert (["hello"], ["unreachable"] * 5) == (door.texts, door.ends)
    assert listening.health is None


async def test_a_disabled_socket_mode_is_said_aloud(
    slack: SlackSandbox, listen: Listen, door: Door
) -> None:
    """Only a person can undo it, so the health says so and the attempts are few."""
    listening = listen(refused_retry_s=60.0)
    await slack.wait_for_sockets(2, 5)
    await eventually(lambda: listening.health is None)
    slack.disconnect_all("link_disabled", grace_s=0.2)
    await eventually(lambda: listening.health)
    assert listening.health == "no Slack socket is open: Slack: link_disabled"
    await slack.wait_for_sockets(0, 5)
    assert (2, 2) == (slack.sockets_opened, door.ends.count("link_disabled"))


async def test_a_refused_app_token_is_said_aloud(
    slack: SlackSandbox, listen: Listen, door: Door
) -> None:
    """As above; and the token itself is in no text."""
    listening = listen(app_token="xapp-wrong", refused_retry_s=60.0)
    await eventually(lambda: door.ends == ["refused", "refused"])
    assert listening.health == "no Slack socket is open: apps.connections.open: invalid_auth"
    assert 0 == slack.sockets_opened


async def test_a_refusal_that_was_lifted_is_noticed(slack: SlackSandbox, listen: Listen) -> None:
    """Nobody has to restart the gateway."""
    slack.fail_connections_open(2, error="invalid_auth")
    listening = listen(refused_retry_s=0.05)
    await slack.wait_for_sockets(2, 5)
    await eventually(lambda: listening.health is None)


@pytest.mark.parametrize("slack", [replace(QUICK, max_sockets=1)], indirect=True)
async def test_one_socket_is_enough(slack: SlackSandbox, listen: Listen, door: Door) -> None:
    """Slack may refuse the second; the first goes on."""
    listening = listen()
    await eventually(lambda: door.ends.count("unreachable") > 2)
    slack.say(TEAM, CHANNEL, ANN, "hello")
    await slack.settled(5)
    assert (["hello"], None) == (door.texts, listening.health)


async def test_a_source_that_never_ran_is_not_healthy(config: SlackConfig, door: Door) -> None:
    """Silence is no health."""
    listening = Listening(config, door)
    assert listening.health == "no Slack socket is open: not started"
    await listening.stop()


async def test_a_socket_on_a_strange_host_is_not_dialled(listen: Listen, door: Door) -> None:
    """Whoever answers for Slack must not choose where the gateway connects to."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"ok": True, "url": "wss://slack.com.example.net/link"})

    app = web.Application()
    app.router.add_post("/api/apps.connections.open", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/"
    try:
        listening = listen(api_base_url=base_url, refused_retry_s=60.0)
        await eventually(lambda: door.ends == ["refused", "refused"])
        assert "not allowed" in str(listening.health)
    finally:
        await runner.cleanup()
