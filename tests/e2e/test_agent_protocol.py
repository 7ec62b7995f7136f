"""docs/agent-protocol.md is true: its examples and its agent run, and no request breaks the API."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from gateway.core.ids import TenantId, WorkspaceId
from gateway.demo.world import Company, World, open_world
from gateway.sandbox.slack import Message
from tests.support.examples import code_of, examples_of
from tests.support.waiting import eventually
from tests.support.worlds import PATIENT, QUICK

pytestmark = pytest.mark.e2e

PROTOCOL = "agent-protocol.md"
ACME, TEAM, CHANNEL = TenantId("acme"), WorkspaceId("T0123ABCD"), "C0123ABCD"
USER, ROOT = "U0123ABCD", "1700000000.000100"


@pytest.fixture
async def world(clean_redis: str, fresh_database: str) -> AsyncIterator[World]:
    """The world that the document speaks of, with its gateway."""
    company = Company(tenant=ACME, team=TEAM, name="Acme", retry=QUICK, reply=lambda _: None)
    async with open_world(clean_redis, fresh_database, [company], rules=PATIENT) as opened:
        opened.slack.say(TEAM, CHANNEL, USER, "What do you have today?", ts=ROOT)
        await opened.start_gateway()
        yield opened


def posted(world: World) -> list[Message]:
    """What stands in the thread of the document, of the bot's."""
    return [each for each in world.slack.bot_messages(TEAM, CHANNEL) if each.thread_ts == ROOT]


async def test_the_examples_of_the_document_run(world: World) -> None:
    """Each in its turn, with the ids that the gateway gave for those that are printed."""
    ids: dict[str, str] = {}

    def real(text: str) -> str:
        return re.sub("|".join(map(re.escape, ids)), lambda m: ids[m[0]], text) if ids else text

    examples = examples_of(PROTOCOL)
    assert len(examples) > 10
    base = world.gateway.agent_api
    headers = {"Authorization": f"Bearer {world.keys[ACME]}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(base) as session:
        for example in examples:

            async def ask(example: Any = example) -> dict[str, Any] | None:
                async with session.request(
                    example.verb,
                    real(example.path),
                    data=real(example.body).encode() or None,
                    headers={**headers, **example.headers},
                ) as response:
                    answer: dict[str, Any] = await response.json()
                    assert example.status == response.status, f"{example}: {answer}"
                    if answer.get("status") == "queued" != example.answer.get("status"):
                        return None
                    return answer

            answer = await eventually(ask, timeout_s=10)
            assert answer is not None
            assert set(example.answer) == set(answer), str(example)
            if "id" in example.answer:
                ids.setdefault(example.answer["id"], answer["id"])

    async def all_is_said() -> bool:
        texts = [each.text for each in posted(world)]
        return any("pump" in each for each in texts) and any("Here it is" in e for e in texts)

    assert await eventually(all_is_said, timeout_s=15)


async def test_the_agent_of_the_document_answers(world: World, tmp_path: Path) -> None:
    """As it is printed, as a process of its own."""
    script = tmp_path / "agent.py"
    script.write_text(code_of(PROTOCOL, "python"))
    assert len([line for line in script.read_text().splitlines() if line.strip()]) <= 20
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    secrets = await _move_endpoint(world, f"http://127.0.0.1:{port}/events")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(script),
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "PORT": str(port),
            "SIGNING_SECRETS": secrets,
            "AGENT_KEY": world.keys[ACME],
            "GATEWAY_URL": world.gateway.agent_api,
        },
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        world.slack.say(TEAM, "D0ANNA", USER, "good *morning*")
        [answer] = await world.slack.wait_for_bot_messages(TEAM, "D0ANNA", 1, timeout_s=20)
    finally:
        process.terminate()
        await process.wait()

    assert "You said: good *morning*" == answer.text


async def _move_endpoint(world: World, url: str) -> str:
    """Let the tenant's deliveries go there; returns the secrets that sign them."""
    provisioning = world.stores.provisioning
    await provisioning.edit_tenant(
        ACME, lambda spec: msgspec.structs.replace(spec, endpoint_url=url)
    )
    return await provisioning.rotate_signing_secret(ACME, timedelta(0))


@pytest.mark.timeout(300)
async def test_no_request_breaks_the_api(world: World, tmp_path: Path) -> None:
    """Thousands of them, made from /openapi.json: no 5xx, no status that it does not name."""
    checks = (
        "not_a_server_error,status_code_conformance,content_type_conformance,"
        "response_headers_conformance,response_schema_conformance,negative_data_rejection,"
        "unsupported_method,ignored_auth,missing_required_header"
    )
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "schemathesis"),
        "run",
        f"{world.gateway.agent_api}/openapi.json",
        *("-H", f"Authorization: Bearer {world.keys[ACME]}"),
        *("--checks", checks, "--max-examples", "15", "--seed", "1", "--no-color"),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()

    assert 0 == process.returncode, said.decode()[-5000:]
