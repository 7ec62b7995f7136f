"""What each of Slack's documents becomes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

import pytest

from gateway.core.conversations import ConversationKind, ConversationRef
from gateway.core.events import (
    Attachment,
    EventKind,
    Ignored,
    IgnoredReason,
    InboundEvent,
    Sender,
)
from gateway.core.ids import EventId, Platform, WorkspaceId
from tests.adapters.slack.payloads import (
    NAMES,
    RECEIVED_AT,
    Document,
    inner,
    load,
    parse,
    parse_all,
    parsed,
)

TS = "1700000000.000100"
ROOT = "1699999999.000100"
WITHOUT_EVENT = {"app_rate_limited", "url_verification"}


def test_a_channel_message_in_full() -> None:
    """Every field of an ordinary message, so that none changes unseen."""
    expected = InboundEvent(
        id=EventId("Ev0CHANNEL"),
        kind=EventKind.MESSAGE_CREATED,
        conversation=ConversationRef(
            platform=Platform.SLACK,
            workspace=WorkspaceId("T0AAAAAAA"),
            channel="C0GENERAL",
            thread=TS,
        ),
        conversation_kind=ConversationKind.CHANNEL,
        sender=Sender(id="U0ALICEAA"),
        message_id=TS,
        dedupe_keys=("Ev0CHANNEL", f"message:C0GENERAL:{TS}"),
        received_at=RECEIVED_AT,
        sent_at=datetime(2023, 11, 14, 22, 13, 20, 100, tzinfo=UTC),
        text="hello **there**",
        retry=2,
        platform_kind="message",
    )
    assert expected == parse(load("message_channel"), retry=2)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("message_im", ConversationKind.DIRECT),
        ("message_mpim", ConversationKind.GROUP),
        ("message_group", ConversationKind.CHANNEL),
        ("message_channel", ConversationKind.CHANNEL),
        ("app_mention", ConversationKind.CHANNEL),
    ],
)
def test_conversation_kinds(name: str, kind: ConversationKind) -> None:
    """A direct message needs no mention, so a channel must never look like one."""
    assert kind == parsed(name).conversation_kind


@pytest.mark.parametrize(
    ("name", "thread"),
    [
        ("message_im", None),
        ("message_im_thread", ROOT),
        ("message_channel", TS),
        ("message_mpim", TS),
        ("message_thread", ROOT),
        ("message_thread_broadcast", ROOT),
        ("app_mention", TS),
        ("message_changed", TS),
        ("message_deleted", TS),
        ("message_deleted_thread", ROOT),
        ("message_changed_tombstone", TS),
    ],
)
def test_threads(name: str, thread: str | None) -> None:
    """Answers go under the message; edits and deletions land where the message landed."""
    assert thread == parsed(name).conversation.thread


def test_an_edited_root_with_replies_stays_in_its_direct_conversation() -> None:
    """A root gets its own ts as thread_ts once it has replies; that is no other conversation."""
    payload = load("message_im")
    inner(payload)["thread_ts"] = TS
    assert parsed("message_im").conversation == cast(InboundEvent, parse(payload)).conversation


@pytest.mark.parametrize(
    ("name", "kind", "platform_kind"),
    [
        ("message_channel", EventKind.MESSAGE_CREATED, "message"),
        ("app_mention", EventKind.MESSAGE_CREATED, "app_mention"),
        ("message_file_share", EventKind.MESSAGE_CREATED, "message.file_share"),
        ("message_thread_broadcast", EventKind.MESSAGE_CREATED, "message.thread_broadcast"),
        ("message_bot_legacy", EventKind.MESSAGE_CREATED, "message.bot_message"),
        ("message_changed", EventKind.MESSAGE_UPDATED, "message.message_changed"),
        ("message_deleted", EventKind.MESSAGE_DELETED, "message.message_deleted"),
        ("message_changed_tombstone", EventKind.MESSAGE_DELETED, "message.message_deleted"),
        ("message_changed_unfurl", EventKind.UNSUPPORTED, "message.message_changed"),
        ("message_channel_join", EventKind.UNSUPPORTED, "message.channel_join"),
        ("message_me", EventKind.MESSAGE_CREATED, "message.me_message"),
        ("team_join", EventKind.UNSUPPORTED, "team_join"),
    ],
)
def test_kinds(name: str, kind: EventKind, platform_kind: str) -> None:
    """Link previews are no edits, stubs of deleted messages are deletions, the rest is named."""
    event = parsed(name)
    assert (kind, platform_kind) == (event.kind, event.platform_kind)


@pytest.mark.parametrize(
    ("name", "sender"),
    [
        ("message_channel", Sender(id="U0ALICEAA")),
        ("message_bot", Sender(id="U0CIBOTAA", name="ci", is_bot=True)),
        ("message_bot_legacy", Sender(id="B0OTHERAA", name="deployer", is_bot=True)),
        ("message_own", Sender(id="U0BOTAAAA", name="gateway", is_bot=True, is_self=True)),
        ("message_changed_own", Sender(id="U0BOTAAAA", name="gateway", is_bot=True, is_self=True)),
        ("message_deleted", Sender(id="U0ALICEAA")),
        ("message_changed_tombstone", Sender(id="U0ALICEAA")),
        ("message_shared_channel", Sender(id="U0FOREIGN", name="frida")),
        ("message_me", Sender(id="U0ALICEAA", name="alice", locale="de-DE")),
        ("team_join", Sender(id="U0CAROLAA")),
    ],
)
def test_senders(name: str, sender: Sender) -> None:
    """An edit's author is inside the event; taking it for somebody else would be a loop."""
    assert sender == parsed(name).sender


def test_a_message_of_our_app_is_ours_under_any_user() -> None:
    """A message posted with another token of the app is still no reason to answer."""
    payload = load("message_own")
    inner(payload)["user"] = "U0SOMEONE"
    assert cast(InboundEvent, parse(payload)).sender.is_self


def test_the_installing_person_is_not_the_bot() -> None:
    """An authorization may name a person; their messages are not our own."""
    payload = load("message_channel")
    authorization = {"team_id": "T0AAAAAAA", "user_id": "U0ALICEAA", "is_bot": False}
    payload["authorizations"] = [authorization]
    assert not cast(InboundEvent, parse(payload)).sender.is_self


def test_mention_and_message_share_a_dedupe_key() -> None:
    """One text, two events: without a common name the agent would answer twice."""
    message, mention = parsed("message_mention"), parsed("app_mention")
    assert message.id != mention.id
    assert message.dedupe_keys[1] == mention.dedupe_keys[1]
    assert (message.text, message.mentions, message.mentioned) == (
        mention.text,
        mention.mentions,
        mention.mentioned,
    )


def test_edits_and_deletions_are_no_duplicates_of_their_message() -> None:
    """The same ts three times over, and three different things have happened."""
    names = ("message_channel", "message_changed", "message_deleted")
    keys = [key for name in names for key in parsed(name).dedupe_keys]
    assert len(keys) == len(set(keys))


def test_two_edits_of_one_message_are_two_events() -> None:
    """The second edit must not be taken for the first again."""
    payload = load("message_changed")
    message = cast(Document, inner(payload)["message"])
    message["edited"] = {"user": "U0ALICEAA", "ts": "1700000099.000000"}
    second = cast(InboundEvent, parse(payload))
    assert parsed("message_changed").dedupe_keys[1] != second.dedupe_keys[1]


def test_a_mention_is_seen_and_taken_off_the_text() -> None:
    """The agent reads the question, not its own name."""
    event = parsed("app_mention")
    assert (True, "what about @U0BOBAAAA?", ("U0BOBAAAA",)) == (
        event.mentioned,
        event.text,
        event.mentions,
    )


def test_a_message_without_the_bot_mentions_it_not() -> None:
    """Whoever names others has not called the agent."""
    payload = load("message_mention")
    inner(payload)["text"] = "<@U0BOBAAAA> hi"
    event = cast(InboundEvent, parse(payload))
    assert (False, ("U0BOBAAAA",)) == (event.mentioned, event.mentions)


def test_files_become_attachments() -> None:
    """The file's id and shape; its bytes stay on Slack."""
    expected = Attachment(
        id="F0REPORTA", name="report.pdf", media_type="application/pdf", size_bytes=2048
    )
    assert (expected,) == parsed("message_file_share").attachments


def test_an_edit_carries_the_new_text() -> None:
    """What counts is what stands there now."""
    event = parsed("message_changed")
    assert ("hello, world", TS) == (event.text, event.message_id)


def test_the_organisation_is_named_for_org_wide_installs_only() -> None:
    """A workspace of an organisation that installed the app itself is bound by its own id."""
    org_wide, ordinary = parsed("message_enterprise"), parsed("message_channel")
    assert (WorkspaceId("T0AAAAAAA"), WorkspaceId("E0ORGAAAA")) == (
        org_wide.conversation.workspace,
        org_wide.enterprise,
    )
    assert ordinary.enterprise is None


def test_a_shared_channel_is_ours_and_not_the_strangers() -> None:
    """team_id is the author's workspace there; following it would be a mis-route."""
    event = parsed("message_shared_channel")
    assert ("T0AAAAAAA", None) == (event.conversation.workspace, event.enterprise)


@pytest.mark.parametrize("name", ["message_enterprise", "message_shared_channel"])
def test_no_guess_is_made_about_whose_shared_channel_it_is(name: str) -> None:
    """With nothing but a stranger's team_id to go by, the event belongs to nobody."""
    payload = load(name) | {"is_ext_shared_channel": True, "context_team_id": None}
    payload["authorizations"] = []
    answer = parse(payload)
    assert isinstance(answer, Ignored)
    assert IgnoredReason.NO_WORKSPACE == answer.reason


def test_an_event_without_any_team_has_no_workspace() -> None:
    """Nobody's event is acknowledged and noted."""
    payload = load("message_channel") | {"team_id": None, "context_team_id": None}
    payload["authorizations"] = [{"enterprise_id": None, "team_id": None, "user_id": "U0BOTAAAA"}]
    answer = parse(payload)
    assert isinstance(answer, Ignored)
    assert IgnoredReason.NO_WORKSPACE == answer.reason


@pytest.mark.parametrize("name", sorted(WITHOUT_EVENT))
def test_payloads_without_an_event(name: str) -> None:
    """They are Slack's own affairs, and no fault."""
    assert Ignored(IgnoredReason.NOT_AN_EVENT, f"payload.type is {name}") == parse(load(name))


@pytest.mark.parametrize("field", ["channel", "ts", "user", "type"])
@pytest.mark.parametrize(
    ("value", "fault"), [(None, "is missing"), (7, "is not an id"), ("a b", "is not an id")]
)
def test_malformed_messages_name_the_field(field: str, value: object, fault: str) -> None:
    """The record says which field was wrong, and never what was in it."""
    payload = load("message_channel")
    inner(payload)[field] = value
    if field == "user":
        fault = "is missing"
    assert Ignored(IgnoredReason.MALFORMED, f"event.{field} {fault}") == parse(payload)


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"event_id": None}, "event_id is missing"),
        ({"event": []}, "event is not an object"),
        ({"event": None}, "event is missing"),
    ],
)
def test_malformed_payloads_name_the_field(change: Document, detail: str) -> None:
    """As above, for what stands around the event."""
    payload = load("message_channel") | change
    assert Ignored(IgnoredReason.MALFORMED, detail) == parse(payload)


@pytest.mark.parametrize("payload", [None, [], "text", 3, True])
def test_a_payload_that_is_no_object(payload: object) -> None:
    """Valid JSON, but not a document."""
    assert Ignored(IgnoredReason.MALFORMED, "payload is not an object") == parse(payload)


def test_every_document_is_covered() -> None:
    """A document without a test would be dead weight."""
    assert {name for name in NAMES if isinstance(parse_all(load(name)), Ignored)} == WITHOUT_EVENT
