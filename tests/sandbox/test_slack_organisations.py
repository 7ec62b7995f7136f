"""An organisation: one token for several workspaces, and what Slack tells of who is where."""

from __future__ import annotations

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from gateway.sandbox.slack import SlackSandbox

ONE, TWO = "T0ONE", "T0TWO"


@pytest.fixture
def org(slack: SlackSandbox, session: aiohttp.ClientSession) -> AsyncWebClient:
    """The organisation's own token; TWO has one of its own besides."""
    slack.add_team(ONE, bot_token="xoxb-org", enterprise_id="E0ORG", is_enterprise_install=True)
    slack.add_team(TWO, enterprise_id="E0ORG")
    slack.add_channel(TWO, "C0TWO")
    return AsyncWebClient(token="xoxb-org", base_url=slack.base_url, session=session)


async def test_its_token_reaches_every_workspace(
    slack: SlackSandbox, org: AsyncWebClient, session: aiohttp.ClientSession
) -> None:
    """Also one that has an install of its own, whose token reaches that one alone."""
    slack.add_channel(ONE, "C0ONE")
    await org.chat_postMessage(channel="C0TWO", text="hello")
    own = AsyncWebClient(token=f"xoxb-{TWO}", base_url=slack.base_url, session=session)
    with pytest.raises(SlackApiError, match="channel_not_found"):
        await own.chat_postMessage(channel="C0ONE", text="hello")

    assert ["hello"] == [each.text for each in slack.bot_messages(TWO, "C0TWO")]
    assert [] == slack.bot_messages(ONE, "C0ONE")


async def test_a_channel_names_the_workspaces_in_which_it_stands(
    slack: SlackSandbox, org: AsyncWebClient
) -> None:
    """One, or those that share it."""
    slack.share_channel("C0BOTH", ONE, TWO)
    found = [
        (await org.conversations_info(channel=each))["channel"] for each in ("C0TWO", "C0BOTH")
    ]

    assert [TWO, ONE] == [each["context_team_id"] for each in found]
    assert [[TWO], [ONE, TWO]] == [each["shared_team_ids"] for each in found]


async def test_people_are_found_in_all_of_them_and_name_their_workspaces(
    slack: SlackSandbox, org: AsyncWebClient
) -> None:
    """A direct message names its user, and is where they are."""
    for team, user in ((TWO, "U0BEN"), (ONE, "U0BOTH"), (TWO, "U0BOTH")):
        slack.add_user(team, user)
    teams = [
        (await org.users_info(user=each))["user"]["enterprise_user"]["teams"]
        for each in ("U0BEN", "U0BOTH")
    ]
    opened = (await org.conversations_open(users="U0BEN"))["channel"]["id"]
    direct = (await org.conversations_info(channel=opened))["channel"]

    assert [[TWO], [ONE, TWO]] == teams
    assert (True, "U0BEN", TWO) == (direct["is_im"], direct["user"], direct["context_team_id"])


async def test_members_are_those_who_spoke_and_the_bot(
    slack: SlackSandbox, org: AsyncWebClient
) -> None:
    """conversations.members, of which a group direct message needs one page."""
    slack.add_channel(ONE, "G0GROUP", "mpim")
    for user in ("U0ANN", "U0BEN", "U0ANN"):
        slack.say(ONE, "G0GROUP", user, "hi")
    answer = await org.conversations_members(channel="G0GROUP")

    assert ["U0ANN", "U0BEN", "U0BOT0ONE"] == answer["members"]
