"""The API that agents speak through, over a real socket: one shape for every refusal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from gateway.core.errors import QueueFullError, StoreError
from gateway.core.ids import TenantId
from gateway.egress.requests import Content, Refusal, Submission
from gateway.web.models import MAX_KEY_CHARS, MAX_TEXT_CHARS
from gateway.web.reading import MAX_BODY_BYTES
from tests.web.conftest import GOOD, HERE, KEYS, Client, House, serving

FORM = {"type": "form", "id": "f", "title": "t", "fields": [{"id": "a", "label": "A"}]}


def submissions(agent: Client) -> list[Submission]:
    """The messages that were submitted."""
    return [each for each in agent.house.seen if isinstance(each, Submission)]


async def test_a_message_is_taken(agent: Client) -> None:
    """202: stored, not yet sent. The tenant is the key's, whatever stands in the body."""
    answer = await agent.send()

    assert 202 == answer.status
    expected = {"id": "msg_1", "conversation": HERE, "parts": 1, "status": "queued"}
    assert expected == json.loads(answer.text)
    assert [
        Submission(
            tenant=TenantId("acme"),
            conversation=HERE,
            content=Content(markdown="hello"),
            idempotency_key="key-1",
        )
    ] == agent.house.seen


async def test_a_key_speaks_for_its_own_tenant(agent: Client) -> None:
    """Two agents with the same idempotency key are told apart by their bearer keys."""
    await agent.send(key="cgk_acme-key")
    await agent.send(key="cgk_globex-key")

    assert ["acme", "globex"] == [each.tenant for each in submissions(agent)]


@pytest.mark.parametrize(
    ("body", "field_name"),
    [
        ({"text": "hello"}, "conversation"),
        ({"conversation": 1, "text": "hello"}, "conversation"),
        ({"conversation": None, "text": "hello"}, "conversation"),
        ({"conversation": {"id": HERE}, "text": "hello"}, "conversation"),
        ({"conversation": "", "text": "hello"}, "conversation"),
        ({"conversation": "c" * 513, "text": "hello"}, "conversation"),
        ({"conversation": HERE, "text": 1}, "text"),
        ({"conversation": HERE, "text": None}, "text"),
        ({"conversation": HERE, "text": ["hello"]}, "text"),
        ({"conversation": HERE, "text": "x" * (MAX_TEXT_CHARS + 1)}, "text"),
        ({**GOOD, "tenant": "globex"}, "tenant"),
        ({**GOOD, "Text": "hello"}, "Text"),
        (b'{"conversation":' + b"[" * 100_000, "conversation"),
        (
            {**GOOD, "to": {"platform": "slack", "workspace": "T0ACME", "user": "U1"}},
            "conversation",
        ),
        ({"to": {"platform": "irc", "workspace": "T0ACME", "user": "U1"}}, "to.platform"),
        ({"to": {"platform": "slack", "workspace": "T0ACME"}}, "to"),
        ({"to": {"platform": "slack", "user": "U1"}}, "to.workspace"),
        ({**GOOD, "components": [{"type": "buttons", "buttons": []}]}, "components[0].buttons"),
        ({**GOOD, "components": [FORM, FORM]}, "components"),
        ({**GOOD, "components": [{"type": "window"}]}, "components[0].type"),
        ({**GOOD, "files": ["../etc/passwd"]}, "files[0]"),
        (b"", "conversation"),
        (b"{}", "conversation"),
    ],
    ids=lambda value: repr(value)[:60],
)
async def test_a_wrong_field_is_named(agent: Client, body: object, field_name: str) -> None:
    """Missing, of a wrong type, empty, too long or unknown: 400, and which one it was."""
    answer = await agent.send(body)  # type: ignore[arg-type] # wrong on purpose

    assert 400 == answer.status
    assert ("invalid_field", field_name) == (answer.error["code"], answer.error["field"])
    assert [] == agent.house.seen


@pytest.mark.parametrize("body", ["[]", "[1]", '"text"', "1", "null", "true", "[" * 100_000])
async def test_a_body_that_is_no_object_is_refused(agent: Client, body: str) -> None:
    """400 without a field, for there is none."""
    answer = await agent.send(body)

    assert 400 == answer.status
    assert ("invalid_field", None) == (answer.error["code"], answer.error.get("field"))


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"hello",
        b"{'text': 1}",
        b'{"conversation":"x","text":"cut',
        b'{"conversation":"x","text":"\xff"}',
        b'{"conversation":"x","text":"\\ud800"}',
        b'{"conversation":"x","text":"a\nb"}',
        b"\x00\x01\x02",
        json.dumps(GOOD).encode() + b"{}",
    ],
)
async def test_what_is_not_json_is_refused(agent: Client, body: bytes) -> None:
    """400, whatever is wrong with it: bytes that are no UTF-8 are no fault of the gateway's."""
    answer = await agent.send(body)

    assert (400, "invalid_json") == (answer.status, answer.error["code"])


async def test_a_refusal_does_not_send_a_huge_field_back(agent: Client) -> None:
    """The message quotes the name of an unknown field, but not 300 KB of it."""
    answer = await agent.send({**GOOD, "z" * 300_000: 1})

    assert 400 == answer.status
    assert 1000 > len(answer.text)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer cgk_nobodys-key",
        "Bearer  cgk_acme-key",
        "bearer cgk_acme-key",
        "Basic cgk_acme-key",
        "cgk_acme-key",
        "Bearer cgk_acme-key cgk_globex-key",
        "Bearer cgk_acme-key,",
        "Bearer caf\u00e9",
        f"Bearer {'k' * 257}",
        f"Bearer {'k' * 8000}",
    ],
    ids=lambda header: repr(header)[:40],
)
async def test_without_a_valid_key_nothing_is_read(agent: Client, header: str | None) -> None:
    """401 with the challenge, the same for every reason; a bad body is not even looked at."""
    headers = {} if header is None else {"Authorization": header}

    answer = await agent.send(b"not json", key=None, headers=headers)

    assert 401 == answer.status
    assert "Bearer" == answer.headers["WWW-Authenticate"]
    assert {"code": "unauthorized", "message": "a valid bearer key is needed"} == answer.error
    assert [] == agent.house.seen


@pytest.mark.parametrize("key", [None, "", "  ", "k" * (MAX_KEY_CHARS + 1)])
async def test_an_idempotency_key_is_needed(agent: Client, key: str | None) -> None:
    """Without one a repeat would be said twice."""
    answer = await agent.send(idempotency=key)

    assert 400 == answer.status
    assert "Idempotency-Key" == answer.error["field"]


@pytest.mark.parametrize(
    ("refusal", "status", "code", "field_name"),
    [
        (Refusal.UNKNOWN_CONVERSATION, 404, "unknown_conversation", "conversation"),
        (Refusal.BLANK_TEXT, 422, "blank_text", "text"),
        (Refusal.TOO_LONG, 413, "message_too_long", "text"),
        (Refusal.KEY_REUSED, 409, "idempotency_key_reused", "Idempotency-Key"),
    ],
)
async def test_a_refused_message_says_why(
    agent: Client, refusal: Refusal, status: int, code: str, field_name: str
) -> None:
    """The one table of refusals."""
    agent.house.answer = refusal

    answer = await agent.send()

    assert (status, code, field_name) == (
        answer.status,
        answer.error["code"],
        answer.error["field"],
    )


async def test_a_foreign_conversation_is_told_nothing_of_its_owner(agent: Client) -> None:
    """Neither the other tenant's name nor that there is one, nor even the id that was tried."""
    agent.house.answer = Refusal.UNKNOWN_CONVERSATION

    answer = await agent.send({"conversation": "slack:T0GLOBEX:C0AAAA", "text": "hello"})

    assert "globex" not in answer.text.lower()
    assert "no such conversation of yours" == answer.error["message"]


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/messages/", "/v2/messages", "/metrics", "/%00"])
async def test_other_paths_are_not_found(agent: Client, path: str) -> None:
    """The metrics are not here either: their labels are for operators."""
    answer = await agent.send(path=path)

    assert (404, "not_found") == (answer.status, answer.error["code"])


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_other_methods_are_not_allowed(agent: Client, method: str) -> None:
    """405 names the one that is: RFC 9110, section 15.5.6."""
    answer = await agent.send(method=method)

    assert (405, "method_not_allowed") == (answer.status, answer.error["code"])
    assert "POST" == answer.headers["Allow"]


async def test_a_body_of_the_size_allowed_is_read(agent: Client) -> None:
    """Full of spaces to the last byte."""
    body = json.dumps(GOOD).encode().ljust(MAX_BODY_BYTES)

    assert 202 == (await agent.send(body)).status


@pytest.mark.parametrize("more", [1, MAX_BODY_BYTES // 2])
async def test_a_larger_body_is_refused(agent: Client, more: int) -> None:
    """413 and not the end of the process's memory."""
    body = json.dumps(GOOD).encode().ljust(MAX_BODY_BYTES + more)

    answer = await agent.send(body)

    assert (413, "body_too_large") == (answer.status, answer.error["code"])


async def test_a_larger_body_in_chunks_is_refused(agent: Client) -> None:
    """Its length is announced nowhere, so it is counted as it comes."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 8192 + 2):
            yield b" " * 8192

    headers = {
        "Authorization": "Bearer cgk_acme-key",
        "Idempotency-Key": "k",
        "Content-Type": "application/json",
    }
    url = f"{agent.url}/v1/messages"
    async with agent.session.post(url, data=chunks(), headers=headers) as response:
        assert 413 == response.status


async def test_a_full_queue_asks_for_patience(agent: Client) -> None:
    """429 with Retry-After."""
    agent.house.answer = QueueFullError("the tenant's outbound queue is full")

    answer = await agent.send()

    assert (429, "queue_full") == (answer.status, answer.error["code"])
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("where", ["keys", "submit"])
async def test_a_store_that_is_away_is_no_refusal(agent: Client, where: str) -> None:
    """503 with Retry-After, also while the key cannot be looked up: that is not a wrong key."""
    fault = StoreError("Redis: ConnectionError: redis://:pw@10.0.0.7")
    if where == "keys":
        agent.house.keys_fault = fault
    else:
        agent.house.answer = fault

    answer = await agent.send()

    assert (503, "store_unavailable") == (answer.status, answer.error["code"])
    assert int(answer.headers["Retry-After"]) > 0
    assert "10.0.0.7" not in answer.text


async def test_a_fault_of_ours_tells_nothing(agent: Client) -> None:
    """500 without the exception's text: it may hold anything."""
    agent.house.answer = RuntimeError("xoxb-placeholder")

    answer = await agent.send()

    assert (500, {"code": "internal_error", "message": "the gateway failed"}) == (
        answer.status,
        answer.error,
    )


async def test_requests_are_counted_by_route_and_status(agent: Client) -> None:
    """Unknown paths share one label, or a scanner could fill the memory."""
    await agent.send()
    await agent.send(key=None)
    await agent.send(path="/a")
    await agent.send(path="/b")

    def count(route: str, status: str) -> float | None:
        return agent.metrics.registry.get_sample_value(
            "gateway_api_requests_total", {"route": route, "status": status}
        )

    assert (1.0, 1.0, 2.0) == (
        count("/v1/messages", "202"),
        count("/v1/messages", "401"),
        count("unknown", "404"),
    )


async def test_many_requests_at_once_do_not_mix(agent: Client) -> None:
    """Two tenants on the same connections, at the same moment."""
    keys = ["cgk_acme-key", "cgk_globex-key"] * 25

    await asyncio.gather(
        *(
            agent.send({"conversation": HERE, "text": key}, key=key, idempotency=str(number))
            for number, key in enumerate(keys)
        )
    )

    assert 50 == len(agent.house.seen)
    assert [] == [each for each in submissions(agent) if KEYS[each.content.markdown] != each.tenant]


async def test_a_body_that_dawdles_is_cut_off() -> None:
    """408, and the connection is closed: the rest of the body would be read as a request."""
    async with serving(House(), body_within_s=0.1) as agent:
        host, port = agent.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer cgk_acme-key\r\n"
            b"Idempotency-Key: k\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        async with asyncio.timeout(10):
            said = await reader.read()
        writer.close()

    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert "body_timeout" == json.loads(body)["error"]["code"]
    assert [] == agent.house.seen
