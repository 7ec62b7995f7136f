"""What was said while nobody listened, read from Slack's history."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from adapters.slack.config import SlackConfig
from adapters.slack.recovery import SlackRecall
from adapters.slack.web_api import WebApi
from gateway.core.conversations import ConversationKind, ConversationRef
from gateway.core.errors import SendError
from gateway.core.events import InboundEvent
from gateway.core.ids import Platform, WorkspaceId
from gateway.core.ports import Spot
from gateway.core.tenants import Credential
from gateway.sandbox.slack import RateLimited, SlackSandbox
from tests.adapters.slack.conftest import ANN, CHANNEL, TEAM, Door, Listening

BOT = Credential(bot_token=f"xoxb-{TEAM}", bot_user=f"U0BOT{TEAM[1:]}")
DIRECT = "D0ANN"


def spot(channel: str = CHANNEL, thread: str | None = None, *, enterprise: str = "") -> Spot:
    """A channel of the team, or a thread in it."""
    direct = channel.startswith("D")
    return Spot(
        ref=ConversationRef(
            platform=Platform.SLACK, workspace=WorkspaceId(TEAM), channel=channel, thread=thread
        ),
        kind=ConversationKind.DIRECT if direct else ConversationKind.CHANNEL,
        enterprise=WorkspaceId(enterprise) if enterprise else None,
    )


def texts(events: list[InboundEvent]) -> list[str]:
    """What was said."""
    return [event.text for event in events]


@pytest.fixture
def recall(config: SlackConfig, session: aiohttp.ClientSession) -> SlackRecall:
    """Reads without a pause."""
    return SlackRecall(WebApi(config, session), call_every_s=0.0)


@pytest.fixture
def since() -> datetime:
    """A minute ago: before all that a test says."""
    return datetime.now(UTC) - timedelta(minutes=1)


async def test_a_recovered_message_is_the_one_that_would_have_come(
    slack: SlackSandbox, config: SlackConfig, recall: SlackRecall, since: datetime
) -> None:
    """In all but its event id, and above all under the same natural name."""
    door = Door()
    listening = Listening(config, door)
    await slack.wait_for_sockets(2, 5)
    root = slack.say(TEAM, CHANNEL, ANN, "root", mention=True)
    slack.say(TEAM, CHANNEL, ANN, "*reply* &amp; more", thread_ts=root)
    slack.say(TEAM, DIRECT, ANN, "direct")
    slack.share_file(TEAM, CHANNEL, ANN, "a.txt", b"abc", text="a file")
    await slack.settled(5)
    await listening.stop()

    live = {(each.message_id, each.platform_kind.partition(".")[0]): each for each in door.accepted}
    found = await recall.said_since(spot(), since, BOT)
    found += await recall.said_since(spot(DIRECT), since, BOT)

    assert 4 == len(found)
    for event in found:
        came = live[event.message_id, "message"]
        assert event.platform_kind.startswith("recovered.message")
        assert came.dedupe_keys[1:] == event.dedupe_keys[1:]
        assert _essence(came) == _essence(event)


def _essence(event: InboundEvent) -> tuple[object, ...]:
    return (
        event.kind,
        event.conversation,
        event.conversation_kind,
        event.sender.id,
        event.text,
        event.mentioned,
        event.mentions,
        [each.name for each in event.attachments],
        event.sent_at,
        event.enterprise,
    )


async def test_nothing_of_our_own_and_nothing_older(
    slack: SlackSandbox, recall: SlackRecall, since: datetime
) -> None:
    """The bot's words, what was heard before, and what nobody said."""
    old = f"{(since - timedelta(seconds=1)).timestamp():.6f}"
    slack.say(TEAM, CHANNEL, ANN, "long ago", ts=old)
    slack.say(TEAM, CHANNEL, BOT.bot_user or "", "mine")
    slack.say(TEAM, CHANNEL, ANN, "in an old thread", thread_ts=old)
    slack.say(TEAM, CHANNEL, ANN, "new")

    assert ["new"] == texts(await recall.said_since(spot(), since, BOT))
    thread = await recall.said_since(spot(thread=old), since, BOT)
    assert ["in an old thread"] == texts(thread)


async def test_a_credential_without_a_name_is_asked_for_it(
    slack: SlackSandbox, recall: SlackRecall, since: datetime
) -> None:
    """Else the bot would answer itself."""
    slack.say(TEAM, CHANNEL, BOT.bot_user or "", "mine")
    slack.say(TEAM, CHANNEL, ANN, "new")
    nameless = Credential(bot_token=BOT.bot_token)
    assert ["new"] == texts(await recall.said_since(spot(), since, nameless))


async def test_many_pages_come_in_order(
    slack: SlackSandbox, recall: SlackRecall, since: datetime
) -> None:
    """Slack gives the newest first."""
    said = [str(number) for number in range(450)]
    for text in said:
        slack.say(TEAM, DIRECT, ANN, text)
    assert said == texts(await recall.said_since(spot(DIRECT), since, BOT))


async def test_a_channel_that_is_gone_holds_nothing(recall: SlackRecall, since: datetime) -> None:
    """The bot may have been removed meanwhile."""
    assert [] == await recall.said_since(spot("C0NOWHERE"), since, BOT)
    assert [] == await recall.said_since(spot(thread="1700000000.000100"), since, BOT)


async def test_a_limit_is_waited_for(
    slack: SlackSandbox, recall: SlackRecall, since: datetime
) -> None:
    """As long as Slack says, and the same call goes on then."""
    slack.say(TEAM, CHANNEL, ANN, "new")
    slack.fail_next("conversations.history", RateLimited(retry_after_s=1))
    assert ["new"] == texts(await recall.said_since(spot(), since, BOT))


async def test_a_refused_token_is_told(
    slack: SlackSandbox, recall: SlackRecall, since: datetime
) -> None:
    """That workspace is over; the caller goes on with the others."""
    slack.fail_next("conversations.history", RateLimited(retry_after_s=600))
    with pytest.raises(SendError):
        await recall.said_since(spot(), since, BOT)
    slack.revoke_token(TEAM)
    with pytest.raises(SendError) as refusal:
        await recall.said_since(spot(), since, BOT)
    assert refusal.value.permanent


async def test_calls_of_a_token_are_paced(
    slack: SlackSandbox, config: SlackConfig, session: aiohttp.ClientSession, since: datetime
) -> None:
    """Without a pause Slack would refuse most of them, for seconds each."""
    recall = SlackRecall(WebApi(config, session), call_every_s=0.1)
    slack.say(TEAM, CHANNEL, ANN, "new")
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    for _ in range(6):
        assert ["new"] == texts(await recall.said_since(spot(), since, BOT))
    assert loop.time() - began_s >= 0.5
    assert 6 == sum(each.method == "conversations.history" for each in slack.requests)


async def test_an_organisations_workspace(
    slack: SlackSandbox, recall: SlackRecall, since: datetime
) -> None:
    """The event names both, as it does when it comes: the organisation may be what is bound."""
    slack.say(TEAM, CHANNEL, ANN, "new")
    [event] = await recall.said_since(spot(enterprise="E0ORG"), since, BOT)
    assert (TEAM, "E0ORG") == (event.conversation.workspace, event.enterprise)
