"""The whole vocabulary over Slack: everything an agent can hear, and everything it can say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from gateway.core.tenants import AccessPolicy, Reactions
from gateway.demo.world import Company, World, open_world
from gateway.sandbox.slack import Message
from plugin_bridge.client import AgentClient, RefusedError
from tests.support.waiting import eventually
from tests.support.worlds import ACME, ACME_TEAM, GLOBEX, PATIENT, QUICK, companies

pytestmark = pytest.mark.e2e

CHANNEL, ANNA = "C0GENERAL", "U0ANNA"


@dataclass(frozen=True)
class Stage:
    """Acme's agent at work: what it hears, and its way to speak."""

    world: World
    agent: AgentClient
    session: aiohttp.ClientSession

    async def heard(self, kind: str, **about: object) -> dict[str, Any]:
        """The newest delivery of a kind, with these fields."""

        wanted = {"type": kind, **about}

        def found() -> dict[str, Any] | None:
            bodies = [dict(each.body) for each in self.world.agents[ACME].deliveries]
            return next((each for each in bodies if each.items() >= wanted.items()), None)

        return dict(await eventually(found, timeout_s=10))

    async def asked(self, text: str = "a question") -> dict[str, Any]:
        """Anna mentions the bot in a channel."""
        self.world.slack.say(ACME_TEAM, CHANNEL, ANNA, text, mention=True)
        return await self.heard("message.created", text=text)

    async def sent(self, message: str) -> dict[str, Any]:
        """Wait until a request has been carried out."""

        async def done() -> dict[str, Any] | None:
            status = await self.agent.status(message)
            return None if status["status"] == "queued" else status

        status = dict(await eventually(done, timeout_s=15))
        assert "sent" == status["status"], status
        return status

    async def shown(self, condition: Callable[[Message], bool]) -> Message:
        """Wait until one of the bot's messages is so."""

        def found() -> Message | None:
            messages = self.world.slack.bot_messages(ACME_TEAM, CHANNEL)
            return next(filter(condition, messages), None)

        return await eventually(found, timeout_s=15)


@pytest.fixture
async def stage(clean_redis: str, fresh_database: str) -> AsyncIterator[Stage]:
    """Two companies, whose agents say nothing by themselves."""
    async with _staged(clean_redis, fresh_database) as made:
        yield made


@asynccontextmanager
async def _staged(redis_url: str, database_url: str, **more: Any) -> AsyncIterator[Stage]:
    access = AccessPolicy(reactions=Reactions.ALL, commanders=("everyone",))
    quiet = [
        Company(
            tenant=each.tenant,
            team=each.team,
            name=each.name,
            retry=QUICK,
            access=access,
            reply=lambda _: None,
            **more,
        )
        for each in companies()
    ]
    async with (
        open_world(redis_url, database_url, quiet, rules=PATIENT) as world,
        aiohttp.ClientSession() as session,
    ):
        gateway = await world.start_gateway()
        yield Stage(world, AgentClient(gateway.agent_api, world.keys[ACME], session), session)


async def test_messages_are_heard_changed_and_removed(stage: Stage) -> None:
    """With who said it, and that they may command."""
    slack = stage.world.slack
    ts = slack.say(ACME_TEAM, "D0ANNA", ANNA, "first")
    created = await stage.heard("message.created", message_id=ts)
    slack.edit(ACME_TEAM, "D0ANNA", ts, "second")
    await stage.heard("message.updated", message_id=ts, text="second")
    slack.delete(ACME_TEAM, "D0ANNA", ts)
    await stage.heard("message.deleted", message_id=ts)

    assert (ANNA, True) == (created["sender"]["id"], created["sender"]["may_command"])
    assert [] == stage.world.agents[GLOBEX].deliveries


async def test_what_was_said_meanwhile_comes_along(stage: Stage) -> None:
    """The talk that did not mention the agent is the history of the mention."""
    slack = stage.world.slack
    for user, text in (("U0BEN", "the pump is broken"), ("U0CLEO", "again?")):
        slack.say(ACME_TEAM, CHANNEL, user, text)
        # Two sockets may bring two messages in any order.
        await eventually(lambda: not slack.unacked(), timeout_s=10)
    body = await stage.asked("what now?")

    assert ["the pump is broken", "again?"] == [each["text"] for each in body["history"]]


async def test_reactions_are_heard(stage: Stage) -> None:
    """Put on and taken off."""
    slack = stage.world.slack
    ts = (await stage.asked())["message_id"]
    slack.react(ACME_TEAM, CHANNEL, "U0BEN", ts, "eyes")
    added = await stage.heard("reaction.added", message_id=ts)
    slack.unreact(ACME_TEAM, CHANNEL, "U0BEN", ts, "eyes")
    await stage.heard("reaction.removed", message_id=ts)

    assert {"emoji": "👀"} == added["reaction"]


async def test_commands_and_comings_and_goings_are_heard(stage: Stage) -> None:
    """A slash command, somebody who joins and leaves, the app opened, a stop."""
    slack = stage.world.slack
    slack.say(ACME_TEAM, CHANNEL, ANNA, "hello")
    slack.run_command(ACME_TEAM, CHANNEL, ANNA, "/ask", "what is new?")
    command = await stage.heard("command.invoked")
    slack.join(ACME_TEAM, CHANNEL, "U0BEN")
    await stage.heard("member.joined", member={"id": "U0BEN", "is_self": False})
    slack.leave(ACME_TEAM, CHANNEL, "U0BEN")
    await stage.heard("member.left", member={"id": "U0BEN", "is_self": False})
    slack.open_home(ACME_TEAM, ANNA)
    await stage.heard("conversation.opened")

    assert ({"name": "ask"}, "what is new?") == (command["command"], command["text"])


async def test_ends_are_heard(stage: Stage) -> None:
    """A channel that is closed, and the app that leaves the workspace: by one agent alone."""
    slack = stage.world.slack
    slack.say(ACME_TEAM, CHANNEL, ANNA, "hello")
    slack.archive(ACME_TEAM, CHANNEL, ANNA)
    await stage.heard("conversation.closed")
    slack.uninstall(ACME_TEAM)
    await stage.heard("installation.changed", installation={"change": "uninstalled"})

    assert [] == stage.world.agents[GLOBEX].deliveries


async def test_a_card_and_what_only_the_platform_has_are_shown(stage: Stage) -> None:
    """The platform's own payload stands beside what the vocabulary made."""
    place = (await stage.asked())["conversation"]["id"]
    card = {"type": "card", "title": "Version 7", "facts": [{"name": "Changes", "value": "12"}]}
    header = {"type": "header", "text": {"type": "plain_text", "text": "Own words"}}
    sent = await stage.agent.send(place, "See", components=[card], raw={"blocks": [header]})
    [ts] = (await stage.sent(sent))["platform_ids"]
    shown = str((await stage.shown(lambda each: each.ts == ts)).blocks)

    assert [] == [each for each in ("Version 7", "Changes", "12", "Own words") if each not in shown]


async def test_buttons_choices_and_thumbs_come_back(stage: Stage) -> None:
    """By the agent's own names of them."""
    slack = stage.world.slack
    body = await stage.asked()
    options = [{"label": "Europe", "value": "eu"}, {"label": "America", "value": "us"}]
    message = await stage.agent.send(
        body["conversation"]["id"],
        "Deploy?",
        components=[
            {"type": "buttons", "buttons": [{"id": "deploy", "label": "Deploy", "value": "7"}]},
            {"type": "select", "id": "region", "options": options},
            {"type": "feedback", "id": "helpful"},
        ],
    )
    [ts] = (await stage.sent(message))["platform_ids"]
    shown = await stage.shown(lambda each: each.ts == ts)
    button, menu, thumbs = _action_ids(shown)
    slack.press(ACME_TEAM, CHANNEL, ANNA, ts, button)
    pressed = await stage.heard("action.invoked", message_id=ts)
    slack.press(ACME_TEAM, CHANNEL, ANNA, ts, menu, "us")
    chosen = {"id": "region", "kind": "select", "values": ["us"], "fields": {}}
    await stage.heard("action.invoked", action=chosen)
    slack.press(ACME_TEAM, CHANNEL, ANNA, ts, thumbs, "positive")
    thumb = {"id": "helpful", "kind": "feedback", "values": ["positive"], "fields": {}}
    await stage.heard("action.invoked", action=thumb)

    expected = {"id": "deploy", "kind": "button", "values": ["7"], "fields": {}}
    assert expected == pressed["action"]
    assert body["conversation"]["id"] == pressed["conversation"]["id"]


def _action_ids(message: Message) -> list[str]:
    blocks: Any = message.blocks
    return [
        element["action_id"]
        for block in blocks
        for element in block.get("elements", ())
        if "action_id" in element
    ]


async def test_messages_are_sent_changed_and_removed(stage: Stage) -> None:
    """Each is done in its turn, and its state can be asked for."""
    slack = stage.world.slack
    place = (await stage.asked())["conversation"]["id"]
    message = await stage.agent.send(place, "**one**", key="k1")
    assert message == await stage.agent.send(place, "**one**", key="k1")
    [ts] = (await stage.sent(message))["platform_ids"]
    await stage.agent.edit(message, "_two_")
    await stage.shown(lambda each: each.ts == ts and each.text == "_two_")
    await stage.agent.react(place, ts, "🎉")
    await stage.shown(lambda each: "tada" in each.reactions)
    await stage.agent.unreact(place, ts, "🎉")
    await stage.shown(lambda each: each.ts == ts and not each.reactions)
    await stage.agent.delete(message)
    await eventually(lambda: not slack.bot_messages(ACME_TEAM, CHANNEL), timeout_s=10)

    with pytest.raises(RefusedError) as refused:
        await stage.agent.send(place, "another", key="k1")
    assert "idempotency_key_reused" == refused.value.code


async def test_an_answer_grows_while_it_is_read(stage: Stage) -> None:
    """One message, whatever was shown in between; one that fails is removed."""
    slack = stage.world.slack
    place = (await stage.asked())["conversation"]["id"]
    async with stage.agent.stream(place, ANNA) as stream:
        await stream.append("Let me see")
        first = await stage.shown(lambda each: "Let me see" in each.text)
        await stream.append(": it is the **pump**.")
    last = await stage.shown(lambda each: "*pump*" in each.text)

    async def broken() -> None:
        async with stage.agent.stream(place) as stream:
            await stream.append("I think")
            await stage.shown(lambda each: "I think" in each.text)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await broken()
    await eventually(lambda: len(slack.bot_messages(ACME_TEAM, CHANNEL)) == 1, timeout_s=10)

    assert first.ts == last.ts
    assert "Let me see: it is the *pump*." == last.text


async def test_files_go_both_ways(stage: Stage) -> None:
    """As streams, by ids that only their tenant can use."""
    slack = stage.world.slack
    slack.share_file(ACME_TEAM, "D0ANNA", ANNA, "notes.txt", b"buy milk", text="see this")
    body = await stage.heard("message.created", text="see this")
    [attachment] = body["attachments"]
    async with stage.agent.download(attachment["id"]) as content:
        fetched = b"".join([chunk async for chunk in content])
    file = await stage.agent.upload("report.txt", b"all is well")
    message = await stage.agent.send(body["conversation"]["id"], "done", files=[file])
    await stage.sent(message)

    assert ("notes.txt", b"buy milk") == (attachment["name"], fetched)
    [posted] = [each for each in slack.files if each.name == "report.txt"]
    assert (b"all is well", True) == (posted.content, posted.completed)
    await _others_see_nothing(stage, attachment["id"], file)


async def _others_see_nothing(stage: Stage, *files: str) -> None:
    gateway = stage.world.gateway.agent_api
    stranger = AgentClient(gateway, stage.world.keys[GLOBEX], stage.session)
    for file in files:
        with pytest.raises(RefusedError) as refused:
            async with stranger.download(file):
                pass
        assert "unknown_file" == refused.value.code


async def test_only_one_person_sees_a_whisper(stage: Stage) -> None:
    """Ephemeral, where the platform has it."""
    place = (await stage.asked())["conversation"]["id"]
    await stage.sent(await stage.agent.send(place, "psst", visible_to=ANNA))

    [whisper] = stage.world.slack.ephemerals(ACME_TEAM, CHANNEL)
    assert ("psst", ANNA) == (whisper.text, whisper.visible_to)
    assert [] == stage.world.slack.bot_messages(ACME_TEAM, CHANNEL)


async def test_the_first_word_can_be_the_agents(stage: Stage) -> None:
    """To a user, and into a channel by its name; but never into another tenant's workspace."""
    slack = stage.world.slack
    slack.say(ACME_TEAM, CHANNEL, ANNA, "hello")
    slack.add_channel(ACME_TEAM, "C0NEWS", name="news", is_member=True)
    to = {"platform": "slack", "workspace": ACME_TEAM}
    direct = await stage.agent.send({**to, "user": ANNA}, "good morning")
    named = await stage.agent.send({**to, "channel": "#news"}, "good morning")
    with pytest.raises(RefusedError) as refused:
        await stage.agent.send({**to, "workspace": "T0GLOBEX", "user": ANNA}, "good morning")

    assert [1, 1] == [len((await stage.sent(each))["platform_ids"]) for each in (direct, named)]
    assert ["good morning"] == [each.text for each in slack.bot_messages(ACME_TEAM, "C0NEWS")]
    assert "unknown_target" == refused.value.code


async def test_typing_is_shown_in_a_thread(stage: Stage) -> None:
    """And taken back."""
    body = await stage.asked()
    place, thread = body["conversation"]["id"], body["conversation"]["thread"]
    await stage.agent.typing(place)
    await eventually(lambda: _typing(stage, thread) == [True], timeout_s=10)
    await stage.agent.typing(place, 0)
    await eventually(lambda: _typing(stage, thread) == [True, False], timeout_s=10)


def _typing(stage: Stage, thread: str) -> list[bool]:
    statuses = stage.world.slack.statuses
    return [bool(each.text) for each in statuses if each.thread_ts == thread]


async def test_a_reply_token_answers_its_own_question_only(stage: Stage) -> None:
    """It came with the delivery, and is good for no other conversation."""
    first, second = await stage.asked("first"), await stage.asked("second")
    gateway = stage.world.gateway.agent_api
    tool = AgentClient(gateway, first["reply_token"], stage.session)
    message = await tool.send(first["conversation"]["id"], "by token")
    with pytest.raises(RefusedError) as refused:
        await tool.send(second["conversation"]["id"], "astray")

    await stage.sent(message)
    assert "out_of_scope" == refused.value.code


async def test_a_tenant_may_ask_for_reply_tokens(clean_redis: str, fresh_database: str) -> None:
    """Then its key alone opens no mouth."""
    more = {"require_reply_token": True}
    async with _staged(clean_redis, fresh_database, **more) as stage:
        body = await stage.asked()
        place = body["conversation"]["id"]
        with pytest.raises(RefusedError) as refused:
            await stage.agent.send(place, "without")
        tool = AgentClient(stage.world.gateway.agent_api, body["reply_token"], stage.session)
        await stage.sent(await tool.send(place, "with"))

    assert "reply_token_required" == refused.value.code
