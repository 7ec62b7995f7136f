"""What people do in Slack, over a real socket, as the gateway hears it."""

from __future__ import annotations

from collections.abc import Callable

import aiohttp
import msgspec
import pytest

from adapters.slack.inbound_dialog import DialogOrigin, write_origin
from adapters.slack.sender import SlackSender
from gateway.core.conversations import ConversationKind
from gateway.core.errors import StoreError
from gateway.core.events import (
    Action,
    ActionKind,
    Command,
    EventKind,
    Installation,
    InstallationChange,
    Member,
    Reaction,
    Viewed,
    ViewedKind,
)
from gateway.sandbox.slack import SlackSandbox
from tests.adapters.slack.acts import BOT, message
from tests.adapters.slack.conftest import ANN, CHANNEL, TEAM, Door, Listening
from tests.adapters.slack.payloads import load
from tests.support.waiting import eventually

DIRECT = "D0ANN"
BUTTONS = {
    "type": "actions",
    "elements": [
        {
            "type": "button",
            "action_id": "gw:b0:approve",
            "text": {"type": "plain_text", "text": "Yes"},
            "value": "42",
        }
    ],
}
VIEW: dict[str, object] = {
    "type": "modal",
    "callback_id": "gw:f0:order",
    "title": {"type": "plain_text", "text": "Order"},
    "submit": {"type": "plain_text", "text": "Submit"},
    "blocks": [
        {
            "type": "input",
            "block_id": "note",
            "label": {"type": "plain_text", "text": "Note"},
            "element": {"type": "plain_text_input", "action_id": "answer"},
        }
    ],
}


async def post(slack: SlackSandbox, session: aiohttp.ClientSession, thread_ts: str) -> str:
    """Post a message with a button as the bot; returns its ts."""
    headers = {"Authorization": f"Bearer {slack.add_team(TEAM).bot_token}"}
    body = {"channel": CHANNEL, "text": "Shall I?", "blocks": [BUTTONS], "thread_ts": thread_ts}
    url = f"{slack.base_url}chat.postMessage"
    async with session.post(url, json=body, headers=headers) as response:
        return str((await response.json())["ts"])


@pytest.mark.usefixtures("listening")
async def test_events_that_are_no_messages(slack: SlackSandbox, door: Door) -> None:
    """Each is acknowledged and let in, with what it is about."""
    bot = slack.add_team(TEAM).bot_user_id
    ts = slack.say(TEAM, CHANNEL, ANN, "hello")
    await slack.settled(5)
    slack.react(TEAM, CHANNEL, ANN, ts, "tada")
    slack.unreact(TEAM, CHANNEL, ANN, ts, "tada")
    slack.join(TEAM, CHANNEL, bot, inviter=ANN)
    slack.leave(TEAM, CHANNEL, "U0BEN")
    slack.leave(TEAM, CHANNEL, bot, actor_id=ANN)
    slack.open_home(TEAM, ANN, DIRECT)
    thread_ts = slack.start_assistant_thread(TEAM, ANN, DIRECT)
    slack.stop_agent(TEAM, DIRECT, ANN, thread_ts)
    slack.archive(TEAM, CHANNEL, ANN)
    slack.close_direct(TEAM, DIRECT, ANN)
    slack.uninstall(TEAM)
    await slack.settled(5)
    assert {
        (EventKind.MESSAGE_CREATED, None),
        (EventKind.REACTION_ADDED, Reaction(emoji="🎉")),
        (EventKind.REACTION_REMOVED, Reaction(emoji="🎉")),
        (EventKind.MEMBER_JOINED, Member(id=bot, is_self=True)),
        (EventKind.MEMBER_LEFT, Member(id="U0BEN")),
        (EventKind.MEMBER_LEFT, Member(id=bot, is_self=True)),
        (EventKind.CONVERSATION_OPENED, None),
        (EventKind.AGENT_STOPPED, None),
        (EventKind.CONVERSATION_CLOSED, None),
        (EventKind.INSTALLATION_CHANGED, Installation(change=InstallationChange.REVOKED)),
        (EventKind.INSTALLATION_CHANGED, Installation(change=InstallationChange.UNINSTALLED)),
    } == {(event.kind, event.detail) for event in door.accepted}
    assert (13, []) == (len(door.accepted), door.ignored)
    assert not slack.unacked()


@pytest.mark.usefixtures("listening")
async def test_commands_and_components(
    slack: SlackSandbox, session: aiohttp.ClientSession, door: Door
) -> None:
    """A command, a shortcut, a pressed button and a submitted dialog."""
    root = slack.say(TEAM, CHANNEL, ANN, "shall we?")
    ts = await post(slack, session, root)
    conversation = f"slack:{TEAM}:{CHANNEL}:{root}"
    origin = DialogOrigin(conversation=conversation, message_id=ts)
    slack.run_command(TEAM, CHANNEL, ANN, "/ask", "why")
    slack.use_message_shortcut(TEAM, CHANNEL, ANN, root, "summarise")
    slack.use_shortcut(TEAM, ANN, "digest")
    slack.press(TEAM, CHANNEL, ANN, ts, "gw:b0:approve")
    slack.submit(TEAM, ANN, VIEW | {"private_metadata": write_origin(origin)}, {"note": "soon"})
    await slack.settled(5)
    assert {
        (Command(name="ask"), f"slack:{TEAM}:{CHANNEL}", "why"),
        (Command(name="summarise"), conversation, "shall we?"),
        (Command(name="digest"), f"slack:{TEAM}:{ANN}", ""),
    } == {
        (event.detail, event.conversation.id, event.text)
        for event in door.accepted
        if isinstance(event.detail, Command)
    }
    assert [
        (Action(id="approve", kind=ActionKind.BUTTON, values=("42",)), conversation, ts),
        (
            Action(id="order", kind=ActionKind.FORM, fields={"note": ("soon",)}),
            conversation,
            ts,
        ),
    ] == [
        (event.detail, event.conversation.id, event.message_id)
        for event in sorted(door.accepted, key=lambda event: event.platform_kind)
        if isinstance(event.detail, Action)
    ]
    assert [] == door.ignored
    assert not slack.unacked()


@pytest.mark.usefixtures("listening")
async def test_all_actions_of_an_envelope_enter_before_it_is_acknowledged(
    slack: SlackSandbox, door: Door
) -> None:
    """In their order; Slack has no second chance for what would be left."""
    payload = load("interactive/block_actions_two")
    slack.send_envelope({"type": "interactive", "payload": payload})
    await slack.settled(5)
    assert ["approve", "reject"] == [
        event.detail.id for event in door.accepted if isinstance(event.detail, Action)
    ]
    assert not slack.unacked()


async def test_a_command_that_was_not_stored_is_an_error_to_its_user(
    slack: SlackSandbox, listening: Listening, door: Door
) -> None:
    """Slack sends it once only: an acknowledgement would be a lie, and nobody would try again."""
    door.faults.append(StoreError("down"))
    envelope_id = slack.run_command(TEAM, CHANNEL, ANN, "/ask", "why")
    await eventually(lambda: door.unacknowledged)
    slack.lose_patience()
    await slack.settled(5)
    assert ([envelope_id], 1) == (list(slack.given_up), len(slack.deliveries))
    assert ["store_error"] == door.unacknowledged
    assert listening.health is None


@pytest.mark.usefixtures("listening")
async def test_what_somebody_looks_at_comes_with_what_they_write(
    slack: SlackSandbox, door: Door
) -> None:
    """To the agent, in their talk with it, and nowhere else; that they looked is a record alone."""
    acts: list[Callable[[], str]] = [
        lambda: slack.say(TEAM, DIRECT, ANN, "before"),
        lambda: slack.look_at(TEAM, ANN, "C0NEWS"),
        lambda: slack.open_home(TEAM, ANN, DIRECT),
        lambda: slack.say(TEAM, DIRECT, ANN, "what is this?"),
        lambda: slack.say(TEAM, CHANNEL, ANN, "to all"),
    ]
    for act in acts:
        # One after the other: which socket an event comes by is Slack's choice.
        act()
        await slack.settled(5)

    seen = (Viewed(kind=ViewedKind.CHANNEL, id="C0NEWS"),)
    assert [
        (EventKind.MESSAGE_CREATED, ()),
        (EventKind.UNSUPPORTED, ()),
        (EventKind.CONVERSATION_OPENED, seen),
        (EventKind.MESSAGE_CREATED, seen),
        (EventKind.MESSAGE_CREATED, ()),
    ] == [(each.kind, each.viewing) for each in door.accepted]


@pytest.mark.usefixtures("listening")
async def test_an_organisations_app_loses_a_workspace(slack: SlackSandbox, door: Door) -> None:
    """The event names the organisation, and the workspace inside."""
    slack.add_team("T0ORGA", enterprise_id="E0ORG", is_enterprise_install=True)
    slack.revoke_access("T0ORGA")
    slack.grant_access("T0ORGA", "xoxb-org")
    await slack.settled(5)

    gone, back = InstallationChange.UNINSTALLED, InstallationChange.INSTALLED
    assert [("T0ORGA", "E0ORG", Installation(change=each)) for each in (gone, back)] == [
        (each.conversation.workspace, each.enterprise, each.detail) for each in door.accepted
    ]


@pytest.mark.usefixtures("listening")
async def test_a_group_of_people_is_heard_and_answered_in_its_thread(
    slack: SlackSandbox, sender: SlackSender, door: Door
) -> None:
    """Like a channel, and known as a group."""
    slack.add_channel(TEAM, "G0GROUP", "mpim")
    asked = slack.say(TEAM, "G0GROUP", ANN, "hello", mention=True)
    await slack.settled(5)
    heard = door.accepted[0]
    assert (ConversationKind.GROUP, True) == (heard.conversation_kind, heard.mentioned)

    answer = msgspec.structs.replace(message(), conversation=heard.conversation)
    await sender.send(answer, BOT)
    [said] = slack.bot_messages(TEAM, "G0GROUP")
    assert asked == said.thread_ts
