"""A Redis that is full, demoted or without its replicas: nothing is told of that is not stored."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.core.deliveries import Receipt
from gateway.core.errors import StoreError
from gateway.core.ids import Platform, WorkspaceId
from gateway.core.tenants import Binding, Limits, Tenant
from gateway.store.connection import Client, Confirmation, connect, run
from gateway.store.durability import check_room, check_server
from gateway.store.keys import Pepper
from gateway.store.leases import Lease
from gateway.store.tenants import TenantLookup
from tests.support.link import open_link
from tests.support.own_servers import OwnServer, own_redis
from tests.support.queues import ACME, Queues, ids

__all__ = ["own_redis"]

pytestmark = pytest.mark.parametrize("any_redis_url", ["standalone"], indirect=True)

METERED = Limits(events_per_minute=1, event_burst=10)


@pytest.fixture
async def lookup(queues: Queues) -> TenantLookup:
    """The look-up keys of one tenant, complete."""
    made = TenantLookup(queues.client, Pepper(b"pepper"), 1)
    await made.put_binding(binding(1), b"sealed")
    await made.mark_filled()
    return made


def binding(epoch: int) -> Binding:
    """A binding of the only workspace."""
    return Binding(
        tenant=Tenant(id=ACME),
        platform=Platform.SLACK,
        workspace=WorkspaceId("T0ACME"),
        epoch=epoch,
    )


@pytest.fixture
async def full(queues: Queues) -> AsyncIterator[None]:
    """From `fill` on nothing more fits; there is room again when the test ends."""
    yield
    await room(queues.client)


async def fill(client: Client, *, left: int = 0) -> None:
    """Leave so many bytes of memory."""
    used = (await client.info("memory"))["used_memory"]
    await client.config_set("maxmemory", used + left if left else 1)


async def room(client: Client) -> None:
    """Give memory back."""
    await client.config_set("maxmemory", 0)


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize("key", ["new", "known"])
async def test_a_full_redis_takes_nothing_of_a_commit(
    queues: Queues, lease: Lease, key: str
) -> None:
    """Neither key nor quota nor record; when there is room again, it is as if nothing had been."""
    await queues.commit(ACME, "c1", "d1", keys=("known",), limits=METERED, metered=True)
    before = await queues.everything()
    await fill(queues.client)
    with pytest.raises(StoreError, match="used memory"):
        await queues.commit(ACME, "c1", "d2", keys=(key,), limits=METERED, metered=True)

    assert before == await queues.everything()
    await room(queues.client)
    committed = await queues.commit(ACME, "c1", "d2", keys=(key,), limits=METERED, metered=True)
    expected = Receipt.ACCEPTED if key == "new" else Receipt.DUPLICATE
    assert expected is committed.receipt
    assert ["d1"] == ids(await queues.store.take(lease, 10))


@pytest.mark.usefixtures("full")
async def test_a_commit_is_stored_whole_or_not_at_all_however_little_memory_is_left(
    queues: Queues,
) -> None:
    """Redis looks at its memory before the first write of a script, and never between two."""
    names = [f"{number}-{'x' * 10_000}" for number in range(20)]
    seen: set[int] = set()
    for left in range(50_000, 1_000_000, 50_000):
        await fill(queues.client, left=left)
        try:
            await queues.accept(ACME, "c1", *names)
        except StoreError:
            expected = 0
        else:
            expected = len(names)
        await room(queues.client)
        assert expected == await queues.client.xlen("{s0}:t:acme:in")
        assert expected == await queues.client.llen("{s0}:t:acme:in:lane:c1")
        assert min(expected, 1) == len(await queues.audit())
        seen.add(expected)
        await queues.client.flushall()

    assert {0, len(names)} == seen


@pytest.mark.usefixtures("full")
async def test_a_full_redis_still_knows_whose_a_workspace_is(
    queues: Queues, lookup: TenantLookup
) -> None:
    """A binding is written whole or stays what it was: half of it would be nobody's."""
    await fill(queues.client)
    await lookup.put_binding(binding(2), b"newer")

    found = await lookup.bound_workspace(Platform.SLACK, WorkspaceId("T0ACME"))
    assert found is not None
    assert (2, b"newer") == (found.binding.epoch, found.sealed_credential)


@pytest.mark.usefixtures("full")
async def test_that_it_is_full_is_told(queues: Queues) -> None:
    """Before anybody wonders why nothing is acknowledged."""
    await check_room(queues.client)
    await fill(queues.client)
    with pytest.raises(StoreError, match="Redis is full"):
        await check_room(queues.client)


async def test_a_demoted_server_takes_nothing_and_still_tells(
    queues: Queues, lookup: TenantLookup
) -> None:
    """It is a replica now: read-only, until somebody promotes it or leads us to the new primary."""
    before = await queues.everything()
    await demote(queues.client)
    try:
        with pytest.raises(StoreError, match="read only replica"):
            await queues.commit(ACME, "c1", "d1", keys=("k",))
        with pytest.raises(StoreError, match="read only replica"):
            await lookup.put_binding(binding(2), None)
        assert await lookup.resolve(Platform.SLACK, [WorkspaceId("T0ACME")])
        assert any("replica" in each for each in await check_server(queues.client))
    finally:
        await promote(queues.client)

    assert before == await queues.everything()
    assert Receipt.ACCEPTED is (await queues.commit(ACME, "c1", "d1", keys=("k",))).receipt


@pytest.mark.parametrize("replicas", [0, 1])
async def test_connections_to_a_demoted_server_are_given_up(
    queues: Queues, redis_url: str, own_redis: OwnServer, tmp_path: Path, replicas: int
) -> None:
    """The same address leads to the new primary, but only for those who connect anew."""
    async with (
        open_link(tmp_path, redis_url) as link,
        connect(link.url) as client,
        connect(own_redis.url) as promoted,
    ):
        there = Queues(client, confirmation=Confirmation(replicas, 0.02))
        # The kind of connection that commits use is open before.
        with contextlib.suppress(StoreError):
            await there.commit(ACME, "c1", "before")
        await demote(queues.client)
        link.lead_to(own_redis.url)
        try:
            with pytest.raises(StoreError, match="read only replica"):
                await there.commit(ACME, "c1", "d1")
            with contextlib.suppress(StoreError):
                await there.commit(ACME, "c1", "d1")
        finally:
            await promote(queues.client)

        assert [("event.routed", "accepted")] == await Queues(promoted).outcomes()


async def demote(client: Client) -> None:
    """Make it the replica of a primary that is not there."""
    await run(client, "REPLICAOF", "127.0.0.1", 1)


async def promote(client: Client) -> None:
    """Make it a primary again."""
    await run(client, "REPLICAOF", "NO", "ONE")


async def test_without_replicas_nothing_is_confirmed(queues: Queues) -> None:
    """It is stored, but nobody is told so, neither at first nor when it is sent again."""
    careful = Queues(queues.client, confirmation=Confirmation(replicas=1, wait_s=0.02))
    for _ in range(2):
        with pytest.raises(StoreError, match="0 of 1 replicas"):
            await careful.commit(ACME, "c1", "d1", keys=("k",))

    assert ["accepted", "duplicate"] == [outcome for _, outcome in await queues.outcomes()]
    [warning] = [
        each
        for each in await check_server(queues.client, Confirmation(replicas=1))
        if "GATEWAY_COMMIT_REPLICAS" in each
    ]
    assert "has 0" in warning
