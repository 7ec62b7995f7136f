"""How a tenant does at this moment, in `tenant show`, and letting it go again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.core.audit import AuditAction
from gateway.core.breaker import BreakerPolicy, BreakerState, HealthReport, Sign
from gateway.store.breakers import BreakerStore
from gateway.store.deliveries import DeliveryStore, Settled
from gateway.store.keys import shard_of
from tests.cli.conftest import CommandLine
from tests.support.queues import ACME, DEAD, GLOBEX, Queues, open_queues

SHARDS = 4
ENDPOINT = "http://10.0.0.5:8080/channel/events"
NOON_MS = 1_736_942_400_000  # 2025-01-15T12:00:00Z


@dataclass(frozen=True)
class Desk:
    """The command line, and what the gateway would have written meanwhile."""

    cli: CommandLine
    queues: Queues

    @property
    def breakers(self) -> BreakerStore:
        """The breakers of all shards."""
        return BreakerStore(self.queues.client, SHARDS)

    async def state(self) -> Any:
        """ACME's state, as `tenant show` tells it."""
        return (await self.cli.done("tenant", "show", ACME, "--json")).json["state"]

    async def bury_one(self, sign: Sign) -> None:
        """Give a delivery of ACME's up, which says this of its endpoint."""
        store = DeliveryStore(self.queues.client, SHARDS, breaker=BreakerPolicy(least=1))
        lease = await self.queues.lease(shard=shard_of(ACME, SHARDS).number)
        await self.queues.accept(ACME, "c1", "d1")
        [delivery] = (await store.take(lease, 1)).deliveries
        settled = Settled(delivery=delivery, settlement=DEAD, audit=None, sign=sign)
        await store.settle(lease, [settled])
        await self.queues.leases().release(lease)

    async def closings(self) -> list[str]:
        """Why breakers of ACME's shard were closed, oldest first."""
        entries = await self.queues.audit(shard_of(ACME, SHARDS).number)
        records = [entry.record for entry in entries]
        return [each.detail for each in records if each.action is AuditAction.BREAKER_CLOSED]


@pytest.fixture
async def desk(cli: CommandLine) -> AsyncIterator[Desk]:
    """Two tenants, about whom nothing is known yet."""
    for tenant in (ACME, GLOBEX):
        await cli.done("tenant", "add", tenant, "--endpoint", ENDPOINT)
    async with open_queues(cli.env["REDIS_URL"], shards=SHARDS) as queues:
        yield Desk(cli, queues)


async def test_a_new_tenant_has_not_been_checked(desk: Desk) -> None:
    """Nobody claims that it is well."""
    expected = {
        "way": "plugin",
        "health": "not checked yet",
        "breaker": "closed",
        "dead letters": 0,
    }
    assert expected == await desk.state()


async def test_the_last_check_is_told(desk: Desk) -> None:
    """What was found, how long it took, and when."""
    for well, word in ((True, "well"), (False, "ill")):
        report = HealthReport(well=well, detail="HTTP 200", took_ms=12, checked_at_ms=NOON_MS)
        await desk.breakers.report(ACME, report)

        told = f"{word} (HTTP 200, 12 ms, checked 2025-01-15T12:00:00+00:00)"
        assert told == (await desk.state())["health"]
        assert told in (await desk.cli.done("tenant", "show", ACME)).out


@pytest.mark.parametrize("sign", [Sign.ILL, Sign.GONE])
async def test_a_breaker_and_dead_letters_are_told(desk: Desk, sign: Sign) -> None:
    """With the state it is in and since when; the neighbour's state is its own."""
    await desk.bury_one(sign)

    state = await desk.state()
    breaker = await desk.breakers.of(ACME)
    neighbour = (await desk.cli.done("tenant", "show", GLOBEX, "--json")).json["state"]

    assert breaker is not None
    assert {Sign.ILL: BreakerState.OPEN, Sign.GONE: BreakerState.GONE}[sign] is breaker.state
    assert state["breaker"].startswith(f"{breaker.state} since 20")
    assert (1, 0) == (state["dead letters"], neighbour["dead letters"])
    assert "closed" == neighbour["breaker"]


@pytest.mark.parametrize(
    "command",
    [("resume", ACME), ("set", ACME, "--endpoint", "http://10.0.0.6:8080/channel/events")],
)
async def test_an_operator_lets_a_disabled_endpoint_go(
    desk: Desk, command: tuple[str, ...]
) -> None:
    """By resuming the tenant or by another endpoint; on record with who did it."""
    await desk.bury_one(Sign.GONE)

    await desk.cli.done("tenant", *command)

    assert "closed" == (await desk.state())["breaker"]
    [closing] = await desk.closings()
    assert closing.startswith("by ")


async def test_another_change_lets_nothing_go(desk: Desk) -> None:
    """A new name says nothing about the endpoint; nor does a second resume leave a record."""
    await desk.bury_one(Sign.GONE)

    await desk.cli.done("tenant", "set", ACME, "--name", "Acme")
    assert [] == await desk.closings()
    await desk.cli.done("tenant", "resume", ACME)
    await desk.cli.done("tenant", "resume", ACME)
    assert 1 == len(await desk.closings())
