"""The stand-in for a tenant's agent against the agent protocol, version 1."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook

from gateway.sandbox.agent import AgentSandbox, Answer, Hang, Reset
from gateway.sandbox.wire import LoopbackServer

OLD, NEW = (f"whsec_{base64.b64encode(word * 8).decode()}" for word in (b"old!", b"new!"))


class Inbox:
    """The gateway's side of POST /v1/messages: keeps what comes, answers as told."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.statuses: list[int] = []
        self.url = ""

    async def receive(self, request: web.Request) -> web.Response:
        """Take one message."""
        headers = {name: request.headers.get(name) for name in ("Authorization", "Idempotency-Key")}
        self.calls.append(headers | {"body": await request.json()})
        return web.Response(status=self.statuses.pop(0) if self.statuses else 202)


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    """A server that takes messages."""
    served = Inbox()
    app = web.Application()
    app.router.add_post("/v1/messages", served.receive)
    server = LoopbackServer(app)
    served.url = f"http://127.0.0.1:{await server.start('127.0.0.1', 0)}"
    yield served
    await server.close()


@pytest.fixture
async def agent(inbox: Inbox) -> AsyncIterator[AgentSandbox]:
    """An agent in the async mode, with two secrets valid."""
    sandbox = AgentSandbox(secrets=[OLD, NEW], api_key="key-a", retry_delays_s=(0.01, 0.01))
    async with sandbox:
        sandbox.gateway_url = inbox.url
        yield sandbox


async def deliver(
    session: aiohttp.ClientSession, agent: AgentSandbox, delivery_id: str, *, secret: str = OLD
) -> tuple[int, bytes]:
    """One signed delivery; returns status and body of the answer."""
    body = orjson.dumps(
        {
            "version": 1,
            "type": "message.created",
            "id": delivery_id,
            "tenant": "acme",
            "agent": "main",
            "conversation": {"id": "cnv_1", "platform": "slack"},
            "text": "hi",
            "attempt": 1,
        }
    ).decode()
    now = datetime.now(UTC)
    headers = {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(delivery_id, now, body),
        "content-type": "application/json",
    }
    async with session.post(agent.url, data=body, headers=headers) as response:
        return response.status, await response.read()


async def test_a_delivery_is_accepted_and_answered_through_the_gateway(
    agent: AgentSandbox, inbox: Inbox, session: aiohttp.ClientSession
) -> None:
    """202, then POST /v1/messages with the tenant's key and a key of its own."""
    assert await deliver(session, agent, "dlv_1") == (202, b"")
    await agent.wait_for_replies(1, 5)
    assert inbox.calls == [
        {
            "Authorization": "Bearer key-a",
            "Idempotency-Key": "dlv_1-reply",
            "body": {"conversation": "cnv_1", "text": "**acme**: you said: hi"},
        }
    ]
    assert agent.reply_statuses == [202]
    assert [delivery.delivery_id for delivery in await agent.wait_for(1, 5)] == ["dlv_1"]


async def test_every_valid_secret_is_accepted_and_no_other(
    agent: AgentSandbox, session: aiohttp.ClientSession
) -> None:
    """During a rotation two secrets sign; anything else is 401 and no delivery."""
    wrong = f"whsec_{base64.b64encode(b'wrong!' * 4).decode()}"
    assert (await deliver(session, agent, "dlv_1", secret=NEW))[0] == 202
    assert (await deliver(session, agent, "dlv_2", secret=wrong))[0] == 401
    headers = {"webhook-id": "x", "webhook-timestamp": "soon", "webhook-signature": "nonsense"}
    for sent in (
        {},
        headers,
        headers | {"webhook-timestamp": str(int(datetime.now(UTC).timestamp()))},
    ):
        async with session.post(agent.url, data=b"{}", headers=sent) as response:
            assert response.status == 401
    assert (len(agent.deliveries), agent.rejected) == (1, 4)


async def test_a_repeated_delivery_is_not_answered_twice(
    agent: AgentSandbox, inbox: Inbox, session: aiohttp.ClientSession
) -> None:
    """The delivery id is the agent's idempotency key."""
    assert [(await deliver(session, agent, "dlv_1"))[0] for _ in range(2)] == [202, 202]
    await deliver(session, agent, "dlv_2")
    await agent.wait_for_replies(2, 5)
    assert {"dlv_1-reply", "dlv_2-reply"} == {call["Idempotency-Key"] for call in inbox.calls}
    assert (len(inbox.calls), agent.duplicates, len(agent.deliveries)) == (2, 1, 3)


async def test_an_inline_agent_answers_in_the_response(session: aiohttp.ClientSession) -> None:
    """200 with the replies; None says nothing."""
    replies = iter(["one", None])
    agent = AgentSandbox(
        secrets=[OLD], api_key="key-a", mode="inline", reply=lambda _body: next(replies)
    )
    async with agent:
        status, body = await deliver(session, agent, "dlv_1")
        assert (status, orjson.loads(body)) == (200, {"replies": [{"text": "one"}]})
        assert orjson.loads((await deliver(session, agent, "dlv_2"))[1]) == {"replies": []}


async def test_a_refused_reply_is_tried_again_under_the_same_key(
    agent: AgentSandbox, inbox: Inbox, session: aiohttp.ClientSession
) -> None:
    """5xx is tried again, within bounds; 4xx is not."""
    inbox.statuses = [503, 202, 404]
    await deliver(session, agent, "dlv_1")
    await agent.wait_for_replies(1, 5)
    await deliver(session, agent, "dlv_2")
    await agent.wait_for_replies(2, 5)
    assert [call["Idempotency-Key"] for call in inbox.calls] == [
        "dlv_1-reply",
        "dlv_1-reply",
        "dlv_2-reply",
    ]
    assert agent.reply_statuses == [202, 404]


async def test_a_gateway_that_is_away_is_given_up_in_the_end(agent: AgentSandbox) -> None:
    """The tries are bounded, and the ledger shows the failure."""
    agent.gateway_url = "http://127.0.0.1:1"
    reply = await agent.send("cnv_other", "hello", idempotency_key="own-1")
    assert (reply.idempotency_key, reply.status) == ("own-1", None)
    assert agent.reply_statuses == [None]


async def test_faults_are_shown_to_the_gateway_and_then_end(
    agent: AgentSandbox, session: aiohttp.ClientSession
) -> None:
    """A status with Retry-After, a reset without and with the delivery taken, a hang."""
    agent.fail_next(Answer(503, retry_after_s=9))
    agent.fail_next(Reset())
    agent.fail_next(Reset(after_accepting=True))
    agent.fail_next(Hang(0.01))
    assert (await deliver(session, agent, "dlv_1"))[0] == 503
    for delivery_id in ("dlv_1", "dlv_2"):
        with pytest.raises(aiohttp.ClientConnectionError):
            await deliver(session, agent, delivery_id)
    assert frozenset({"dlv_2"}) == agent.accepted_ids
    assert [(await deliver(session, agent, name))[0] for name in ("dlv_1", "dlv_2")] == [202, 202]
    assert agent.duplicates == 1


async def test_a_repeat_is_answered_as_the_first_was(
    agent: AgentSandbox, session: aiohttp.ClientSession
) -> None:
    """Its inline answers, too: the connection may have been lost with them."""
    agent.mode = "inline"
    first = await deliver(session, agent, "dlv_1")
    assert b"replies" in first[1]
    assert first == await deliver(session, agent, "dlv_1")
    assert 1 == agent.duplicates


async def test_the_health_page_answers(agent: AgentSandbox, session: aiohttp.ClientSession) -> None:
    """GET /channel/health."""
    async with session.get(agent.url.replace("/events", "/health")) as response:
        assert await response.json() == {"ok": True, "protocol": 1}
