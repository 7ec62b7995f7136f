"""Every operation asks the right thing of what stands behind it, for the tenant of the key."""

from __future__ import annotations

import json

import pytest

from gateway.core.components import Button, Buttons
from gateway.core.ids import FileId, MessageId, Platform, TenantId, WorkspaceId
from gateway.core.messages import Target
from gateway.egress.requests import Content, Delete, Edit, React, Refusal, Submission
from tests.web.conftest import GOOD, HERE, THERE, TOKEN, Client

ACME = TenantId("acme")
TO = {"platform": "slack", "workspace": "T0ACME", "user": "U0ANNA"}
BUTTONS = [{"type": "buttons", "buttons": [{"id": "yes", "label": "Yes", "style": "primary"}]}]


async def test_a_message_carries_all_that_it_may(agent: Client) -> None:
    """Components, files, the platform's own payload, one reader, and what it answers."""
    body = {
        **GOOD,
        "components": [{"type": "buttons", "buttons": [{"id": "yes", "label": "Yes"}]}],
        "files": ["file_0123"],
        "raw": {"unfurl_links": True},
        "visible_to": "U0ANNA",
        "reply_to": "1700000000.000100",
    }

    answer = await agent.send(body)

    assert 202 == answer.status
    content = Content(
        markdown="hello",
        components=(Buttons(buttons=(Button(id="yes", label="Yes"),)),),
        files=(FileId("file_0123"),),
        raw={"unfurl_links": True},
        visible_to="U0ANNA",
        reply_to="1700000000.000100",
    )
    [seen] = agent.house.seen
    assert isinstance(seen, Submission)
    assert content == seen.content


async def test_a_first_message_finds_its_conversation(agent: Client) -> None:
    """By the user; the platform is asked, and then it is a message like any other."""
    answer = await agent.send({"to": TO, "text": "hello"})

    assert 202 == answer.status
    asked, sent = agent.house.seen
    expected = ("address", ACME, Platform.SLACK, WorkspaceId("T0ACME"), Target(user="U0ANNA"))
    assert expected == asked
    assert isinstance(sent, Submission)
    assert "slack:T0ACME:D0AAAA" == sent.conversation


async def test_a_user_who_is_not_there_is_told(agent: Client) -> None:
    """404, and which field it was."""
    agent.house.answer = Refusal.TARGET_UNKNOWN

    answer = await agent.send({"to": TO, "text": "hello"})

    assert (404, "unknown_target") == (answer.status, answer.error["code"])


async def test_the_state_of_a_message_is_told(agent: Client) -> None:
    """So that an agent that was away can find out what was posted."""
    answer = await agent.send(b"", method="GET", path="/v1/messages/msg_1", idempotency=None)

    assert 200 == answer.status
    expected = {
        "id": "msg_1",
        "conversation": HERE,
        "status": "failed",
        "parts": 2,
        "platform_ids": ["1700000000.000100", None],
        "reason": "platform_rejected",
        "detail": "channel_not_found",
    }
    assert expected == json.loads(answer.text)


async def test_the_state_of_anothers_message_is_not(agent: Client) -> None:
    """404, as for one that never was."""
    answer = await agent.send(
        b"", method="GET", path="/v1/messages/msg_1", idempotency=None, key="cgk_globex-key"
    )

    assert (404, "unknown_message") == (answer.status, answer.error["code"])


async def test_changes_of_messages_are_taken(agent: Client) -> None:
    """Edit, delete, react and take it back."""
    one = "/v1/messages/msg_1"
    there = THERE.replace(":", "%3A")
    await agent.send({"text": "new", "components": BUTTONS}, method="PATCH", path=one)
    await agent.send(b"", method="DELETE", path=one)
    await agent.send({"emoji": "👍"}, path=f"{one}/reactions")
    await agent.send(
        b"", method="DELETE", path=f"/v1/messages/17.0/reactions?emoji=eyes&conversation={there}"
    )

    edit, delete, react, unreact = agent.house.seen
    assert isinstance(edit, Edit)
    assert (MessageId("msg_1"), "new") == (edit.message, edit.content.markdown)
    assert Delete(tenant=ACME, message=MessageId("msg_1"), idempotency_key="key-1") == delete
    assert (
        React(tenant=ACME, conversation=None, target="msg_1", emoji="👍", idempotency_key="key-1")
        == react
    )
    assert (
        React(
            tenant=ACME,
            conversation=THERE,
            target="17.0",
            emoji="eyes",
            remove=True,
            idempotency_key="key-1",
        )
        == unreact
    )


async def test_a_stream_is_opened_grows_and_ends(agent: Client) -> None:
    """By deltas or by the whole text; an end without a text keeps what there is."""
    one = "/v1/streams/msg_1"
    opened = await agent.send({"conversation": HERE, "recipient": "U0ANNA"}, path="/v1/streams")
    grown = await agent.send({"delta": "more", "offset": 3}, path=f"{one}/append")
    await agent.send({"text": "all of it"}, path=f"{one}/append", idempotency=None)
    await agent.send({"text": "the end"}, path=f"{one}/finish")
    await agent.send({}, path=f"{one}/finish")
    await agent.send(b"", path=f"{one}/abort")

    assert (202, 200) == (opened.status, grown.status)
    assert {"id": "msg_1", "length": 7} == json.loads(grown.text)
    assert [
        ("open", ACME, HERE, "U0ANNA", "key-1"),
        ("append", ACME, "msg_1", None, "more", 3),
        ("append", ACME, "msg_1", "all of it", None, 0),
        ("finish", ACME, "msg_1", Content(markdown="the end"), "key-1"),
        ("finish", ACME, "msg_1", None, "key-1"),
        ("abort", ACME, "msg_1", "key-1"),
    ] == agent.house.seen


@pytest.mark.parametrize(
    ("body", "field_name"),
    [
        ({}, "text"),
        ({"text": "a", "delta": "b", "offset": 0}, "text"),
        ({"delta": "b"}, "offset"),
        ({"text": "a", "offset": 1}, "offset"),
        ({"delta": "b", "offset": -1}, "offset"),
        ({"delta": "b", "offset": "1"}, "offset"),
    ],
)
async def test_an_append_says_one_thing(
    agent: Client, body: dict[str, object], field_name: str
) -> None:
    """The whole text, or a delta and where it begins."""
    answer = await agent.send(body, path="/v1/streams/msg_1/append")

    assert (400, field_name) == (answer.status, answer.error["field"])


async def test_typing_is_held_and_given_back(agent: Client) -> None:
    """A lease in seconds; 0 ends it."""
    held = await agent.send({"conversation": HERE}, path="/v1/typing", idempotency=None)
    await agent.send({"conversation": HERE, "for_s": 0}, path="/v1/typing", idempotency=None)

    assert {"conversation": HERE, "for_s": 10.0} == json.loads(held.text)
    assert [("hold", ACME, HERE, 10.0), ("release", ACME, HERE)] == agent.house.seen


async def test_the_table_of_abilities_is_served(agent: Client) -> None:
    """With the note of what is done instead."""
    answer = await agent.send(b"", method="GET", path="/v1/capabilities", idempotency=None)

    slack = json.loads(answer.text)["platforms"]["slack"]
    assert "native" == slack["abilities"]["messages"]["support"]
    assert slack["limits"]["part_chars"] > 1000


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_body_must_be_json_by_name(agent: Client, content_type: str) -> None:
    """415: a form in a browser could send the others anywhere without asking."""
    answer = await agent.send(headers={"Content-Type": content_type})

    assert (415, "unsupported_media_type") == (answer.status, answer.error["code"])
    assert [] == agent.house.seen


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/messages", {"conversation": THERE, "text": "x"}),
        ("POST", "/v1/messages", {"to": TO, "text": "x"}),
        ("POST", "/v1/messages/17.0/reactions", {"emoji": "eyes", "conversation": THERE}),
        ("POST", "/v1/streams", {"conversation": THERE}),
        ("POST", "/v1/typing", {"conversation": THERE}),
    ],
)
async def test_a_reply_token_is_good_for_one_conversation(
    agent: Client, method: str, path: str, body: dict[str, object]
) -> None:
    """403 for any other, and for one that has to be found first."""
    answer = await agent.send(body, method=method, path=path, key=TOKEN)

    assert (403, "out_of_scope") == (answer.status, answer.error["code"])
    assert [] == agent.house.seen


async def test_a_reply_token_speaks_where_it_was_given(agent: Client) -> None:
    """Sends, changes, streams and types like the agent's key."""
    one = "/v1/messages/msg_1"
    answers = [
        await agent.send(key=TOKEN),
        await agent.send({"text": "new"}, method="PATCH", path=one, key=TOKEN),
        await agent.send(b"", method="DELETE", path=one, key=TOKEN),
        await agent.send(b"", method="GET", path=one, key=TOKEN),
        await agent.send({"emoji": "eyes"}, path=f"{one}/reactions", key=TOKEN),
        await agent.send({"conversation": HERE}, path="/v1/streams", key=TOKEN),
        await agent.send({"text": "a"}, path="/v1/streams/msg_1/append", key=TOKEN),
        await agent.send({"text": "a"}, path="/v1/streams/msg_1/finish", key=TOKEN),
        await agent.send({"conversation": HERE}, path="/v1/typing", key=TOKEN),
    ]

    assert [202, 202, 202, 200, 202, 202, 200, 202, 200] == [each.status for each in answers]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", "/v1/messages/msg_2"),
        ("DELETE", "/v1/messages/msg_2"),
        ("POST", "/v1/streams/msg_2/finish"),
        ("POST", "/v1/streams/msg_2/append"),
        ("POST", "/v1/streams/msg_2/abort"),
    ],
)
async def test_a_reply_token_changes_nothing_elsewhere(
    agent: Client, method: str, path: str
) -> None:
    """What is not known to be of its conversation is not."""
    body = b"" if method == "DELETE" or path.endswith("abort") else b'{"text": "x"}'
    answer = await agent.send(body, method=method, path=path, key=TOKEN)

    assert answer.status in {403, 404}
    assert [] == agent.house.seen


async def test_a_reply_token_that_is_none_is_no_key(agent: Client) -> None:
    """401, like any other wrong key."""
    assert 401 == (await agent.send(key="cgr_bad")).status


async def test_a_key_that_may_not_speak_can_still_ask(agent: Client) -> None:
    """Every operation that says something is refused to it, and none of the others."""
    agent.house.may_speak = False
    one, stream = "/v1/messages/msg_1", "/v1/streams/msg_1"
    spoken = [
        await agent.send(),
        await agent.send({"to": TO, "text": "x"}),
        await agent.send({"text": "new"}, method="PATCH", path=one),
        await agent.send(b"", method="DELETE", path=one),
        await agent.send({"emoji": "eyes"}, path=f"{one}/reactions"),
        await agent.send(b"", method="DELETE", path=f"{one}/reactions?emoji=eyes"),
        await agent.send({"conversation": HERE}, path="/v1/streams"),
        await agent.send({"text": "a"}, path=f"{stream}/append"),
        await agent.send({"text": "a"}, path=f"{stream}/finish"),
        await agent.send(b"", path=f"{stream}/abort"),
        await agent.send({"conversation": HERE}, path="/v1/typing"),
    ]
    assert [] == agent.house.seen
    asked = [
        await agent.send(b"", method="GET", path=one),
        await agent.send(b"", method="GET", path="/v1/capabilities"),
        await agent.send(b"x", path="/v1/files"),
        await agent.send(key=TOKEN),
    ]

    assert {(403, "reply_token_required")} == {(e.status, e.error["code"]) for e in spoken}
    assert [200, 200, 201, 202] == [each.status for each in asked]
