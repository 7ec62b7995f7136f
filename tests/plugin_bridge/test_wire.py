"""The body that agents read, and the answers that come with their 200."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.decisions import Routed
from gateway.core.events import Attachment, Sender
from gateway.core.ids import AgentId
from plugin_bridge.wire import InlineReply, decode_replies, encode, with_attempt
from tests.routing.factories import AT, binding, conversation, event


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
        "sender": {"id": "U0ANNA", "name": "anna", "is_bot": False},
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


def test_the_body_holds_nothing_of_how_it_was_routed() -> None:
    """Neither the trail nor the binding's epoch nor another workspace is an agent's business."""
    body = json.loads(encode(_routed(enterprise="E0AAAA")))

    assert set() == {"trail", "binding", "epoch", "enterprise", "dedupe_keys"} & set(body)


@given(text=st.text(st.characters(exclude_categories=["Cs"])), attempt=st.integers(1, 10**6))
def test_the_attempt_is_all_that_two_attempts_differ_in(text: str, attempt: int) -> None:
    """Whatever was said, quotes and braces too, the spliced body stays the JSON it was."""
    stored = encode(_routed(text=text))

    body = json.loads(with_attempt(stored, attempt))

    assert {**json.loads(stored), "attempt": attempt} == body
    assert text == body["text"]


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
