"""Channels in several workspaces, as Slack Connect has them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from gateway.sandbox.slack import SlackRules, SlackSandbox
from gateway.sandbox.wire import JsonObject
from tests.support.waiting import eventually

TEAM, OTHER, SHARED, OWN, ANN = "T0AAAA", "T0BBBB", "C0SHARED", "C0OWN", "U0ANN"


@pytest.fixture
async def slack() -> AsyncIterator[SlackSandbox]:
    """Two workspaces that share a channel, and an app that cannot be reached."""
    async with SlackSandbox(rules=SlackRules(ack_deadline_s=0.05)) as sandbox:
        sandbox.add_team(TEAM)
        sandbox.add_team(OTHER)
        sandbox.share_channel(SHARED, TEAM, OTHER)
        sandbox.http.point_at("http://127.0.0.1:1", "secret")
        yield sandbox


@pytest.fixture
async def client(slack: SlackSandbox) -> AsyncIterator[AsyncWebClient]:
    """Slack's own SDK, as the app."""
    async with aiohttp.ClientSession() as session:
        yield AsyncWebClient(slack.app_token, base_url=slack.base_url, session=session)


async def event_of(slack: SlackSandbox) -> JsonObject:
    """The event that was sent last."""
    await eventually(lambda: slack.http.requests)
    event: JsonObject = orjson.loads(slack.http.requests[-1].body)
    return event


async def test_an_event_names_one_installation_and_the_list_names_all(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    """As the documents have it since 2020."""
    slack.say(OTHER, SHARED, ANN, "hello")
    event = await event_of(slack)
    assert event["is_ext_shared_channel"] is True
    named = event["authorizations"]
    assert isinstance(named, list)
    assert [OTHER] == [each["team_id"] for each in named]
    listed = await client.apps_event_authorizations_list(event_context=str(event["event_context"]))
    assert [TEAM, OTHER] == [each["team_id"] for each in listed["authorizations"]]
    assert named[0] in listed["authorizations"]


async def test_a_channel_of_one_workspace_is_that_workspaces_alone(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    """Whatever else it shares."""
    slack.say(TEAM, OWN, ANN, "hello")
    event = await event_of(slack)
    assert event["is_ext_shared_channel"] is False
    listed = await client.apps_event_authorizations_list(event_context=str(event["event_context"]))
    assert [TEAM] == [each["team_id"] for each in listed["authorizations"]]


async def test_the_list_is_given_to_the_app_alone(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    """A bot's token will not do, nor a context that no event had."""
    with pytest.raises(SlackApiError, match="invalid_event_context"):
        await client.apps_event_authorizations_list(event_context="4-nonsense")
    client.token = f"xoxb-{TEAM}"
    with pytest.raises(SlackApiError, match="not_allowed_token_type"):
        await client.apps_event_authorizations_list(event_context="4-e30=")


async def test_the_list_has_pages(slack: SlackSandbox, client: AsyncWebClient) -> None:
    """A cursor leads from one to the next."""
    slack.say(TEAM, SHARED, ANN, "hello")
    context = str((await event_of(slack))["event_context"])
    first = await client.apps_event_authorizations_list(event_context=context, limit=1)
    cursor = first["response_metadata"]["next_cursor"]
    second = await client.apps_event_authorizations_list(event_context=context, cursor=cursor)
    teams = [each["team_id"] for page in (first, second) for each in page["authorizations"]]
    assert [TEAM, OTHER] == teams
    assert "response_metadata" not in second.data
