"""What each of Slack's events becomes that is no message."""

from __future__ import annotations

from typing import cast

import pytest

from gateway.core.conversations import ConversationKind
from gateway.core.events import (
    Detail,
    EventKind,
    Ignored,
    IgnoredReason,
    InboundEvent,
    Installation,
    InstallationChange,
    Member,
    Reaction,
    Sender,
    Viewed,
    ViewedKind,
)
from tests.adapters.slack.payloads import inner, load, parse, parse_all, parsed

TS = "1700000000.000100"
DIRECT, CHANNEL = ConversationKind.DIRECT, ConversationKind.CHANNEL
ALICE = Sender(id="U0ALICEAA")
BOT = Sender(id="U0BOTAAAA", is_bot=True, is_self=True)
UNINSTALLED = Installation(change=InstallationChange.UNINSTALLED)


@pytest.mark.parametrize(
    ("name", "kind", "detail"),
    [
        ("reaction_added", EventKind.REACTION_ADDED, Reaction(emoji="👍")),
        ("reaction_removed", EventKind.REACTION_REMOVED, Reaction(emoji="👍")),
        ("reaction_added_im", EventKind.REACTION_ADDED, Reaction(emoji="👋🏼", on_own=True)),
        ("reaction_added_own", EventKind.REACTION_ADDED, Reaction(emoji="👀")),
        ("reaction_added_custom", EventKind.REACTION_ADDED, Reaction(emoji="party-parrot")),
        ("reaction_added_file", EventKind.UNSUPPORTED, None),
        ("member_joined_channel", EventKind.MEMBER_JOINED, Member(id="U0CAROLAA")),
        (
            "member_joined_channel_self",
            EventKind.MEMBER_JOINED,
            Member(id="U0BOTAAAA", is_self=True),
        ),
        ("member_left_channel", EventKind.MEMBER_LEFT, Member(id="U0CAROLAA")),
        ("channel_left", EventKind.MEMBER_LEFT, Member(id="U0BOTAAAA", is_self=True)),
        ("app_home_opened", EventKind.CONVERSATION_OPENED, None),
        ("app_home_opened_home", EventKind.UNSUPPORTED, None),
        ("assistant_thread_started", EventKind.CONVERSATION_OPENED, None),
        ("assistant_thread_context_changed", EventKind.UNSUPPORTED, None),
        ("app_context_changed", EventKind.UNSUPPORTED, None),
        ("agent_session_stopped", EventKind.AGENT_STOPPED, None),
        ("channel_archive", EventKind.CONVERSATION_CLOSED, None),
        ("channel_deleted", EventKind.CONVERSATION_CLOSED, None),
        ("group_archive", EventKind.CONVERSATION_CLOSED, None),
        ("im_close", EventKind.CONVERSATION_CLOSED, None),
        ("app_uninstalled", EventKind.INSTALLATION_CHANGED, UNINSTALLED),
        ("app_uninstalled_enterprise", EventKind.INSTALLATION_CHANGED, UNINSTALLED),
        (
            "tokens_revoked",
            EventKind.INSTALLATION_CHANGED,
            Installation(change=InstallationChange.REVOKED),
        ),
        ("tokens_revoked_oauth", EventKind.UNSUPPORTED, None),
    ],
)
def test_kinds_and_details(name: str, kind: EventKind, detail: Detail | None) -> None:
    """What the agent protocol can carry is carried; the rest is named and no more."""
    event = parsed(name)
    assert (kind, detail) == (event.kind, event.detail)


@pytest.mark.parametrize(
    ("name", "conversation", "kind"),
    [
        ("reaction_added", f"slack:T0AAAAAAA:C0GENERAL:{TS}", CHANNEL),
        ("reaction_added_im", "slack:T0AAAAAAA:D0DIRECTA", DIRECT),
        ("member_joined_channel", "slack:T0AAAAAAA:C0GENERAL", CHANNEL),
        ("member_left_channel", "slack:T0AAAAAAA:G0PRIVATE", CHANNEL),
        ("channel_left", "slack:T0AAAAAAA:C0GENERAL", CHANNEL),
        ("app_home_opened", "slack:T0AAAAAAA:D0DIRECTA", DIRECT),
        ("assistant_thread_started", f"slack:T0AAAAAAA:D0DIRECTA:{TS}", DIRECT),
        ("agent_session_stopped", f"slack:T0AAAAAAA:D0DIRECTA:{TS}", DIRECT),
        ("channel_archive", "slack:T0AAAAAAA:C0GENERAL", CHANNEL),
        ("group_archive", "slack:T0AAAAAAA:G0PRIVATE", CHANNEL),
        ("im_close", "slack:T0AAAAAAA:D0DIRECTA", DIRECT),
        ("app_uninstalled", "slack:T0AAAAAAA:-", CHANNEL),
        ("app_uninstalled_enterprise", "slack:E0ORGAAAA:-", CHANNEL),
    ],
)
def test_conversations(name: str, conversation: str, kind: ConversationKind) -> None:
    """A reaction lands where the message landed; what happens to a channel is in no thread."""
    event = parsed(name)
    assert (conversation, kind) == (event.conversation.id, event.conversation_kind)


@pytest.mark.parametrize(
    ("name", "sender"),
    [
        ("reaction_added", ALICE),
        ("reaction_added_own", BOT),
        ("member_joined_channel", Sender(id="U0CAROLAA")),
        ("member_joined_channel_self", BOT),
        ("channel_left", BOT),
        ("app_home_opened", ALICE),
        ("assistant_thread_started", ALICE),
        ("agent_session_stopped", ALICE),
        ("channel_archive", ALICE),
        ("channel_deleted", ALICE),
        ("group_archive", Sender(id="")),
        ("im_close", ALICE),
        ("app_uninstalled", Sender(id="")),
    ],
)
def test_senders(name: str, sender: Sender) -> None:
    """The bot's own doings are known as its own, or it would answer itself."""
    assert sender == parsed(name).sender


def test_a_reaction_names_the_message() -> None:
    """Agents find what was reacted to by the message's ts."""
    event = parsed("reaction_added")
    assert (TS, ("Ev0REACTION",)) == (event.message_id, event.dedupe_keys)


def test_a_stop_names_the_root_of_its_thread() -> None:
    """In a direct message the root may be the message that the agent is answering."""
    assert TS == parsed("agent_session_stopped").message_id


def test_without_a_bot_user_no_message_is_our_own() -> None:
    """An authorization of a person tells nothing of the bot; an empty author is not the bot."""
    payload = load("reaction_added_im")
    payload["authorizations"] = [{"team_id": "T0AAAAAAA", "user_id": "U0BOTAAAA", "is_bot": False}]
    inner(payload)["item_user"] = None
    assert Reaction(emoji="👋🏼") == cast(InboundEvent, parse(payload)).detail


def test_without_a_bot_user_nobody_left() -> None:
    """Who left is not in the event, so there must be somebody it can be."""
    payload = load("channel_left") | {"authorizations": []}
    assert EventKind.UNSUPPORTED == cast(InboundEvent, parse(payload)).kind


@pytest.mark.parametrize(
    ("name", "field", "detail"),
    [
        ("reaction_added", "item", "event.item is missing"),
        ("reaction_added", "user", "event.user is missing"),
        ("reaction_added", "reaction", "event.reaction is missing"),
        ("member_joined_channel", "channel", "event.channel is missing"),
        ("member_left_channel", "user", "event.user is missing"),
        ("channel_left", "channel", "event.channel is missing"),
        ("app_home_opened", "channel", "event.channel is missing"),
        ("app_home_opened", "user", "event.user is missing"),
        ("assistant_thread_started", "assistant_thread", "event.assistant_thread is missing"),
        ("agent_session_stopped", "channel", "event.channel is missing"),
        ("agent_session_stopped", "user", "event.user is missing"),
        ("channel_archive", "channel", "event.channel is missing"),
    ],
)
def test_malformed_events_name_the_field(name: str, field: str, detail: str) -> None:
    """The record says which field was wrong, and never what was in it."""
    payload = load(name)
    del inner(payload)[field]
    assert Ignored(IgnoredReason.MALFORMED, detail) == parse(payload)


def test_only_the_end_of_an_installation_may_name_an_organisation_alone() -> None:
    """A message without a workspace could be anybody's of that organisation."""
    payload = load("app_uninstalled_enterprise")
    inner(payload)["type"] = "message"
    answer = parse(payload)
    assert isinstance(answer, Ignored)
    assert IgnoredReason.NO_WORKSPACE == answer.reason


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("team_access_revoked", InstallationChange.UNINSTALLED),
        ("team_access_granted", InstallationChange.INSTALLED),
    ],
)
def test_an_organisations_app_tells_of_each_workspace_by_itself(
    name: str, change: InstallationChange
) -> None:
    """Whoever has the workspace hears of it, else whoever has the organisation."""
    events = parse_all(load(name))
    assert isinstance(events, tuple)
    assert ["T0AAAAAAA", "T0BBBBBBB"] == [each.conversation.workspace for each in events]
    assert {Installation(change=change)} == {each.detail for each in events}
    assert {"E0ORGAAAA"} == {each.enterprise for each in events}
    assert 2 == len({key for each in events for key in each.dedupe_keys})

    payload = load(name)
    inner(payload)["team_ids"] = ["C0NONE", 7]
    assert Ignored(IgnoredReason.MALFORMED, "event.team_ids names none") == parse_all(payload)
    nobodys = load(name) | {"enterprise_id": None, "authorizations": []}
    answer = parse_all(nobodys)
    assert isinstance(answer, Ignored)
    assert IgnoredReason.NO_WORKSPACE == answer.reason


LOOKS: dict[str, object] = {
    "entities": [
        {"type": "slack#/types/channel_id", "value": "C0GENERAL", "team_id": "T0AAAAAAA"},
        {
            "type": "slack#/types/message_context",
            "value": {"channel_id": "C0GENERAL", "message_ts": TS},
        },
        {"type": "slack#/types/canvas_id", "value": "F0CANVAS"},
        {"type": "slack#/types/list_id", "value": "F0LIST"},
        {"type": "slack#/types/channel_id", "value": "C0SECRET", "team_id": "T0BBBBBBB"},
        {"type": "slack#/types/message_context", "value": "odd"},
        {"type": "slack#/types/new", "value": "X0"},
        {"type": "slack#/types/channel_id", "value": {}},
    ]
}
SEEN = (
    Viewed(kind=ViewedKind.CHANNEL, id="C0GENERAL"),
    Viewed(kind=ViewedKind.MESSAGE, id=TS, channel="C0GENERAL"),
    Viewed(kind=ViewedKind.CANVAS, id="F0CANVAS"),
    Viewed(kind=ViewedKind.LIST, id="F0LIST"),
)


@pytest.mark.parametrize(
    ("name", "field"), [("message_im", "app_context"), ("app_home_opened", "context")]
)
def test_what_somebody_looks_at_comes_along(name: str, field: str) -> None:
    """But for what is in another workspace; an event that has none of it has none."""
    payload = load(name)
    inner(payload)[field] = LOOKS
    assert SEEN == cast(InboundEvent, parse(payload)).viewing
    inner(payload)[field] = {}
    assert () == cast(InboundEvent, parse(payload)).viewing


def test_an_older_assistant_thread_says_where_it_was_opened() -> None:
    """The channel beside it, unless it is another workspace's."""
    assert (SEEN[0],) == parsed("assistant_thread_started").viewing
    payload = load("assistant_thread_started")
    thread = cast(dict[str, dict[str, object]], inner(payload)["assistant_thread"])
    thread["context"]["team_id"] = "T0BBBBBBB"
    assert () == cast(InboundEvent, parse(payload)).viewing
