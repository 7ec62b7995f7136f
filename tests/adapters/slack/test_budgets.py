"""What Slack allows in a minute is asked of a shared budget first; its word holds what it names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import msgspec
import pytest

from adapters.slack.config import SlackConfig
from adapters.slack.dialogs import Dialogs, Pressed
from adapters.slack.sender import SlackSender
from adapters.slack.tiers import RATES, TIER_3
from adapters.slack.web_api import WebApi
from gateway.core.budgets import Account
from gateway.core.components import Form
from gateway.core.errors import BudgetSpentError, SendError, StreamRefusedError
from gateway.core.events import EventKind
from gateway.core.events import Sender as Person
from gateway.core.ids import MessageId, Platform, TenantId, WorkspaceId
from gateway.core.ports import FormOwner, FormPress
from gateway.core.tenants import Credential
from gateway.sandbox.slack import ApiError, RateLimited, SlackSandbox
from gateway.sandbox.slack.rules import TIERS
from gateway.store.buckets import Buckets
from gateway.store.connection import connect
from tests.adapters.slack.acts import edit, failure, message, reaction, standing
from tests.adapters.slack.conftest import ANN, CHANNEL, QUICK, TEAM
from tests.adapters.slack.payloads import parsed
from tests.adapters.slack.test_streams import ask, start

OTHER = "T0OTHER"


def bot(team: str = TEAM) -> Credential:
    """The bot of a team whose calls are counted."""
    account = Account(
        tenant=TenantId(team.lower()), platform=Platform.SLACK, workspace=WorkspaceId(team)
    )
    return Credential(bot_token=f"xoxb-{team}", account=account)


@pytest.fixture
async def counted(
    clean_redis: str, config: SlackConfig, session: aiohttp.ClientSession, slack: SlackSandbox
) -> AsyncIterator[SlackSender]:
    """A sender with a budget; another team has a channel of the same id."""
    slack.add_team(OTHER)
    slack.add_channel(OTHER, CHANNEL)
    async with connect(clean_redis) as client:
        yield SlackSender(config, session, Buckets(client, 4))


def calls(slack: SlackSandbox, method: str) -> int:
    """How often Slack was asked."""
    return [each.method for each in slack.requests].count(method)


def posted(slack: SlackSandbox) -> str:
    """A message of the bot's."""
    return slack.bot_messages(TEAM, CHANNEL)[-1].ts


async def test_what_is_spent_is_not_asked(slack: SlackSandbox, counted: SlackSender) -> None:
    """Nor is it an attempt: it says when to come back, and holds nobody."""
    await counted.send(message(), bot())
    ref = standing(posted(slack))
    for _ in range(TIER_3.burst):
        await counted.edit(edit(), ref, bot())
    error = await failure(counted.edit(edit(), ref, bot()))

    assert isinstance(error, BudgetSpentError)
    assert TIER_3.burst == calls(slack, "chat.update")
    assert (False, False, False) == (error.ambiguous, error.permanent, error.holds_lane)
    assert 0 < (error.retry_after_s or 0) <= 60 / (TIER_3.per_minute - TIER_3.burst)
    await counted.react(reaction("eyes"), ref, bot())
    slack.say(OTHER, CHANNEL, ANN, "theirs", ts="1700000000.000100")
    theirs = await failure(counted.edit(edit(), standing("1700000000.000100"), bot(OTHER)))
    assert "cant_update_message" == theirs.detail


async def test_previews_leave_something_to_what_must_be_seen(
    slack: SlackSandbox, counted: SlackSender
) -> None:
    """Half of what there is at once."""
    await counted.send(message(), bot())
    ref = standing(posted(slack))
    preview = msgspec.structs.replace(edit(), is_preview=True)
    for _ in range(TIER_3.burst // 2):
        await counted.edit(preview, ref, bot())
    error = await failure(counted.edit(preview, ref, bot()))
    await counted.edit(edit("the end"), ref, bot())

    assert isinstance(error, BudgetSpentError)
    assert "the end" == slack.bot_messages(TEAM, CHANNEL)[0].text


@pytest.mark.parametrize("fault", [RateLimited(retry_after_s=30), ApiError("ratelimited")])
async def test_slacks_word_holds_what_it_names(
    slack: SlackSandbox, counted: SlackSender, fault: RateLimited | ApiError
) -> None:
    """This method in this workspace; not the channel, no other method, no other workspace."""
    await counted.send(message(), bot())
    ref = standing(posted(slack))
    slack.fail_next("chat.update", fault)
    refused = await failure(counted.edit(edit(), ref, bot()))
    again = await failure(counted.edit(edit(), ref, bot()))

    assert (SendError, False) == (type(refused), refused.holds_lane)
    assert isinstance(again, BudgetSpentError)
    assert 0 < (again.retry_after_s or 0) <= 30
    assert 1 == calls(slack, "chat.update")
    await counted.react(reaction("eyes"), ref, bot())
    await counted.send(message(), bot())
    theirs = await counted.send(message(), bot(OTHER))
    await counted.edit(edit(), standing(theirs.id), bot(OTHER))
    assert ["better"] == [each.text for each in slack.bot_messages(OTHER, CHANNEL)]


async def test_posts_are_held_by_their_channel(slack: SlackSandbox, counted: SlackSender) -> None:
    """Slack limits them by channel; none is counted for its workspace."""
    slack.fail_next("chat.postMessage", RateLimited(retry_after_s=30))
    error = await failure(counted.send(message(), bot()))
    await counted.send(message(), bot())

    assert (True, 30.0) == (error.holds_lane, error.retry_after_s)
    assert "chat.postMessage" not in RATES


async def test_what_the_gateway_asks_by_itself_is_counted_too(
    slack: SlackSandbox, counted: SlackSender
) -> None:
    """By whichever replica: they share the budget, and a refusal says it is that."""
    slack.add_user(TEAM, ANN)
    slack.fail_next("users.info", RateLimited(retry_after_s=30))
    await failure(counted.person(Person(id=ANN), bot()))
    error = await failure(counted.person(Person(id=ANN), bot()))
    assert isinstance(error, BudgetSpentError)


@pytest.mark.parametrize("slack", [replace(QUICK, method_rates=TIERS)], indirect=True)
async def test_slack_never_has_to_refuse_what_is_counted(
    slack: SlackSandbox, counted: SlackSender
) -> None:
    """A budget is spent before Slack's patience."""
    root = ask(slack)
    kinds = [type(await _tried(counted, root)) for _ in range(30)]

    assert {type(None), StreamRefusedError} == set(kinds)
    assert kinds.count(type(None)) == calls(slack, "chat.startStream") <= 20


async def _tried(sender: SlackSender, root: str) -> Exception | None:
    try:
        await sender.start(start(root), "One", bot())
    except StreamRefusedError as exc:
        return exc
    return None


async def test_when_nothing_can_be_shown_meanwhile_it_is_posted_at_its_end(
    slack: SlackSandbox, counted: SlackSender
) -> None:
    """Neither as a stream nor by edits."""
    stream = start(ask(slack))
    slack.fail_next("chat.startStream", RateLimited(retry_after_s=60))
    by_edits = await failure(counted.start(stream, "One", bot()))
    await counted.send(message(), bot())
    while not isinstance(await _refused_edit(counted, posted(slack)), BudgetSpentError):
        pass
    at_its_end = await failure(counted.start(stream, "One", bot()))

    assert isinstance(by_edits, StreamRefusedError)
    assert isinstance(at_its_end, StreamRefusedError)
    assert (True, False) == (by_edits.may_edit, at_its_end.may_edit)


async def _refused_edit(sender: SlackSender, ts: str) -> SendError | None:
    try:
        await sender.edit(edit(), standing(ts), bot())
    except SendError as exc:
        return exc
    return None


async def test_what_has_no_account_is_not_counted(
    slack: SlackSandbox, counted: SlackSender
) -> None:
    """A token that is bound to nobody yet."""
    slack.add_user(TEAM, ANN)
    for _ in range(RATES["users.info"].burst + 1):
        await counted.person(Person(id=ANN), Credential(bot_token=f"xoxb-{TEAM}"))
    assert RATES["users.info"].burst < calls(slack, "users.info")


async def test_dialogs_count_in_the_workspace_whose_they_are(
    clean_redis: str, config: SlackConfig, session: aiohttp.ClientSession, slack: SlackSandbox
) -> None:
    """More than Slack allows are not asked for; whoever pressed is told by Slack."""
    slack.add_team(TEAM)
    async with connect(clean_redis) as client:
        api = WebApi(config, session, Buckets(client, 4))
        view = {"type": "modal", "title": {"type": "plain_text", "text": "T"}, "blocks": []}
        for _ in range(RATES["views.open"].burst):
            error = await failure(api.write("views.open", bot(), {"trigger_id": "x", "view": view}))
            assert "invalid_trigger_id" == error.detail
        owner = FormOwner(TenantId("acme"), bot())
        event = msgspec.structs.replace(parsed("message_channel"), kind=EventKind.ACTION_INVOKED)
        press = FormPress(event=event, message=MessageId("msg_1"), form="order")
        error = await failure(
            Dialogs(api, _Shelf(owner)).open(Pressed(press=press, trigger="another"))
        )

    assert isinstance(error, BudgetSpentError)
    assert RATES["views.open"].burst == calls(slack, "views.open")


class _Shelf:
    """Where no form is kept any more."""

    def __init__(self, owner: FormOwner) -> None:
        self._owner = owner

    async def owner(self, press: FormPress) -> FormOwner | None:
        """The one owner."""
        return self._owner

    async def find(self, press: FormPress, owner: FormOwner) -> Form | None:
        """Nothing."""
        return None
