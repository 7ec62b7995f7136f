"""How a container is spoken to, on the command line. A token never stands in arguments."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.core.ids import TenantId
from gateway.core.tenants import Fallback
from gateway.store.breakers import BreakerStore
from tests.cli.conftest import CommandLine
from tests.support.queues import Queues, open_queues

ENDPOINT = "http://acme-openclaw:18789/aegis/v1/events"
DIRECT = "http://acme-openclaw:18789"
TOKEN = "gateway-token-of-acme"
ADD = ("tenant", "add", "acme", "--endpoint", ENDPOINT)
NOON_MS = 1_736_942_400_000  # 2025-01-15T12:00:00Z


@pytest.fixture
async def queues(cli: CommandLine) -> AsyncIterator[Queues]:
    """What the gateway would have written meanwhile."""
    async with open_queues(cli.env["REDIS_URL"], shards=4) as opened:
        yield opened


async def test_every_option_is_stored_and_shown(cli: CommandLine) -> None:
    """But for the token, of which only is told that there is one."""
    options = ["--mode", "direct", "--direct-url", DIRECT, "--direct-surface", "chat"]
    options += ["--direct-agent", "front", "--direct-timeout", "300", "--direct-token-stdin"]
    await cli.done(*ADD, *options, stdin=f"{TOKEN}\n")

    shown = await cli.done("tenant", "show", "acme", "--json")
    assert (
        "direct",
        {"url": DIRECT, "surface": "chat", "agent": "front", "timeout_s": 300},
    ) == (shown.json["tenant"]["spec"]["mode"], shown.json["tenant"]["spec"]["direct"])
    assert ("direct", True) == (shown.json["state"]["way"], shown.json["direct_token"])
    seen = await cli.done("tenant", "show", "acme")
    assert f"{DIRECT} (chat, agent front, 300 s a turn)" in seen.out
    for answer in (shown, seen, await cli.done("tenant", "set", "acme", "--name", "A", "--json")):
        assert TOKEN not in answer.out
        assert "sealed" not in answer.out


async def test_set_changes_what_is_given_and_nothing_else(cli: CommandLine) -> None:
    """An empty URL forgets all of it, an empty agent leaves it to routing again."""
    await cli.done(*ADD, "--direct-url", DIRECT, "--direct-agent", "front")

    async def changed(*options: str) -> dict[str, object] | None:
        spec = (await cli.done("tenant", "set", "acme", *options, "--json")).json["spec"]
        found: dict[str, object] | None = spec["direct"]
        return found

    road = {"url": DIRECT, "surface": "responses", "agent": "front", "timeout_s": 120}
    assert road | {"timeout_s": 60} == await changed("--direct-timeout", "60")
    assert road | {"timeout_s": 60, "agent": None} == await changed("--direct-agent", "")
    assert await changed("--direct-url", "") is None


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--direct-timeout", "60"), 2, "--direct-url"),
        (("--mode", "direct"), 1, "direct.url: is needed"),
        (("--mode", "sideways"), 2, "--mode"),
        (("--direct-url", "acme-openclaw"), 1, "direct.url: "),
        (("--direct-token-stdin", "--direct-url", DIRECT), 2, "standard input is empty"),
    ],
)
async def test_what_cannot_be_is_refused_by_name(
    cli: CommandLine, options: tuple[str, ...], code: int, said: str
) -> None:
    """Usage as usage, settings as settings."""
    answer = await cli(*ADD, *options)

    assert code == answer.code
    assert said in answer.err
    assert [] == (await cli.done("tenant", "list", "--json")).json


async def test_a_tenant_without_its_plugin_is_shown_as_such(
    cli: CommandLine, queues: Queues
) -> None:
    """Since when and why; another mode ends it."""
    await cli.done(*ADD, "--direct-url", DIRECT)
    fallback = Fallback(since_ms=NOON_MS, why="no healthy plugin: HTTP 404")
    breakers = BreakerStore(queues.client, 4)
    assert await breakers.switch(TenantId("acme"), fallback, why=fallback.why)

    async def way() -> str:
        state = (await cli.done("tenant", "show", "acme", "--json")).json["state"]
        return str(state["way"])

    since = "direct since 2025-01-15T12:00:00+00:00: no healthy plugin: HTTP 404"
    assert since == await way()
    await cli.done("tenant", "set", "acme", "--name", "Acme")
    assert since == await way()
    await cli.done("tenant", "set", "acme", "--mode", "plugin")
    assert "plugin" == await way()
