"""OpenClaw's stand-in keeps to OpenClaw's documents: what is off, who is let in, whose session.

https://docs.openclaw.ai/gateway/openai-http-api
https://docs.openclaw.ai/gateway/openresponses-http-api
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from gateway.sandbox.openclaw import CHAT, RESPONSES, OpenClawSandbox
from gateway.sandbox.openclaw_bodies import Fail

TOKEN = "gateway-token"
BOTH = pytest.mark.parametrize("path", [RESPONSES, CHAT])


@pytest.fixture
async def openclaw() -> AsyncIterator[OpenClawSandbox]:
    """A container with both surfaces on and two agents."""
    async with OpenClawSandbox(token=TOKEN, agents=("main", "sales")) as started:
        yield started


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A client that is let in."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as opened:
        yield opened


def body(path: str, text: str = "hi", model: str = "openclaw") -> dict[str, Any]:
    """The documents' own example."""
    if path == RESPONSES:
        return {"model": model, "input": text}
    return {"model": model, "messages": [{"role": "user", "content": text}]}


async def asked(
    session: aiohttp.ClientSession, url: str, json: object, **headers: str
) -> tuple[int, Any]:
    """Status and body of an answer."""
    async with session.post(url, json=json, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


@BOTH
async def test_an_answer_has_the_shape_of_its_surface(
    openclaw: OpenClawSandbox, session: aiohttp.ClientSession, path: str
) -> None:
    """Items in one, choices in the other."""
    status, answer = await asked(session, f"{openclaw.url}{path}", body(path))

    assert 200 == status
    if path == RESPONSES:
        [item] = answer["output"]
        assert ("response", "completed") == (answer["object"], answer["status"])
        assert [{"type": "output_text", "text": "**main** heard: hi"}] == item["content"]
    else:
        assert "chat.completion" == answer["object"]
        assert "**main** heard: hi" == answer["choices"][0]["message"]["content"]


@BOTH
async def test_what_is_off_is_not_there(
    openclaw: OpenClawSandbox, session: aiohttp.ClientSession, path: str
) -> None:
    """Off is how it comes."""
    openclaw.surfaces = set()

    async with session.post(f"{openclaw.url}{path}", json=body(path)) as answer:
        assert 404 == answer.status
    async with session.get(f"{openclaw.url}/v1/models") as models:
        assert 404 == models.status


@BOTH
async def test_nobody_is_let_in_without_the_token(
    openclaw: OpenClawSandbox, session: aiohttp.ClientSession, path: str
) -> None:
    """Nothing is run for them."""
    status, answer = await asked(
        session, f"{openclaw.url}{path}", body(path), Authorization="Bearer another"
    )

    assert (401, "unauthorized") == (status, answer["error"]["type"])
    assert [] == openclaw.turns


@BOTH
@pytest.mark.parametrize(
    ("model", "agent"),
    [
        ("openclaw", "main"),
        ("openclaw/default", "main"),
        ("openclaw/sales", "sales"),
        ("openclaw/nobody", None),
        ("gpt-5", None),
    ],
)
async def test_an_agent_is_chosen_by_the_model(
    openclaw: OpenClawSandbox,
    session: aiohttp.ClientSession,
    path: str,
    model: str,
    agent: str | None,
) -> None:
    """One that is not there is an invalid request."""
    status, answer = await asked(session, f"{openclaw.url}{path}", body(path, model=model))

    if agent is None:
        assert (400, "invalid_request_error") == (status, answer["error"]["type"])
    assert [agent] * (agent is not None) == [turn.agent for turn in openclaw.turns]


@BOTH
async def test_sessions_are_told_apart_by_their_key(
    openclaw: OpenClawSandbox, session: aiohttp.ClientSession, path: str
) -> None:
    """In lower case; without a key each request has its own; reserved ones are refused."""
    url = f"{openclaw.url}{path}"
    for key in ("agent:main:A", "agent:main:a", "", ""):
        await asked(session, url, body(path), **{"x-openclaw-session-key": key})
    status, _ = await asked(session, url, body(path), **{"x-openclaw-session-key": "cron:x"})

    sessions = [turn.session for turn in openclaw.turns]
    assert (400, sessions[0]) == (status, sessions[1])
    assert 3 == len(set(sessions))


@BOTH
@pytest.mark.parametrize("broken", [{}, {"model": "openclaw"}, {"model": 1, "input": "x"}])
async def test_a_request_without_a_message_is_refused(
    openclaw: OpenClawSandbox, session: aiohttp.ClientSession, path: str, broken: object
) -> None:
    """Before anything runs."""
    status, answer = await asked(session, f"{openclaw.url}{path}", broken)
    blank, _ = await asked(session, f"{openclaw.url}{path}", body(path, ""))

    assert (400, 400, "invalid_request_error") == (status, blank, answer["error"]["type"])
    assert [] == openclaw.turns


async def test_a_run_that_failed_reads_differently_on_each_surface(
    openclaw: OpenClawSandbox, session: aiohttp.ClientSession
) -> None:
    """A response that failed; an error alone."""
    openclaw.fail_next(Fail(429, "rate_limit_error"), times=2)

    responses = await asked(session, f"{openclaw.url}{RESPONSES}", body(RESPONSES))
    chat = await asked(session, f"{openclaw.url}{CHAT}", body(CHAT))

    assert (429, "failed") == (responses[0], responses[1]["status"])
    assert (429, "rate_limit_error") == (chat[0], chat[1]["error"]["type"])
    assert 2 == len(openclaw.turns)
