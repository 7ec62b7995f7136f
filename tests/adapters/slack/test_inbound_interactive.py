"""What buttons and dialogs become, and whose they are."""

from __future__ import annotations

from typing import cast

import pytest

from adapters.slack.frames import Envelope
from adapters.slack.inbound import read_envelope
from adapters.slack.inbound_dialog import DialogOrigin, read_origin, write_origin
from gateway.core.conversations import ConversationKind
from gateway.core.events import (
    Action,
    ActionKind,
    EventKind,
    Ignored,
    IgnoredReason,
    InboundEvent,
    Sender,
)
from gateway.core.ids import WorkspaceId
from tests.adapters.slack.payloads import (
    COMMANDS,
    INTERACTIONS,
    RECEIVED_AT,
    Document,
    heard,
    load,
    parse_other,
)

TS, BUTTON_TS = "1700000000.000100", "1700000002.000300"
THREAD = f"slack:T0AAAAAAA:C0GENERAL:{TS}"
YES = Action(id="approve", kind=ActionKind.BUTTON, values=("42",))
ORDER = Action(
    id="order", kind=ActionKind.FORM, fields={"size": ("large",), "note": ("no <onions>",)}
)
ALICE = Sender(id="U0ALICEAA", name="alice")
SILENT = {
    "interactive/block_actions_form": "actions[] are none of the agent's",
    "interactive/block_actions_home": "view.private_metadata is not ours",
    "interactive/block_actions_link": "actions[] are none of the agent's",
    "interactive/block_suggestion": "payload.type is block_suggestion",
    "interactive/view_closed": "payload.type is view_closed",
}


ORG_WIDE: dict[str, object] = {
    "team": None,
    "enterprise": {"id": "E0ORGAAAA"},
    "is_enterprise_install": True,
}


def test_a_pressed_button_in_full() -> None:
    """Every field, so that none changes unseen."""
    event = heard("interactive/block_actions")
    assert (EventKind.ACTION_INVOKED, YES, THREAD, BUTTON_TS, ALICE, "block_actions") == (
        event.kind,
        event.detail,
        event.conversation.id,
        event.message_id,
        event.sender,
        event.platform_kind,
    )
    assert (event.id,) == event.dedupe_keys
    assert "0123456789abcdef" not in event.id, "who holds the trigger can open dialogs"
    assert (RECEIVED_AT, None) == (event.received_at, event.enterprise)


@pytest.mark.parametrize(
    ("name", "action"),
    [
        (
            "block_actions_select",
            Action(id="fruit", kind=ActionKind.SELECT, values=("apple", "pear")),
        ),
        (
            "block_actions_feedback",
            Action(id="answer", kind=ActionKind.FEEDBACK, values=("positive",)),
        ),
        ("block_actions_ephemeral", YES),
        ("view_submission", ORDER),
    ],
)
def test_actions(name: str, action: Action) -> None:
    """What was chosen comes as the agent named it."""
    assert action == heard(f"interactive/{name}").detail


@pytest.mark.parametrize(
    ("name", "conversation", "kind"),
    [
        ("block_actions_ephemeral", "slack:T0AAAAAAA:C0GENERAL", ConversationKind.CHANNEL),
        ("block_actions_im", "slack:T0AAAAAAA:D0DIRECTA", ConversationKind.DIRECT),
        (
            "block_actions_mpim",
            f"slack:T0AAAAAAA:C0GROUPAA:{BUTTON_TS}",
            ConversationKind.GROUP,
        ),
        ("view_submission", THREAD, ConversationKind.CHANNEL),
        ("view_submission_shared_channel", THREAD, ConversationKind.CHANNEL),
        ("view_submission_enterprise", THREAD, ConversationKind.CHANNEL),
        ("message_action", THREAD, ConversationKind.CHANNEL),
        ("shortcut", "slack:T0AAAAAAA:U0ALICEAA", ConversationKind.DIRECT),
    ],
)
def test_conversations(name: str, conversation: str, kind: ConversationKind) -> None:
    """Answers go under the message that was used; where there is none, to the person."""
    event = heard(f"interactive/{name}")
    assert (conversation, kind) == (event.conversation.id, event.conversation_kind)


def test_two_actions_are_two_events() -> None:
    """Each has a name of its own, or the second would be taken for the first again."""
    name = "interactive/block_actions_two"
    events = parse_other(name, load(name))
    assert isinstance(events, tuple)
    assert ["approve", "reject"] == [cast(Action, event.detail).id for event in events]
    assert 2 == len({event.id for event in events})
    assert 2 == len({key for event in events for key in event.dedupe_keys})


def test_a_press_that_comes_over_http_too_is_the_same_press() -> None:
    """It is named by its trigger, whatever envelope it came in."""
    payload = load("interactive/block_actions")
    envelope = Envelope(id="e1", type="interactive", payload=payload, retry=0)
    events = read_envelope(envelope, received_at=RECEIVED_AT)
    assert (heard("interactive/block_actions"),) == events


def test_a_press_without_a_trigger_is_named_by_its_envelope() -> None:
    """And one without either cannot be told from the next one."""
    name = "interactive/block_actions"
    payload = load(name) | {"trigger_id": None}
    envelope = Envelope(id="e1", type="interactive", payload=payload, retry=0)
    assert isinstance(read_envelope(envelope, received_at=RECEIVED_AT), tuple)
    assert Ignored(IgnoredReason.MALFORMED, "trigger_id is missing") == parse_other(name, payload)


@pytest.mark.parametrize(
    ("name", "workspace", "enterprise"),
    [
        ("interactive/block_actions", "T0AAAAAAA", None),
        ("interactive/block_actions_shared_channel", "T0AAAAAAA", None),
        ("interactive/block_actions_enterprise", "T0AAAAAAA", "E0ORGAAAA"),
        ("interactive/view_submission_shared_channel", "T0AAAAAAA", None),
        ("interactive/view_submission_enterprise", "T0AAAAAAA", "E0ORGAAAA"),
        ("commands/slash_command", "T0AAAAAAA", None),
        ("commands/slash_command_enterprise", "T0AAAAAAA", "E0ORGAAAA"),
    ],
)
def test_whose_it_is(name: str, workspace: str, enterprise: str | None) -> None:
    """A stranger who presses our button in a shared channel is no reason to ask their tenant."""
    event = heard(name)
    assert (workspace, enterprise) == (event.conversation.workspace, event.enterprise)


def test_the_message_of_another_app_says_nothing_of_our_workspace() -> None:
    """Only a message of our own was posted by our own installation."""
    name = "interactive/block_actions_shared_channel"
    payload = load(name) | {"api_app_id": "A0OTHERAA"}
    events = cast(tuple[InboundEvent, ...], parse_other(name, payload))
    assert "T0FOREIGN" == events[0].conversation.workspace


def test_the_users_team_is_asked_of_org_wide_installs_only() -> None:
    """Elsewhere it could be a stranger's."""
    name = "interactive/shortcut"
    answer = parse_other(name, load(name) | {"team": None})
    assert Ignored(IgnoredReason.NO_WORKSPACE, "team and team_id name none") == answer


def test_a_dialog_of_another_workspace_belongs_to_nobody() -> None:
    """What the view remembers and what Slack says of it must agree."""
    name = "interactive/view_submission"
    payload = load(name)
    cast(Document, payload["view"])["app_installed_team_id"] = "T0FOREIGN"
    detail = "view.private_metadata names another workspace"
    assert Ignored(IgnoredReason.NO_WORKSPACE, detail) == parse_other(name, payload)


@pytest.mark.parametrize(
    ("metadata", "reason", "detail"),
    [
        ("", IgnoredReason.NOT_AN_EVENT, "view.private_metadata is not ours"),
        ("[]", IgnoredReason.NOT_AN_EVENT, "view.private_metadata is not ours"),
        ('{"c":7}', IgnoredReason.NOT_AN_EVENT, "view.private_metadata is not ours"),
        ('{"c":"x"}', IgnoredReason.MALFORMED, "view.private_metadata names no conversation"),
        (
            '{"c":"teams:T0AAAAAAA:C0GENERAL"}',
            IgnoredReason.MALFORMED,
            "view.private_metadata names no conversation",
        ),
    ],
)
def test_dialogs_that_are_not_ours(metadata: str, reason: IgnoredReason, detail: str) -> None:
    """Without a conversation there is nobody to tell."""
    name = "interactive/view_submission"
    payload = load(name)
    cast(Document, payload["view"])["private_metadata"] = metadata
    assert Ignored(reason, detail) == parse_other(name, payload)


def test_a_dialog_remembers_where_it_was_opened() -> None:
    """What is written when it opens is what is read when it is submitted."""
    origin = DialogOrigin(conversation=THREAD, message_id=BUTTON_TS, form="order")
    written = write_origin(origin)
    view = cast(Document, load("interactive/view_submission")["view"])
    assert view["private_metadata"] == written
    assert origin == read_origin(written)


@pytest.mark.parametrize(
    ("name", "field", "detail"),
    [
        ("interactive/block_actions", "user", "user is missing"),
        ("interactive/block_actions", "actions", "actions is missing"),
        ("interactive/view_submission", "user", "user is missing"),
    ],
)
def test_malformed_interactions_name_the_field(name: str, field: str, detail: str) -> None:
    """The record says which field was wrong, and never what was in it."""
    payload = load(name)
    del payload[field]
    assert Ignored(IgnoredReason.MALFORMED, detail) == parse_other(name, payload)


def test_a_press_on_no_message_is_malformed() -> None:
    """An event needs the message that it is about."""
    name = "interactive/block_actions_ephemeral"
    payload = load(name)
    payload["container"] = {"type": "message", "channel_id": "C0GENERAL"}
    detail = "container.message_ts is missing"
    assert Ignored(IgnoredReason.MALFORMED, detail) == parse_other(name, payload)


@pytest.mark.parametrize("name", ["interactive/x", "commands/x"])
@pytest.mark.parametrize("payload", [None, [], "text", 3])
def test_a_payload_that_is_no_object(name: str, payload: object) -> None:
    """Valid JSON, but not a document."""
    expected = Ignored(IgnoredReason.MALFORMED, "payload is not an object")
    assert expected == parse_other(name, payload)


@pytest.mark.parametrize("name", sorted(SILENT))
def test_what_is_nothing_to_the_agent(name: str) -> None:
    """Links, closed dialogs and the gateway's own buttons are acknowledged and no more."""
    assert Ignored(IgnoredReason.NOT_AN_EVENT, SILENT[name]) == parse_other(name, load(name))


def test_every_document_is_covered() -> None:
    """A document without a test would be dead weight."""
    names = [*INTERACTIONS, *COMMANDS]
    ignored = {name for name in names if isinstance(parse_other(name, load(name)), Ignored)}
    assert set(SILENT) == ignored


def test_an_unknown_interaction_is_not_quoted() -> None:
    """What a stranger calls it must not stand in our records."""
    answer = parse_other("interactive/x", {"type": "evil\nname", "team": {"id": "T0AAAAAAA"}})
    assert Ignored(IgnoredReason.NOT_AN_EVENT, "payload.type is not known") == answer


def test_an_organisation_is_found_behind_its_team() -> None:
    """Some payloads name it there."""
    name = "interactive/view_submission_enterprise"
    payload = load(name) | {"enterprise": None}
    payload["team"] = {"id": "T0AAAAAAA", "enterprise_id": "E0ORGAAAA"}
    (event,) = cast(tuple[InboundEvent, ...], parse_other(name, payload))
    assert WorkspaceId("E0ORGAAAA") == event.enterprise


def test_where_an_organisation_does_not_say_it_is_nobodys() -> None:
    """Its people's own workspaces may be another tenant's than the one where the message stands."""
    payload = load("interactive/block_actions_enterprise")
    message = cast(dict[str, object], payload["message"])
    for damage in (
        {"metadata": None},
        {"metadata": {"event_type": "other", "event_payload": {"workspace": "T0BBBBBBB"}}},
        {"app_id": "A0OTHER"},
    ):
        answer = parse_other("interactive/x", payload | {"message": message | damage})
        assert isinstance(answer, Ignored)
        assert IgnoredReason.NO_WORKSPACE == answer.reason
    whisper = {name: value for name, value in payload.items() if name != "message"}
    answer = parse_other("interactive/x", whisper)
    assert isinstance(answer, Ignored)

    on_a_message = load("interactive/message_action") | ORG_WIDE
    assert isinstance(parse_other("interactive/x", on_a_message), Ignored)
    nowhere = parse_other("interactive/x", load("interactive/shortcut") | ORG_WIDE)
    assert isinstance(nowhere, tuple)
    assert ("T0AAAAAAA", "E0ORGAAAA") == (nowhere[0].conversation.workspace, nowhere[0].enterprise)
