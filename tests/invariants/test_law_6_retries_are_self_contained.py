"""Law 6: a retry never re-reads another store to know what to send."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.core.deliveries import Delivered, Retryable
from gateway.core.ids import Platform, WorkspaceId
from gateway.egress.requests import Content, Submission, Submitted
from gateway.sandbox.agent import Answer
from tests.support.passage import Passage, event, open_agents, open_passage
from tests.support.queues import ACME, Queues


@pytest.fixture
async def passage(clean_redis: str) -> AsyncIterator[Passage]:
    """A way without any tenant yet, and without PostgreSQL altogether."""
    async with open_passage(clean_redis) as opened:
        yield opened


async def test_a_retry_sends_the_same_body_though_the_binding_is_gone(passage: Passage) -> None:
    """What was decided at the commit is what is sent, whatever has changed since."""
    async with open_agents(ACME) as agents:
        agent = agents[ACME]
        agent.fail_next(Answer(500))
        await passage.admit(ACME, "T0ACME", agent.url)
        await passage.ingress.accept(event("T0ACME", "hello"))
        [(_, first)] = await passage.deliver()
        await passage.lookup.remove_binding(Platform.SLACK, WorkspaceId("T0ACME"))
        await Queues(passage.client).due_now()
        [(_, second)] = await passage.deliver()

    assert (Retryable, Delivered) == (type(first), type(second))
    one, two = (delivery.body for delivery in agent.deliveries)
    assert (1, 2) == (one.pop("attempt"), two.pop("attempt"))
    assert one == two


async def test_a_queued_answer_holds_all_that_its_post_will_need(passage: Passage) -> None:
    """Text, place and name are in the queue itself: what the agent wrote is rendered once."""
    await passage.admit(ACME, "T0ACME", "http://127.0.0.1:1/")
    result = await passage.submit(
        Submission(
            tenant=ACME,
            conversation="slack:T0ACME:C0GENERAL:1.5",
            content=Content(markdown="**bold**"),
            idempotency_key="key",
        )
    )
    assert isinstance(result, Submitted)
    await passage.lookup.remove_binding(Platform.SLACK, WorkspaceId("T0ACME"))

    [(tenant, message)] = await passage.posted()
    assert (ACME, result.id, "**bold**", "slack:T0ACME:C0GENERAL:1.5") == (
        tenant,
        message.id,
        message.text,
        message.conversation.id,
    )
