"""The body that agents read, and the answers that come with their 200."""

from __future__ import annotations

import json
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.conversations import ConversationRef
from gateway.core.decisions import Routed
from gateway.core.events import (
    Action,
    ActionKind,
    Attachment,
    Command,
    Detail,
    EventKind,
    Installation,
    InstallationChange,
    Member,
    Reaction,
    Sender,
    SenderRole,
    Viewed,
    ViewedKind,
)
from gateway.core.ids import AgentId, TenantId
from gateway.core.tenants import AccessPolicy
from plugin_bridge.wire import (
    InlineReply,
    decode_replies,
    encode,
    encode_remembered,
    remembered_name,
    with_attempt,
)
from tests.routing.factories import AT, binding, conversation, event, tenant


def _routed(**fields: object) -> Routed:
    return Routed(
        binding=binding(), agent=AgentId("sales"), event=event(**fields), trail=("tenant: acme",)
    )


def test_the_body_is_that_of_the_protocol() -> None:
    """The golden body: agents of other people are written against it."""
    routed = _routed(
        sent_at=AT - timedelta(milliseconds=1500),
        attachments=(
            Attachment(id="F0AAAA", name="plan.pdf", media_type="application/pdf", size_bytes=9),
        ),
    )

    body = json.loads(with_attempt(encode(routed), 3))

    expected = {
        "version": 1,
        "type": "message.created",
        "id": "Ev0AAAA",
        "tenant": "acme",
        "agent": "sales",
        "conversation": {
            "id": "slack:T0AAAA:C0AAAA:1700000000.000100",
            "platform": "slack",
            "kind": "channel",
            "workspace": "T0AAAA",
            "channel": "C0AAAA",
            "thread": "1700000000.000100",
        },
        "sender": {
            "id": "U0ANNA",
            "name": "anna",
            "is_bot": False,
            "locale": None,
            "roles": [],
            "may_command": False,
        },
        "message_id": "1700000000.000100",
        "text": "hello",
        "mentioned": True,
        "mentions": ["U0BOT"],
        "attachments": [
            {
                "id": "F0AAAA",
                "name": "plan.pdf",
                "media_type": "application/pdf",
                "size_bytes": 9,
            }
        ],
        "sent_at": "2026-03-01T11:59:58.500000Z",
        "received_at": "2026-03-01T12:00:00Z",
        "attempt": 3,
    }
    assert expected == body


def test_what_is_not_known_is_null_and_never_missing() -> None:
    """An agent may read every field without asking first whether it is there."""
    said = _routed(conversation=conversation(thread=None), sender=Sender(id="U0ANNA"))

    body = json.loads(encode(said))

    assert {"thread": None} == {"thread": body["conversation"]["thread"]}
    assert (None, None) == (body["sender"]["name"], body["sent_at"])
    assert (None, []) == (body["sender"]["locale"], body["sender"]["roles"])


def test_the_body_holds_nothing_of_how_it_was_routed() -> None:
    """Neither the trail nor the binding's epoch nor another workspace is an agent's business."""
    body = json.loads(encode(_routed(enterprise="E0AAAA")))

    assert set() == {"trail", "binding", "epoch", "enterprise", "dedupe_keys"} & set(body)


_SAID = st.text(st.characters(exclude_categories=["Cs"]))


@given(text=_SAID, attempt=st.integers(1, 10**6), token=st.sampled_from(["", "cgr_aZ09-_"]))
def test_the_attempt_is_all_that_two_attempts_differ_in(
    text: str, attempt: int, token: str
) -> None:
    """Whatever was said, quotes and braces too, the spliced body stays the JSON it was."""
    stored = encode(_routed(text=text))

    body = json.loads(with_attempt(stored, attempt, token))

    added = {"attempt": attempt} | ({"reply_token": token} if token else {})
    assert json.loads(stored) | added == body
    assert text == body["text"]


_DETAILS: dict[EventKind, tuple[Detail, dict[str, object]]] = {
    EventKind.REACTION_ADDED: (
        Reaction(emoji="\N{EYES}", on_own=True),
        {"reaction": {"emoji": "\N{EYES}"}},
    ),
    EventKind.REACTION_REMOVED: (Reaction(emoji="party"), {"reaction": {"emoji": "party"}}),
    EventKind.COMMAND_INVOKED: (Command(name="ask"), {"command": {"name": "ask"}}),
    EventKind.ACTION_INVOKED: (
        Action(id="size", kind=ActionKind.FORM, values=("x",), fields={"size": ("s", "m")}),
        {
            "action": {
                "id": "size",
                "kind": "form",
                "values": ["x"],
                "fields": {"size": ["s", "m"]},
            }
        },
    ),
    EventKind.MEMBER_JOINED: (
        Member(id="U0BOT", is_self=True),
        {"member": {"id": "U0BOT", "is_self": True}},
    ),
    EventKind.MEMBER_LEFT: (
        Member(id="U0ANNA"),
        {"member": {"id": "U0ANNA", "is_self": False}},
    ),
    EventKind.INSTALLATION_CHANGED: (
        Installation(change=InstallationChange.REVOKED),
        {"installation": {"change": "revoked"}},
    ),
}
_NEW_FIELDS = {"reaction", "command", "action", "member", "installation", "history", "reply_token"}


@pytest.mark.parametrize("kind", EventKind)
def test_each_kind_has_the_field_that_it_is_about_and_no_other(kind: EventKind) -> None:
    """What an event has nothing to say of is left out, so messages stay as small as they were."""
    detail, expected = _DETAILS.get(kind, (None, {}))

    body = json.loads(encode(_routed(kind=kind, detail=detail)))

    assert kind.value == body["type"]
    assert expected == {name: value for name, value in body.items() if name in _NEW_FIELDS}


@pytest.mark.parametrize(
    ("roles", "commanders", "may"),
    [
        ((SenderRole.ADMIN, SenderRole.MEMBER), ("owner", "admin"), True),
        ((SenderRole.MEMBER,), ("owner", "admin"), False),
        ((), ("U0ANNA",), True),
    ],
)
def test_an_agent_is_told_whose_commands_count(
    roles: tuple[SenderRole, ...], commanders: tuple[str, ...], may: bool
) -> None:
    """The tenant's rule is applied here, once for all platforms and all agents."""
    owner = tenant(access=AccessPolicy(commanders=commanders))
    sender = Sender(id="U0ANNA", locale="de-DE", roles=roles)
    routed = msgspec.structs.replace(_routed(sender=sender), binding=binding(owner))

    body = json.loads(encode(routed))["sender"]

    assert ("de-DE", [role.value for role in roles], may) == (
        body["locale"],
        body["roles"],
        body["may_command"],
    )


def test_files_go_by_the_name_that_they_are_given() -> None:
    """Where the platform keeps them is no agent's business: its links need our credentials."""
    kept = Attachment(id="F0AAAA", name="plan.pdf", url="https://files.example/F0AAAA")
    routed = _routed(attachments=(kept,))
    asked: list[tuple[str, str, str]] = []

    def name_file(owner: TenantId, ref: ConversationRef, attachment: Attachment) -> str:
        asked.append((owner, ref.id, attachment.id))
        return "file_opaque"

    body = json.loads(encode(routed, name_file))

    assert [{"id": "file_opaque", "name": "plan.pdf"}] == body["attachments"]
    assert [("acme", routed.event.conversation.id, "F0AAAA")] == asked


def test_what_is_remembered_is_what_was_said_and_by_whom() -> None:
    """The golden entry of a history; `is_self` tells an agent its own words."""
    said = event(sender=Sender(id="U0BOT", is_bot=True, is_self=True), sent_at=AT)

    expected = {
        "message_id": "1700000000.000100",
        "sender": {"id": "U0BOT", "name": None, "is_bot": True, "is_self": True},
        "text": "hello",
        "sent_at": "2026-03-01T12:00:00Z",
    }
    assert expected == json.loads(encode_remembered(said))


@pytest.mark.parametrize(
    ("said", "remembered"),
    [
        ("x" * 1000, "x" * 1000),
        ("x" * 1001, "x" * 999 + "\N{HORIZONTAL ELLIPSIS}"),
        ("\N{EYES}" * 40_000, "\N{EYES}" * 999 + "\N{HORIZONTAL ELLIPSIS}"),
    ],
    ids=["fits", "one too many", "far too many"],
)
def test_what_is_remembered_is_bounded(said: str, remembered: str) -> None:
    """One pasted log must not fill the histories of a day."""
    assert remembered == json.loads(encode_remembered(event(text=said)))["text"]


@given(message_id=_SAID, other=_SAID)
def test_an_entry_is_found_by_its_message_and_by_no_other(message_id: str, other: str) -> None:
    """An id may hold quotes, or be the beginning of another one."""
    entry = encode_remembered(event(message_id=message_id))

    assert entry.startswith(remembered_name(message_id))
    assert (other == message_id) is entry.startswith(remembered_name(other))


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        (b"", []),
        (b" \n", []),
        (b"{}", []),
        (b'{"replies":[]}', []),
        (b'{"replies":[{"text":"one"},{"text":"two"}]}', ["one", "two"]),
        (b'{"replies":[{"text":"one","mood":1}],"usage":{"tokens":[1,2]}}', ["one"]),
    ],
)
def test_inline_answers_are_read(body: bytes, texts: list[str]) -> None:
    """An agent that answers later says nothing; fields of later versions are free."""
    assert [InlineReply(text=text) for text in texts] == list(decode_replies(body))


@pytest.mark.parametrize(
    "body",
    [
        b"accepted",
        b"<html></html>",
        b"null",
        b"[]",
        b'"ok"',
        b'{"replies":null}',
        b'{"replies":{}}',
        b'{"replies":["one"]}',
        b'{"replies":[{}]}',
        b'{"replies":[{"text":1}]}',
        b'{"replies":[{"text":"cut',
        b'{"replies":[{"text":"\xff"}]}',
        b'{"later":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_an_answer_that_is_not_the_protocols_is_refused(body: bytes) -> None:
    """With one kind of error, however odd: the agent has the message all the same."""
    with pytest.raises(ValueError, match=r".+"):
        decode_replies(body)


def test_what_somebody_looks_at_is_told() -> None:
    """Where it is known, and else not at all."""
    viewing = (
        Viewed(kind=ViewedKind.MESSAGE, id="1.1", channel="C0NEWS"),
        Viewed(kind=ViewedKind.CANVAS, id="F0PLAN"),
    )
    assert [
        {"kind": "message", "id": "1.1", "channel": "C0NEWS"},
        {"kind": "canvas", "id": "F0PLAN"},
    ] == json.loads(encode(_routed(viewing=viewing)))["viewing"]
    assert "viewing" not in json.loads(encode(_routed()))
