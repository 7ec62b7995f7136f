"""Channels that are shared by workspaces of two tenants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest

from adapters.slack.authorizations import Authorizations
from adapters.slack.config import SlackConfig
from adapters.slack.source import SlackSource
from adapters.slack.web_api import WebApi
from gateway.core.errors import QueueFullError, StoreError
from gateway.core.events import EventKind, InboundEvent
from gateway.sandbox.slack import ApiError, Fault, RateLimited, ResetBefore, SlackSandbox, Slow
from gateway.sandbox.wire import JsonObject
from tests.adapters.slack.conftest import ANN, CHANNEL, TEAM, Door
from tests.support.waiting import eventually

OTHER, SHARED, METHOD = "T0BBBB", "C0SHARED", "apps.event.authorizations.list"


@pytest.fixture
async def shared(slack: SlackSandbox) -> SlackSandbox:
    """A second workspace, and a channel in both."""
    slack.add_team(OTHER)
    slack.share_channel(SHARED, TEAM, OTHER)
    return slack


@pytest.fixture
def budget_s() -> float:
    """How long Slack may take to say who shares a channel: no test is that slow by itself."""
    return 60.0


@pytest.fixture(autouse=True)
async def source(
    shared: SlackSandbox,
    config: SlackConfig,
    session: aiohttp.ClientSession,
    door: Door,
    budget_s: float,
) -> AsyncIterator[SlackSource]:
    """A source that asks who shares a channel; of one socket, for two keep no order."""
    config = msgspec.structs.replace(config, sockets=1)
    authorizations = Authorizations(WebApi(config, session), config.app_token, budget_s=budget_s)
    listening = SlackSource(config, ignore=door.ignore, observe=door, authorizations=authorizations)
    task = asyncio.create_task(listening.run(door.accept))
    await shared.wait_for_sockets(1, 5)
    yield listening
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def calls(slack: SlackSandbox) -> int:
    """How often Slack was asked."""
    return sum(request.method == METHOD for request in slack.requests)


def by_workspace(events: list[InboundEvent]) -> dict[str, InboundEvent]:
    """What each workspace heard; each heard at most one thing."""
    heard = {event.conversation.workspace: event for event in events}
    assert len(events) == len(heard)
    return {str(name): event for name, event in heard.items()}


async def test_each_workspace_hears_the_event_as_its_own(shared: SlackSandbox, door: Door) -> None:
    """Once, under its own address, whoever it was sent for."""
    ts = shared.say(TEAM, SHARED, ANN, "hello all")
    await shared.settled(5)
    heard = by_workspace(door.accepted)
    assert {TEAM, OTHER} == set(heard)
    assert {f"slack:{TEAM}:{SHARED}:{ts}", f"slack:{OTHER}:{SHARED}:{ts}"} == {
        event.conversation.id for event in heard.values()
    }
    assert {"hello all"} == {event.text for event in heard.values()}
    assert {None} == {event.enterprise for event in heard.values()}
    assert TEAM not in repr(heard[OTHER])
    assert 1 == len(shared.deliveries)


async def test_each_workspace_is_mentioned_by_its_own_bot(shared: SlackSandbox, door: Door) -> None:
    """`message` and `app_mention` both come; what names one bot mentions nobody else's agent."""
    shared.say(TEAM, SHARED, ANN, "you there?", mention=True)
    await shared.settled(5)
    mentioned = {(each.conversation.workspace, each.mentioned) for each in door.accepted}
    assert {(TEAM, True), (OTHER, False)} == mentioned
    kinds = sorted((each.platform_kind, each.conversation.workspace) for each in door.accepted)
    assert [("app_mention", TEAM), ("message", TEAM), ("message", OTHER)] == kinds


async def test_a_mention_is_told_to_whom_it_names_not_to_whom_slack_names(
    shared: SlackSandbox, door: Door
) -> None:
    """The installation in the event may be the one that was not meant."""
    bot = f"U0BOT{OTHER[1:]}"
    event: JsonObject = {
        "type": "app_mention",
        "channel": SHARED,
        "user": ANN,
        "ts": "1700000000.000100",
        "text": f"<@{bot}> you there?",
    }
    shared.send_event(TEAM, event)
    await shared.settled(5)
    assert [OTHER] == [each.conversation.workspace for each in door.accepted]
    assert ["you there?"] == [each.text.strip() for each in door.accepted]


async def test_our_own_bots_are_nobodys_news(shared: SlackSandbox, door: Door) -> None:
    """Else the agents of two tenants would talk to each other without an end."""
    bot = f"U0BOT{TEAM[1:]}"
    event: JsonObject = {"type": "message", "channel": SHARED, "channel_type": "channel"}
    event |= {"text": "hi"}
    event |= {"user": bot, "ts": "1700000000.000100", "app_id": "A0SANDBOX", "bot_id": "B0X"}
    shared.send_event(TEAM, event)
    await shared.settled(5)
    assert {TEAM: True, OTHER: True} == {
        name: each.sender.is_self for name, each in by_workspace(door.accepted).items()
    }


async def test_edits_deletions_and_reactions_reach_both(shared: SlackSandbox, door: Door) -> None:
    """Every kind of event, not messages alone."""
    ts = shared.say(TEAM, SHARED, ANN, "hello")
    shared.react(TEAM, SHARED, ANN, ts, "tada")
    shared.edit(TEAM, SHARED, ts, "hello again")
    shared.delete(TEAM, SHARED, ts)
    await shared.settled(5)
    kinds = [
        EventKind.MESSAGE_CREATED,
        EventKind.REACTION_ADDED,
        EventKind.MESSAGE_UPDATED,
        EventKind.MESSAGE_DELETED,
    ]
    for team in (TEAM, OTHER):
        assert kinds == [each.kind for each in door.accepted if each.conversation.workspace == team]


async def test_channels_of_one_workspace_cost_no_call(shared: SlackSandbox, door: Door) -> None:
    """The method has a limit, and nearly all events are of such channels."""
    shared.say(TEAM, CHANNEL, ANN, "hello")
    await shared.settled(5)
    assert ([TEAM], 0) == ([each.conversation.workspace for each in door.accepted], calls(shared))


@pytest.mark.parametrize(
    ("fault", "budget_s"),
    [
        (RateLimited(retry_after_s=30), 60.0),
        (ApiError("missing_scope"), 60.0),
        (ResetBefore(), 60.0),
        (Slow(seconds=30), 0.1),
    ],
)
@pytest.mark.usefixtures("budget_s")
async def test_when_slack_cannot_say_the_named_installation_hears_it(
    shared: SlackSandbox, door: Door, fault: Fault
) -> None:
    """Within the time that Slack gives us; and for a while it is not asked again."""
    shared.fail_next(METHOD, fault)
    for text in ("one", "two"):
        shared.say(TEAM, SHARED, ANN, text)
        await shared.settled(5)
    heard = [(each.conversation.workspace, each.text) for each in door.accepted]
    assert [(TEAM, "one"), (TEAM, "two")] == heard
    assert 1 == calls(shared)


async def test_a_slow_answer_lets_nothing_overtake(shared: SlackSandbox, door: Door) -> None:
    """The events of a channel keep their order, whatever Slack's answers do."""
    shared.fail_next(METHOD, Slow(seconds=0.1))
    texts = [str(number) for number in range(5)]
    for text in texts:
        shared.say(TEAM, SHARED, ANN, text)
    await shared.settled(5)
    for team in (TEAM, OTHER):
        assert texts == [e.text for e in door.entered if e.conversation.workspace == team]


@pytest.mark.parametrize("fault", [QueueFullError("full"), StoreError("down")])
async def test_one_tenants_trouble_keeps_nothing_from_the_other(
    shared: SlackSandbox, door: Door, fault: Exception
) -> None:
    """The first to be asked cannot take it: the other has it, and Slack sends it again for both."""
    door.faults.append(fault)
    shared.say(TEAM, SHARED, ANN, "hello")
    await eventually(lambda: door.unacknowledged)
    assert [OTHER] == [each.conversation.workspace for each in door.accepted]


async def test_many_installations_are_read_page_by_page(shared: SlackSandbox, door: Door) -> None:
    """A channel may be shared by many; a page holds a hundred."""
    teams = [f"T0MANY{number}" for number in range(120)]
    for team in teams:
        shared.add_team(team)
    shared.share_channel("C0CROWD", TEAM, *teams)
    shared.say(TEAM, "C0CROWD", ANN, "hello")
    await shared.settled(5)
    assert {TEAM, *teams} == set(by_workspace(door.accepted))
    assert 2 == calls(shared)


async def test_an_organisation_hears_it_under_its_own_name(
    shared: SlackSandbox, door: Door
) -> None:
    """Its install names no workspace; the one that the event names is another tenant's."""
    shared.add_team("T0GRID", enterprise_id="E0GRID", is_enterprise_install=True)
    shared.share_channel("C0WIDE", TEAM, "T0GRID")
    shared.say(TEAM, "C0WIDE", ANN, "hello")
    await shared.settled(5)
    heard = by_workspace(door.accepted)
    assert {TEAM, "E0GRID"} == set(heard)
    assert "E0GRID" == heard["E0GRID"].enterprise
    assert TEAM not in repr(heard["E0GRID"])
