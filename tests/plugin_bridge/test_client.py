"""What authors of agents get: deliveries that are the gateway's, and writes that are said once."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from standardwebhooks import Webhook

from gateway.core.errors import StoreError
from gateway.egress.requests import Refusal, Submission, Submitted
from plugin_bridge.client import AgentClient, RefusedError, verify
from tests.web.conftest import HERE, House, serving

OLD, NEW, OTHER = (f"whsec_{base64.b64encode(each * 32).decode()}" for each in (b"o", b"n", b"x"))
EVENT: dict[str, object] = {
    "version": 1,
    "type": "message.created",
    "id": "Ev1",
    "tenant": "acme",
    "agent": "main",
    "conversation": {
        "id": HERE,
        "platform": "slack",
        "kind": "channel",
        "workspace": "T0ACME",
        "channel": "C0AAAA",
        "thread": None,
    },
    "sender": {
        "id": "U0ANNA",
        "name": None,
        "is_bot": False,
        "locale": None,
        "roles": [],
        "may_command": False,
    },
    "message_id": "17.5",
    "text": "hello",
    "mentioned": True,
    "mentions": [],
    "attachments": [],
    "sent_at": None,
    "received_at": "2026-01-01T00:00:00Z",
}


def signed(body: bytes, *secrets: str, age: timedelta = timedelta(0)) -> dict[str, str]:
    """Headers as the gateway sends them, in the spelling of another server."""
    at = datetime.now(UTC) - age
    signatures = [Webhook(each).sign("dlv_1", at, body.decode()) for each in secrets]
    return {
        "Webhook-Id": "dlv_1",
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": " ".join(signatures),
    }


@pytest.mark.parametrize(
    ("known", "secrets"), [([NEW], [NEW]), ([OTHER, OLD], [NEW, OLD]), ([OLD], [NEW, OLD])]
)
def test_a_delivery_is_read(known: list[str], secrets: list[str]) -> None:
    """By any secret that both sides know."""
    body = msgspec.json.encode(EVENT)

    event = verify(body, signed(body, *secrets), known)

    assert ("message.created", "hello", HERE) == (event.type, event.text, event.conversation.id)


def test_what_comes_later_is_no_mistake() -> None:
    """The document says so of unknown types and fields."""
    body = msgspec.json.encode({**EVENT, "type": "poll.closed", "poll": {"id": 7}})

    assert "poll.closed" == verify(body, signed(body, NEW), [NEW]).type


@pytest.mark.parametrize("body", [b"", b"hello", b"[]", b"{}", b"\xff", msgspec.json.encode(EVENT)])
@pytest.mark.parametrize("why", ["another secret", "too old", "no headers", "changed", "nonsense"])
def test_what_the_gateway_has_not_signed_is_refused(body: bytes, why: str) -> None:
    """ValueError and nothing else, or an agent would answer with a 500 and hear it again."""
    text = body.decode(errors="replace").encode()
    headers = {
        "another secret": signed(text, OTHER),
        "too old": signed(text, NEW, age=timedelta(minutes=6)),
        "no headers": {},
        "changed": signed(text + b" ", NEW),
        "nonsense": {**signed(text, NEW), "Webhook-Signature": "v1,\u00e9 v1"},
    }
    with pytest.raises(ValueError, match=r"\w"):
        verify(body, headers[why], [NEW])


@pytest.mark.parametrize("body", [b"hello", b"[]", b"{}", b'{"version": 1}'])
def test_what_is_no_delivery_is_refused(body: bytes) -> None:
    """However well it is signed."""
    with pytest.raises(ValueError, match=r"\w"):
        verify(body, signed(body, NEW), [NEW])


class Moody(House):
    """Fails once."""

    async def submit(self, submission: Submission) -> Submitted | Refusal:
        taken = await super().submit(submission)
        if len(self.seen) == 1:
            raise StoreError("away")
        return taken


async def test_what_failed_is_tried_again_under_the_same_key() -> None:
    """Or it could be said twice."""
    async with serving(Moody()) as api:
        agent = AgentClient(api.url, "cgk_acme-key", api.session)
        assert "msg_1" == await agent.send(HERE, "hello")

    first, second = (each for each in api.house.seen if isinstance(each, Submission))
    assert first == second


async def test_a_refusal_is_told_as_it_is_and_not_tried_again() -> None:
    """With its code and its field."""
    async with serving(House(answer=Refusal.BLANK_TEXT)) as api:
        agent = AgentClient(api.url, "cgk_acme-key", api.session)
        with pytest.raises(RefusedError) as refused:
            await agent.send(HERE, " ")

    assert (422, "blank_text", "text") == (
        refused.value.status,
        refused.value.code,
        refused.value.field,
    )
    assert 1 == len(api.house.seen)


async def test_what_went_wrong_in_a_stream_is_told_whatever_becomes_of_the_stream() -> None:
    """A stream that a user has stopped cannot be aborted; the fault is the agent's own."""
    async with serving(House()) as api:
        agent = AgentClient(api.url, "cgk_acme-key", api.session)

        async def think() -> None:
            async with agent.stream(HERE) as stream:
                await stream.append("I think")
                api.house.answer = Refusal.STREAM_CLOSED
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await think()

    kinds = [each[0] for each in api.house.seen if isinstance(each, tuple)]
    assert ["open", "append", "abort"] == kinds
