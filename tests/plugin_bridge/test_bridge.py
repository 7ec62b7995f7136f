"""One attempt, from the queue to a container on the real wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from aiohttp import web
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from gateway.core.deliveries import (
    Deferred,
    Delivered,
    Delivery,
    Direction,
    Outcome,
    Permanent,
    Reason,
    Retryable,
)
from gateway.core.errors import QueueFullError, StoreError
from gateway.core.ids import ConversationId, DeliveryId, TenantId
from gateway.core.tenants import Endpoint, TenantStatus
from gateway.web.server import Address, listening
from plugin_bridge.bridge import SUSPENDED_WAIT_S, Bridge
from plugin_bridge.opening import open_transport

NEW, OLD, OTHER = (f"whsec_{text * 8}" for text in ("MTIz", "NDU2", "Nzg5"))

DELIVERY = Delivery(
    id=DeliveryId("dlv_0a"),
    tenant=TenantId("acme"),
    direction=Direction.INBOUND,
    conversation=ConversationId("slack:T0AAAA:C0AAAA"),
    payload='{"id":"Ev1","text":"gr\u00fc\u00df dich"}'.encode(),
    attempt=2,
    uncertain=False,
    accepted_at_ms=0,
    entry="1-0",
)


@dataclass
class Container:
    """A tenant's container: keeps what it got, answers what it is told to."""

    url: str = ""
    answer: web.Response | None = None
    hangs: bool = False
    requests: list[tuple[bytes, Mapping[str, str]]] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self, request: web.Request) -> web.Response:
        self.requests.append((await request.read(), dict(request.headers)))
        if self.hangs:
            await self.released.wait()
        return self.answer or web.Response(status=202)


@dataclass
class Answers:
    """Where inline answers go; says no, or breaks, when it is told to."""

    taken: list[tuple[str, list[str]]] = field(default_factory=list)
    refusal: str | None = None
    fault: Exception | None = None

    async def __call__(self, delivery: Delivery, texts: Sequence[str]) -> str | None:
        if self.fault is not None:
            raise self.fault
        self.taken.append((delivery.id, list(texts)))
        return self.refusal


@pytest.fixture
async def container() -> AsyncIterator[Container]:
    """A listening container."""
    made = Container()
    app = web.Application()
    app.router.add_post("/events", made.receive)
    async with listening(app, Address("127.0.0.1", 0, "test")) as port:
        made.url = f"http://127.0.0.1:{port}/events"
        yield made
        made.released.set()


@pytest.fixture
def answers() -> Answers:
    """Takes inline answers."""
    return Answers()


@pytest.fixture
async def bridge(answers: Answers) -> AsyncIterator[Bridge]:
    """A bridge whose sealed secrets are the secrets behind a prefix."""
    async with open_transport(per_host=4) as transport:
        yield Bridge(transport, lambda sealed: sealed.removeprefix("sealed "), answers)


def _endpoint(
    url: str,
    *secrets: str,
    status: TenantStatus = TenantStatus.ACTIVE,
    timeout_s: float = 5.0,
) -> Endpoint:
    return Endpoint(
        tenant=TenantId("acme"),
        status=status,
        url=url,
        sealed_secrets=tuple(f"sealed {secret}" for secret in secrets or (NEW,)),
        timeout_s=timeout_s,
    )


async def _inline(bridge: Bridge, container: Container, body: bytes) -> Outcome:
    container.answer = web.Response(status=200, body=body)
    return await bridge.attempt(DELIVERY, _endpoint(container.url))


async def test_the_body_carries_a_reply_token_made_for_this_attempt(
    answers: Answers, container: Container
) -> None:
    """Not at the commit: what waited for hours must still be answered."""
    asked: list[tuple[str, str, object]] = []

    def reply_token(tenant: TenantId, conversation: ConversationId, now: datetime) -> str:
        asked.append((tenant, conversation, now.tzinfo))
        return f"cgr_{len(asked)}"

    async with open_transport(per_host=4) as transport:
        bridge = Bridge(
            transport, lambda sealed: sealed.removeprefix("sealed "), answers, reply_token
        )
        for _ in range(2):
            await bridge.attempt(DELIVERY, _endpoint(container.url))

    tokens = [json.loads(body)["reply_token"] for body, _ in container.requests]
    assert ["cgr_1", "cgr_2"] == tokens
    assert [(DELIVERY.tenant, DELIVERY.conversation, UTC)] * 2 == asked


async def test_the_body_carries_its_attempt_and_the_header_its_id(
    bridge: Bridge, container: Container
) -> None:
    """The id is the agent's idempotency key; the attempt is a separate number (law 5)."""
    outcome = await bridge.attempt(DELIVERY, _endpoint(container.url))

    body, headers = container.requests[0]
    assert Delivered(receipt="202") == outcome
    assert {"id": "Ev1", "text": "gr\u00fc\u00df dich", "attempt": 2} == json.loads(body)
    assert "dlv_0a" == headers["webhook-id"]
    assert "application/json" == headers["Content-Type"]
    assert "channel-gateway/1" == headers["User-Agent"]


@pytest.mark.parametrize("secret", [NEW, OLD])
async def test_either_secret_of_a_rotation_verifies(
    bridge: Bridge, container: Container, secret: str
) -> None:
    """By the library that agents use: https://www.standardwebhooks.com/"""
    await bridge.attempt(DELIVERY, _endpoint(container.url, NEW, OLD))

    body, headers = container.requests[0]
    verified = Webhook(secret).verify(body, dict(headers))

    assert json.loads(body) == verified
    assert 2 == len(headers["webhook-signature"].split())


async def test_another_secret_does_not_verify(bridge: Bridge, container: Container) -> None:
    """Nor does the right one for a changed body."""
    await bridge.attempt(DELIVERY, _endpoint(container.url, NEW, OLD))

    body, headers = container.requests[0]
    for secret, received in ((OTHER, body), (NEW, body + b" ")):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(received, dict(headers))


async def test_a_tenant_without_an_endpoint_is_permanent(bridge: Bridge) -> None:
    """Nothing to try again; an operator sees it in the dead letters."""
    outcome = await bridge.attempt(DELIVERY, None)

    expected = Permanent(reason=Reason.ENDPOINT_MISSING, detail="the tenant has no endpoint")
    assert expected == outcome


async def test_a_suspended_tenant_is_not_asked(bridge: Bridge, container: Container) -> None:
    """Its deliveries wait without losing an attempt."""
    suspended = _endpoint(container.url, status=TenantStatus.SUSPENDED)

    outcome = await bridge.attempt(DELIVERY, suspended)

    assert Deferred(reason=Reason.TENANT_SUSPENDED, after_s=SUSPENDED_WAIT_S) == outcome
    assert [] == container.requests


async def test_a_busy_container_says_when(bridge: Bridge, container: Container) -> None:
    """Its Retry-After reaches the retry policy."""
    container.answer = web.Response(status=429, headers={"Retry-After": "12"})

    outcome = await bridge.attempt(DELIVERY, _endpoint(container.url))

    assert Retryable(reason=Reason.AGENT_BUSY, detail="HTTP 429", after_s=12.0) == outcome


async def test_a_container_of_an_older_protocol_is_named_and_waited_for(
    bridge: Bridge, container: Container
) -> None:
    """What its plugin answers to a version that it does not know; an update loses nothing."""
    container.answer = web.Response(status=501)

    outcome = await bridge.attempt(DELIVERY, _endpoint(container.url))

    detail = "HTTP 501: it does not know version 1 of the agent protocol"
    assert Retryable(reason=Reason.AGENT_ERROR, detail=detail) == outcome


async def test_a_container_that_is_gone_is_permanent(bridge: Bridge, container: Container) -> None:
    """410 is how a container says that it wants no more."""
    container.answer = web.Response(status=410)

    outcome = await bridge.attempt(DELIVERY, _endpoint(container.url))

    assert Permanent(reason=Reason.ENDPOINT_GONE, detail="HTTP 410") == outcome


async def test_a_container_that_is_down_certainly_has_nothing(
    bridge: Bridge, unused_tcp_port: int
) -> None:
    """Refused: retried, and nothing uncertain about it."""
    outcome = await bridge.attempt(DELIVERY, _endpoint(f"http://127.0.0.1:{unused_tcp_port}/"))

    assert isinstance(outcome, Retryable)
    assert (Reason.AGENT_UNREACHABLE, False) == (outcome.reason, outcome.uncertain)


async def test_a_container_that_hangs_may_have_it(bridge: Bridge, container: Container) -> None:
    """Timed out: retried under the same id, and marked as uncertain."""
    container.hangs = True

    outcome = await bridge.attempt(DELIVERY, _endpoint(container.url, timeout_s=0.1))

    expected = Retryable(reason=Reason.AGENT_TIMEOUT, detail="no answer in 0.1 s", uncertain=True)
    assert expected == outcome


async def test_inline_answers_are_queued_in_order(
    bridge: Bridge, container: Container, answers: Answers
) -> None:
    """For the conversation of the delivery; the agent names none."""
    body = b'{"replies":[{"text":"one"},{"text":"two"}]}'

    assert Delivered(receipt="200") == await _inline(bridge, container, body)
    assert [("dlv_0a", ["one", "two"])] == answers.taken


@pytest.mark.parametrize("body", [b"", b"{}", b'{"replies":[]}'])
async def test_an_agent_that_says_nothing_is_content(
    bridge: Bridge, container: Container, answers: Answers, body: bytes
) -> None:
    """A 200 without answers is a 202."""
    assert Delivered(receipt="200") == await _inline(bridge, container, body)
    assert [] == answers.taken


async def test_answers_are_read_from_a_200_only(
    bridge: Bridge, container: Container, answers: Answers
) -> None:
    """A 202 promises answers for later, whatever its body says."""
    container.answer = web.Response(status=202, body=b'{"replies":[{"text":"one"}]}')

    assert Delivered(receipt="202") == await bridge.attempt(DELIVERY, _endpoint(container.url))
    assert [] == answers.taken


@pytest.mark.parametrize(
    "body", [b"OK", b'{"replies":[{"text":1}]}', b'{"x":' + b"[" * 200_000, b"\xff"]
)
async def test_a_malformed_answer_is_delivered_all_the_same(
    bridge: Bridge, container: Container, answers: Answers, body: bytes
) -> None:
    """The agent has the message: a second delivery would only repeat its work."""
    outcome = await _inline(bridge, container, body)

    assert isinstance(outcome, Delivered)
    assert outcome.receipt.startswith("200; answer unreadable: ")
    assert [] == answers.taken


async def test_a_refused_answer_is_on_record(
    bridge: Bridge, container: Container, answers: Answers
) -> None:
    """The conversation may have changed hands meanwhile: delivered, and said why nobody heard."""
    answers.refusal = "answer 1: unknown_conversation"

    outcome = await _inline(bridge, container, b'{"replies":[{"text":"one"}]}')

    assert Delivered(receipt="200; answers refused: answer 1: unknown_conversation") == outcome


@pytest.mark.parametrize("fault", [StoreError("Redis: away"), QueueFullError("the queue is full")])
async def test_an_answer_that_cannot_be_stored_is_asked_for_again(
    bridge: Bridge, container: Container, answers: Answers, fault: Exception
) -> None:
    """Settled as delivered, it would be lost; the id makes the agent answer the same again."""
    answers.fault = fault

    outcome = await _inline(bridge, container, b'{"replies":[{"text":"one"}]}')

    assert isinstance(outcome, Retryable)
    assert (Reason.GATEWAY_FAULT, True) == (outcome.reason, outcome.uncertain)


async def test_a_secret_that_does_not_open_is_a_fault_of_the_store(container: Container) -> None:
    """Nothing is posted unsigned."""

    def broken(_sealed: str) -> str:
        raise StoreError("a stored secret opens with none of GATEWAY_SEALING_KEYS")

    async with open_transport(per_host=1) as transport:
        with pytest.raises(StoreError):
            await Bridge(transport, broken, Answers()).attempt(DELIVERY, _endpoint(container.url))
    assert [] == container.requests
