"""Redis dies, forgets, fills up, freezes, hangs up: the gateway lives, waits and goes on alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from gateway.demo.world import World, open_world
from gateway.sandbox.slack import Delivery
from gateway.store.connection import connect, run
from gateway.store.tenants import TenantLookup
from tests.e2e.faults.load import CHANNELS, SHORT, STUBBORN, TENANTS, Load, company, under_load
from tests.support.conservation import FLAWLESS, at_rest, verdict
from tests.support.evidence import metric, unarchived
from tests.support.link import open_link
from tests.support.own_servers import OwnServer
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e


@pytest.fixture
async def world(own_redis: OwnServer, fresh_database: str) -> AsyncIterator[World]:
    """Four tenants on a Redis that may be broken."""
    companies = [company(tenant) for tenant in TENANTS]
    async with open_world(own_redis.url, fresh_database, companies, rules=STUBBORN) as opened:
        yield opened


async def expect_recovery(world: World, load: Load) -> None:
    """The same process goes on, nothing is lost or doubled, and no event was acked in vain."""
    await at_rest(world)
    assert FLAWLESS == await verdict(world)
    assert [] == list(world.slack.given_up)
    assert load.everything_arrived()
    assert world.gateway.returncode is None


def sent_since(world: World, moment: datetime) -> list[Delivery]:
    """What Slack has sent since then."""
    return [each for each in world.slack.deliveries if each.at > moment]


async def sent_again_since(world: World, moment: datetime, *, least: int = 20) -> None:
    """Wait until so many events that nobody acknowledged have been sent once more."""
    await eventually(
        lambda: sum(each.retry_attempt > 0 for each in sent_since(world, moment)) >= least
    )


async def readiness(world: World) -> dict[str, str]:
    """What is missing, by /readyz."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{world.gateway.ops}/readyz") as answer,
    ):
        found: dict[str, str] = (await answer.json())["not_ready"]
    return found


async def test_a_restart_of_redis_costs_nothing(world: World, own_redis: OwnServer) -> None:
    """Killed under load and started on the same files: what was acknowledged is there."""
    await world.start_gateway(SHORT)

    async with under_load(world) as load:
        await load.progress()
        await own_redis.kill()
        died_at = datetime.now(UTC)
        await sent_again_since(world, died_at)
        acked = [each for each in sent_since(world, died_at) if each.acked]
        await own_redis.start()
        await load.progress()
    await expect_recovery(world, load)

    assert [] == acked


async def test_what_this_redis_may_lose_is_said_at_the_start(
    world: World, own_redis: OwnServer
) -> None:
    """Loudly, and before anything is accepted: nobody reads a manual after the loss."""
    async with connect(own_redis.url) as client:
        await run(client, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        await run(client, "CONFIG", "SET", "appendonly", "no")
    gateway = await world.start_gateway(SHORT)

    warnings = [entry for entry in gateway.logs if entry["event"] == "redis.weakness"]
    assert ["warning", "warning"] == [entry["level"] for entry in warnings]
    told = [str(entry["detail"]).partition(":")[0] for entry in warnings]
    assert ["maxmemory-policy is allkeys-lru", "appendonly is off"] == told


async def test_an_empty_redis_is_filled_again(world: World, own_redis: OwnServer) -> None:
    """Look-up keys come back from PostgreSQL; what was said meanwhile, from Slack."""
    await world.start_gateway(SHORT)
    before = Load(world)
    for tenant in TENANTS * 5:
        before.say(tenant, CHANNELS[0])
    await at_rest(world)
    await eventually(lambda: everything_archived(world))

    await own_redis.kill()
    own_redis.forget()
    died_at = datetime.now(UTC)
    async with under_load(world) as load:
        load.said.update(before.said)
        await sent_again_since(world, died_at)
        acked = [each for each in sent_since(world, died_at) if each.acked]
        await own_redis.start()
        await load.progress()
    await expect_recovery(world, load)

    assert [] == acked
    assert "registry.rebuilt" in {entry["event"] for entry in world.gateway.logs}
    lookup: TenantLookup = world.stores.lookup
    assert world.settings.shards == await lookup.filled_with_shards()


async def everything_archived(world: World) -> bool:
    """Whether Redis holds no audit record any more."""
    return not await unarchived(world.stores.redis, world.settings.shards)


async def test_a_full_redis_is_emptied_and_takes_nothing(world: World) -> None:
    """With noeviction: what is queued is delivered and settled, also by a gateway that comes to it
    only now; what comes is not acked.
    """
    await world.start_gateway(SHORT)

    async with under_load(world) as load:
        await load.progress()
        await run(world.stores.redis, "CONFIG", "SET", "maxmemory", 1)
        full_at = datetime.now(UTC)
        await sent_again_since(world, full_at)
        await world.gateway.kill()
        await world.start_gateway(SHORT)
        await eventually(lambda: is_missing(world, "redis"))
        await eventually(lambda: owns_everything(world), timeout_s=20)
        acked = [each for each in sent_since(world, full_at) if each.acked]
        await run(world.stores.redis, "CONFIG", "SET", "maxmemory", 0)
        await load.progress()
    await expect_recovery(world, load)

    assert [] == acked


async def owns_everything(world: World) -> bool:
    """Whether the gateway works on all shards, both ways."""
    owned = [
        await metric(world.gateway, "gateway_shards_owned", role=role)
        for role in ("bridge", "egress")
    ]
    return owned == [world.settings.shards] * 2


async def test_a_redis_that_stalls_is_waited_for(world: World, own_redis: OwnServer) -> None:
    """Longer than the client's patience: nobody knows what was done, and all of it comes right."""
    await world.start_gateway(SHORT)

    async with under_load(world) as load:
        await load.progress()
        own_redis.pause()
        stalled_at = datetime.now(UTC)
        await eventually(lambda: is_missing(world, "redis"), timeout_s=20)
        acked = [each for each in sent_since(world, stalled_at) if each.acked]
        own_redis.resume()
        await load.progress()
    await expect_recovery(world, load)

    assert [] == acked


async def is_missing(world: World, part: str) -> bool:
    """Whether the gateway says that this is what it lacks."""
    return part in await readiness(world)


async def test_connections_that_break_lose_nothing(
    world: World, own_redis: OwnServer, tmp_path: Path
) -> None:
    """Again and again, at once or after some answers were lost on the way."""
    async with open_link(tmp_path, own_redis.url) as link:
        await world.start_gateway({**SHORT, "REDIS_URL": link.url})
        async with under_load(world) as load:
            for lose_answers in (False, True, False, True):
                await load.progress()
                if lose_answers:
                    link.mute()
                    await load.more_said()
                link.cut()
                link.mend()
            await load.progress()
        await expect_recovery(world, load)
        assert 0 == await world.gateway.stop()
