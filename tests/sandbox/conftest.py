"""Sandboxes with waits short enough for tests, and apps that connect to them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from gateway.sandbox.slack import SlackRules, SlackSandbox, Team
from tests.sandbox.plain_app import PlainApp

ALPHA, BETA = "T0AAAA", "T0BBBB"
QUICK = SlackRules(
    redelivery_delays_s=(0.0, 0.02, 0.05),
    ping_interval_s=0.2,
    disconnect_grace_s=0.05,
    ticket_ttl_s=5.0,
    echo_own_messages=False,
)
HASTY = replace(QUICK, ack_deadline_s=0.1)
"""For tests of what follows a missed deadline; others keep the real one and cannot miss it."""


@pytest.fixture
async def slack(request: pytest.FixtureRequest) -> AsyncIterator[SlackSandbox]:
    """Two teams with one app; both have a channel C0GENERAL. Its parameter is its rules."""
    async with SlackSandbox(rules=getattr(request, "param", QUICK)) as sandbox:
        for team_id in (ALPHA, BETA):
            sandbox.add_team(team_id)
            sandbox.add_channel(team_id, "C0GENERAL")
        yield sandbox


@pytest.fixture
def alpha(slack: SlackSandbox) -> Team:
    """The app's installation in the first team."""
    return slack.add_team(ALPHA, name="Alpha")


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """One HTTP session for a test."""
    async with aiohttp.ClientSession() as client_session:
        yield client_session


@pytest.fixture
def web(slack: SlackSandbox, alpha: Team, session: aiohttp.ClientSession) -> AsyncWebClient:
    """Slack's own Web API client as the first team's bot, without retries of its own."""
    return AsyncWebClient(
        token=alpha.bot_token, base_url=slack.base_url, session=session, retry_handlers=[]
    )


@pytest.fixture
async def app(slack: SlackSandbox, session: aiohttp.ClientSession) -> AsyncIterator[PlainApp]:
    """A connected app that acknowledges nothing by itself."""
    plain = await PlainApp.connect(slack, session)
    yield plain
    await plain.close()
