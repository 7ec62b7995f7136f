"""Finding whom to speak to when no conversation is known yet."""

from __future__ import annotations

import aiohttp
import pytest

from adapters.slack.config import SlackConfig
from adapters.slack.directory import LISTING_LASTS_S, MISS_LASTS_S, SlackDirectory
from adapters.slack.sender import SlackSender
from adapters.slack.web_api import WebApi
from gateway.core.deliveries import Reason
from gateway.core.ids import WorkspaceId
from gateway.core.messages import Target
from gateway.core.tenants import Credential
from gateway.sandbox.slack import ApiError, Fault, ResetAfter, SlackSandbox
from tests.adapters.slack.acts import (
    BOT,
    HARMLESS_FAULTS,
    Verdict,
    failure,
    message,
    place,
    verdict,
)
from tests.adapters.slack.conftest import ANN, CHANNEL, TEAM

HERE = WorkspaceId(TEAM)


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """The directory's clock."""
    return Clock()


@pytest.fixture
def directory(config: SlackConfig, session: aiohttp.ClientSession, clock: Clock) -> SlackDirectory:
    """A directory whose time can be set."""
    return SlackDirectory(WebApi(config, session), clock)


def calls(slack: SlackSandbox, method: str) -> int:
    """How often Slack was asked."""
    return [each.method for each in slack.requests].count(method)


async def test_a_user_is_spoken_to_in_their_direct_messages(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """The same conversation every time, and a message reaches it."""
    slack.add_user(TEAM, ANN, "Ann")
    found = await sender.address(HERE, Target(user=ANN), BOT)
    assert found is not None
    assert found == await sender.address(HERE, Target(user=ANN), BOT)
    await sender.send(message(channel=found.channel), BOT)
    assert ["_hi_"] == [each.text for each in slack.bot_messages(TEAM, found.channel)]
    assert found.thread is None


async def test_a_channel_is_found_by_its_id_and_by_its_name(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """Slack's names are in lower case; people write them as they like."""
    slack.add_channel(TEAM, "C0NEWS", name="news")
    for named in ("C0NEWS", "#news", "#News"):
        assert place(channel="C0NEWS") == await sender.address(HERE, Target(channel=named), BOT)


@pytest.mark.parametrize(
    "target",
    [
        Target(user="U0NOBODY"),
        Target(user="U0ANN,U0BEN"),
        Target(user="ann"),
        Target(user=""),
        Target(channel="C0NOWHERE"),
        Target(channel="#nowhere"),
        Target(channel="#"),
        Target(channel="general"),
        Target(channel="C0GENERAL&types=im"),
        Target(channel=""),
        Target(),
    ],
)
async def test_what_is_not_there_is_not_found(
    slack: SlackSandbox, sender: SlackSender, target: Target
) -> None:
    """Nobody, no such channel, a group in a user's place, and what is no id at all."""
    slack.add_user(TEAM, "U0ANN")
    slack.add_user(TEAM, "U0BEN")
    assert await sender.address(HERE, target, BOT) is None


async def test_a_private_channel_without_the_bot_cannot_be_found(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """Nor can an archived one by its name."""
    slack.add_channel(TEAM, "G0SECRET", "group", name="secret", is_member=False)
    slack.add_channel(TEAM, "C0OLD", name="old", is_archived=True)
    for named in ("G0SECRET", "#secret", "#old"):
        assert await sender.address(HERE, Target(channel=named), BOT) is None


async def test_a_public_channel_without_the_bot_is_found_and_slack_decides(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """With chat:write.public it may post there; the sandbox's app has none."""
    slack.add_channel(TEAM, "C0PUBLIC", name="public", is_member=False)
    assert place(channel="C0PUBLIC") == await sender.address(HERE, Target(channel="#public"), BOT)
    error = await failure(sender.send(message(channel="C0PUBLIC"), BOT))
    assert (Reason.PLATFORM_REJECTED, "not_in_channel") == (error.reason, error.detail)


async def test_a_name_is_found_behind_other_pages(slack: SlackSandbox, sender: SlackSender) -> None:
    """Large workspaces list their channels in pages."""
    for number in range(1_100):
        slack.add_channel(TEAM, f"C0{number:04}")
    slack.add_channel(TEAM, "C9LAST", name="last")
    found = await sender.address(HERE, Target(channel="#last"), BOT)
    assert (place(channel="C9LAST"), 2) == (found, calls(slack, "conversations.list"))


async def test_a_workspace_without_end_asks_for_the_id(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """Not found among so many is not the same as not there."""
    for number in range(10_001):
        slack.add_channel(TEAM, f"C0{number:05}")
    error = await failure(sender.address(HERE, Target(channel="#nowhere"), BOT))
    assert (Reason.PLATFORM_REJECTED, True, False, None) == verdict(error)
    assert error.detail.startswith("channel: ")
    assert 10 == calls(slack, "conversations.list")


async def test_names_are_remembered_for_a_while(
    slack: SlackSandbox, directory: SlackDirectory, clock: Clock
) -> None:
    """A listing costs a call for every thousand channels, and there are 20 a minute."""
    slack.add_channel(TEAM, "C0NEWS", name="news")
    target = Target(channel="#news")
    await directory.address(HERE, target, BOT)
    clock.now_s += LISTING_LASTS_S - 1
    assert place(channel="C0NEWS") == await directory.address(HERE, target, BOT)
    assert 1 == calls(slack, "conversations.list")
    slack.add_channel(TEAM, "C0NEWS", name="old-news")
    slack.add_channel(TEAM, "C0NEWER", name="news")
    clock.now_s += 1
    assert place(channel="C0NEWER") == await directory.address(HERE, target, BOT)


async def test_a_new_channel_is_found_soon_and_guesses_cost_little(
    slack: SlackSandbox, directory: SlackDirectory, clock: Clock
) -> None:
    """A name that was not there is looked for again after a minute, not at once."""
    assert await directory.address(HERE, Target(channel="#new"), BOT) is None
    slack.add_channel(TEAM, "C0NEW", name="new")
    assert await directory.address(HERE, Target(channel="#new"), BOT) is None
    assert 1 == calls(slack, "conversations.list")
    clock.now_s += MISS_LASTS_S
    found = await directory.address(HERE, Target(channel="#new"), BOT)
    assert place(channel="C0NEW") == found


async def test_a_token_of_an_organisation_finds_nothing_of_its_other_workspaces(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """They may be other tenants'. Slack would answer, since the token is the same."""
    for team in ("T0ORGA", "T0ORGB"):
        slack.add_team(
            team, bot_token="xoxb-org", enterprise_id="E0ORG", is_enterprise_install=True
        )
        slack.add_channel(team, f"C0OF{team[-1]}", name=f"of-{team[-1].lower()}")
    token = Credential(bot_token="xoxb-org")
    here = WorkspaceId("T0ORGA")
    for named in ("C0OFB", "#of-b"):
        assert await sender.address(here, Target(channel=named), token) is None
    for named in ("C0OFA", "#of-a"):
        found = await sender.address(here, Target(channel=named), token)
        assert found is not None
        assert ("T0ORGA", "C0OFA") == (found.workspace, found.channel)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("conversations.open", Target(user=ANN)),
        ("conversations.info", Target(channel=CHANNEL)),
        ("conversations.list", Target(channel="#general")),
    ],
)
@pytest.mark.parametrize(("fault", "expected"), HARMLESS_FAULTS)
async def test_faults(
    slack: SlackSandbox,
    sender: SlackSender,
    method: str,
    target: Target,
    fault: Fault,
    expected: Verdict,
) -> None:
    """They are told, never taken for an absence, and never ambiguous."""
    slack.add_user(TEAM, ANN)
    # Twice: the HTTP client itself asks again when a connection ends under a GET.
    slack.fail_next(method, fault, times=2)
    assert expected == verdict(await failure(sender.address(HERE, target, BOT)))


async def test_a_failed_listing_is_not_remembered(slack: SlackSandbox, sender: SlackSender) -> None:
    """The next attempt asks again."""
    slack.add_channel(TEAM, "C0NEWS", name="news")
    slack.fail_next("conversations.list", ApiError("service_unavailable"))
    await failure(sender.address(HERE, Target(channel="#news"), BOT))
    found = await sender.address(HERE, Target(channel="#news"), BOT)
    assert place(channel="C0NEWS") == found


async def test_a_conversation_whose_answer_was_lost_is_opened_once(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """Slack gives the one that there is."""
    slack.add_user(TEAM, ANN)
    slack.fail_next("conversations.open", ResetAfter())
    await failure(sender.address(HERE, Target(user=ANN), BOT))
    found = await sender.address(HERE, Target(user=ANN), BOT)
    assert found == await sender.address(HERE, Target(user=ANN), BOT)
