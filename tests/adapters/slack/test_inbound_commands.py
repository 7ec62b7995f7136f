"""What slash commands and shortcuts become."""

from __future__ import annotations

import pytest

from gateway.core.conversations import ConversationKind
from gateway.core.events import Command, EventKind, Ignored, IgnoredReason, Sender
from tests.adapters.slack.payloads import heard, load, parse_other

TS = "1700000000.000100"
ALICE = Sender(id="U0ALICEAA", name="alice")


@pytest.mark.parametrize(
    ("name", "command", "text", "mentions"),
    [
        ("commands/slash_command", "ask", "why @bob?", ("U0BOBAAAA",)),
        ("commands/slash_command_im", "ask", "", ()),
        ("interactive/shortcut", "summarise_day", "", ()),
        ("interactive/message_action", "summarise", "hello **there** @U0CAROLAA", ("U0CAROLAA",)),
    ],
)
def test_commands(name: str, command: str, text: str, mentions: tuple[str, ...]) -> None:
    """A shortcut is a command from a menu; one on a message comes with that message's text."""
    event = heard(name)
    assert (EventKind.COMMAND_INVOKED, Command(name=command), text, mentions, ALICE) == (
        event.kind,
        event.detail,
        event.text,
        event.mentions,
        event.sender,
    )


@pytest.mark.parametrize(
    ("name", "conversation", "kind"),
    [
        ("slash_command", "slack:T0AAAAAAA:C0GENERAL", ConversationKind.CHANNEL),
        ("slash_command_im", "slack:T0AAAAAAA:D0DIRECTA", ConversationKind.DIRECT),
    ],
)
def test_a_slash_command_stands_in_no_thread(
    name: str, conversation: str, kind: ConversationKind
) -> None:
    """Its answer begins one."""
    event = heard(f"commands/{name}")
    assert (conversation, kind) == (event.conversation.id, event.conversation_kind)


def test_a_shortcut_on_a_message_names_it() -> None:
    """Which message was meant is half of the command."""
    assert TS == heard("interactive/message_action").message_id


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("interactive/shortcut", "callback_id"),
        ("interactive/message_action", "channel"),
        ("interactive/message_action", "message"),
        ("commands/slash_command", "command"),
        ("commands/slash_command", "channel_id"),
        ("commands/slash_command", "user_id"),
    ],
)
def test_malformed_commands_name_the_field(name: str, field: str) -> None:
    """The record says which field was wrong, and never what was in it."""
    payload = load(name)
    del payload[field]
    expected = Ignored(IgnoredReason.MALFORMED, f"{field} is missing")
    assert expected == parse_other(name, payload)


def test_a_command_of_no_workspace_is_nobodys() -> None:
    """Fail closed."""
    name = "commands/slash_command"
    answer = parse_other(name, load(name) | {"team_id": ""})
    assert Ignored(IgnoredReason.NO_WORKSPACE, "team and team_id name none") == answer
