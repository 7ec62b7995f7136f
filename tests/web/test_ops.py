"""What orchestrators and Prometheus ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest

from gateway.core.errors import ConfigError
from gateway.telemetry.metrics import Metrics
from gateway.web.ops import Ops
from gateway.web.server import Address, listening


@dataclass
class Operated:
    """A listener whose health the test decides."""

    health: dict[str, str | None] = field(default_factory=lambda: {"redis": None, "slack": None})
    metrics: Metrics = field(default_factory=Metrics)
    url: str = ""


@pytest.fixture
async def ops() -> AsyncIterator[Operated]:
    """All is well."""
    operated = Operated()
    app = Ops(lambda: operated.health, operated.metrics.scrape).application()
    async with listening(app, Address("127.0.0.1", 0, "test")) as port:
        operated.url = f"http://127.0.0.1:{port}"
        yield operated


async def test_alive_is_not_ready(ops: Operated) -> None:
    """A restart does not mend a store: /healthz stays green while /readyz is red."""
    ops.health = {"redis": "Redis: ConnectionError"}

    async with aiohttp.ClientSession() as session:
        async with session.get(f"{ops.url}/healthz") as alive:
            assert (200, {"ok": True}) == (alive.status, await alive.json())
        async with session.get(f"{ops.url}/readyz") as ready:
            assert 503 == ready.status


async def test_ready_when_nothing_is_wrong(ops: Operated) -> None:
    """An empty list of troubles."""
    async with aiohttp.ClientSession() as session, session.get(f"{ops.url}/readyz") as answer:
        assert (200, {"ready": True, "not_ready": {}}) == (answer.status, await answer.json())


async def test_not_ready_names_each_part_and_its_trouble(ops: Operated) -> None:
    """Those that are well are not mentioned."""
    ops.health = {"redis": "Redis: refused", "postgres": None, "slack": "no socket is open"}

    async with aiohttp.ClientSession() as session, session.get(f"{ops.url}/readyz") as answer:
        expected = {"redis": "Redis: refused", "slack": "no socket is open"}
        assert (503, {"ready": False, "not_ready": expected}) == (
            answer.status,
            await answer.json(),
        )


async def test_metrics_are_for_prometheus(ops: Operated) -> None:
    """The text format with its content type."""
    ops.metrics.isolation_violations.inc()

    async with aiohttp.ClientSession() as session, session.get(f"{ops.url}/metrics") as answer:
        text = await answer.text()
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert "gateway_isolation_violations_total 1.0" in text.splitlines()
    assert [] == [line for line in text.splitlines() if line.startswith("python_")]


async def test_the_operators_listener_takes_no_messages(ops: Operated) -> None:
    """Nothing else is there."""
    url = f"{ops.url}/v1/messages"
    async with aiohttp.ClientSession() as session, session.post(url, data=b"{}") as answer:
        assert 404 == answer.status


async def test_a_port_in_use_is_a_setting_that_does_not_work(ops: Operated) -> None:
    """The message names the setting to change."""
    port = int(ops.url.rpartition(":")[2])
    app = Ops(dict, Metrics().scrape).application()

    with pytest.raises(
        ConfigError, match=rf"GATEWAY_OPS_PORT: cannot listen on 127\.0\.0\.1:{port}"
    ):
        async with listening(app, Address("127.0.0.1", port, "GATEWAY_OPS_PORT")):
            pytest.fail("it must not listen")
