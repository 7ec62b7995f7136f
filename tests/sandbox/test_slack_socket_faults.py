"""What goes wrong with sockets on the sandbox, seen by a client that knows nothing of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest

from gateway.sandbox.slack import SlackRules, SlackSandbox

TEAM, CHANNEL, ANN = "T0AAAA", "C0GENERAL", "U0ANN"
RULES = SlackRules(ack_deadline_s=0.1, redelivery_delays_s=(0.0,), ping_interval_s=0.05)


@pytest.fixture
async def slack() -> AsyncIterator[SlackSandbox]:
    """One team."""
    async with SlackSandbox(rules=RULES) as sandbox:
        sandbox.add_team(TEAM)
        yield sandbox


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A plain client."""
    async with aiohttp.ClientSession() as client:
        yield client


async def dial(
    slack: SlackSandbox, session: aiohttp.ClientSession
) -> aiohttp.ClientWebSocketResponse:
    """Open a connection as the documents say."""
    headers = {"Authorization": f"Bearer {slack.app_token}"}
    async with session.post(f"{slack.base_url}apps.connections.open", headers=headers) as answer:
        url = (await answer.json())["url"]
    return await session.ws_connect(url, autoping=False)


async def text(ws: aiohttp.ClientWebSocketResponse) -> dict[str, object]:
    """The next frame that is no ping."""
    async with asyncio.timeout(5):
        while True:
            message = await ws.receive()
            if message.type is aiohttp.WSMsgType.TEXT:
                document = orjson.loads(message.data)
                assert isinstance(document, dict)
                return document
            assert message.type is aiohttp.WSMsgType.PING


async def test_a_spoilt_ticket_is_refused(
    slack: SlackSandbox, session: aiohttp.ClientSession
) -> None:
    """As one that is too old; the next is good."""
    slack.spoil_tickets(1)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        await dial(slack, session)
    assert 403 == refusal.value.status
    assert "hello" == (await text(await dial(slack, session)))["type"]


async def test_a_connection_that_is_not_greeted(
    slack: SlackSandbox, session: aiohttp.ClientSession
) -> None:
    """It is open, and that is all."""
    slack.greet_nobody(1)
    ws = await dial(slack, session)
    with pytest.raises(TimeoutError):
        await ws.receive(timeout=0.3)
    assert "hello" == (await text(await dial(slack, session)))["type"]


async def test_a_storm(slack: SlackSandbox, session: aiohttp.ClientSession) -> None:
    """Greeted, told to go, and closed."""
    slack.hang_up_on(1, "refresh_requested")
    ws = await dial(slack, session)
    frames = [await text(ws), await text(ws)]
    assert ["hello", "disconnect"] == [each["type"] for each in frames]
    assert "refresh_requested" == frames[1]["reason"]
    assert aiohttp.WSMsgType.CLOSE is (await ws.receive(timeout=5)).type


async def test_a_deaf_connection_pings_and_swallows_its_share(
    slack: SlackSandbox, session: aiohttp.ClientSession
) -> None:
    """What it was sent comes again when nobody acknowledges it."""
    deaf, good = await dial(slack, session), await dial(slack, session)
    assert ["hello", "hello"] == [(await text(ws))["type"] for ws in (deaf, good)]
    slack.deafen_sockets(1)
    for word in ("one", "two"):
        slack.say(TEAM, CHANNEL, ANN, word)
    await slack.settled(5)
    assert {1, 2} == {delivery.socket for delivery in slack.deliveries}
    assert aiohttp.WSMsgType.PING is (await deaf.receive(timeout=5)).type
    assert "events_api" == (await text(good))["type"]


async def test_a_frame_without_an_end(slack: SlackSandbox, session: aiohttp.ClientSession) -> None:
    """Neither it nor anything after it comes, and the connection stays open."""
    ws = await dial(slack, session)
    await text(ws)
    slack.stall_sockets(drip_every_s=0.02)
    with pytest.raises(TimeoutError):
        await text_within(ws, 0.3)
    assert not ws.closed


async def text_within(ws: aiohttp.ClientWebSocketResponse, timeout_s: float) -> None:
    """Wait for a frame that is no ping. Raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        await text(ws)


async def test_forgotten_connections_are_not_counted(
    slack: SlackSandbox, session: aiohttp.ClientSession
) -> None:
    """But the one that is greeted always is."""
    slack.forget_sockets(1)
    held = [await dial(slack, session) for _ in range(3)]
    counts = [(await text(ws))["num_connections"] for ws in held]
    assert [1, 1, 2] == counts
