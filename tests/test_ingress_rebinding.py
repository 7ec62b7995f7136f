"""What was last read of a workspace is acted upon, and never outlives a change of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest

from gateway.core.audit import AuditAction
from gateway.core.errors import StoreError
from gateway.core.ids import UNROUTED, Platform
from gateway.core.tenants import Binding, Tenant, TenantStatus
from gateway.store.auditlog import AuditLog
from gateway.store.connection import Client, connect, run, run_everywhere
from gateway.store.keys import Shard
from tests.support.door import TEAM, Door, asked, lookup_of, said
from tests.support.passage import AMPLE
from tests.support.queues import ACME, GLOBEX


@pytest.fixture
async def client(clean_redis: str) -> AsyncIterator[Client]:
    """An empty Redis."""
    async with connect(clean_redis) as opened:
        yield opened


def bound(owner: Tenant, epoch: int) -> Binding:
    """The workspace of somebody."""
    return Binding(tenant=owner, platform=Platform.SLACK, workspace=TEAM, epoch=epoch)


async def queued(door: Door) -> list[tuple[str, str]]:
    """Whose each queued message is."""
    return [(body["tenant"], body["text"]) for body in await door.bodies()]


async def outcomes(client: Client) -> list[tuple[str, str, str]]:
    """What was decided, oldest first."""
    return [
        (each.record.tenant, each.record.action, each.record.reason)
        for each in await AuditLog(client).read(Shard(0), 100)
    ]


async def test_a_known_workspace_costs_one_round_trip(client: Client) -> None:
    """The second event asks nobody before its commit: one script, and no look-up of its own."""
    door = Door(client)
    await door.bind()
    await door.take_in(asked(1, "first"))
    await run_everywhere(client, "CONFIG", "RESETSTAT")

    await door.take_in(asked(2, "second"))

    [stats] = await run_everywhere(client, "INFO", "commandstats")
    assert {"calls": 1} == {"calls": stats["cmdstat_evalsha"]["calls"]}
    assert [(ACME, "first"), (ACME, "second")] == await queued(door)


async def test_what_goes_nowhere_costs_one_round_trip_too(client: Client) -> None:
    """Most of what is said in channels is not for the agent."""
    door = Door(client)
    await door.bind()
    await door.take_in(asked(1, "first"), said(2, "second"))
    await run_everywhere(client, "CONFIG", "RESETSTAT")

    await door.take_in(said(3, "third"))

    [stats] = await run_everywhere(client, "INFO", "commandstats")
    assert {"calls": 1} == {"calls": stats["cmdstat_evalsha"]["calls"]}
    dropped = (ACME, AuditAction.EVENT_DROPPED, "not_mentioned")
    assert [dropped, dropped] == (await outcomes(client))[1:]


async def test_what_went_nowhere_is_remembered_for_the_new_owner_alone(client: Client) -> None:
    """Talk of a workspace that moved must not lie with the one who had it."""
    door = Door(client)
    await door.bind()
    await door.take_in(asked(1, "first"))
    await lookup_of(client, bound(Tenant(id=GLOBEX, limits=AMPLE), 2))

    await door.take_in(said(2, "second"))

    assert [ACME, GLOBEX] == [tenant for tenant, _, _ in await outcomes(client)]
    histories = await door.histories()
    assert histories
    assert histories == [each for each in histories if f"t:{GLOBEX}:" in each]


async def test_a_workspace_that_moved_is_its_new_owner_s_at_once(client: Client) -> None:
    """Whoever re-binds it does so elsewhere: this process is told by nobody but the commit."""
    door = Door(client)
    await door.bind()
    await door.take_in(asked(1, "first"))
    await lookup_of(client, bound(Tenant(id=GLOBEX, limits=AMPLE), 2))

    await door.take_in(asked(2, "second"), asked(3, "third"))

    assert [(ACME, "first"), (GLOBEX, "second"), (GLOBEX, "third")] == await queued(door)
    assert [ACME, GLOBEX, GLOBEX] == [tenant for tenant, _, _ in await outcomes(client)]


async def test_a_workspace_that_was_unbound_is_nobody_s_at_once(client: Client) -> None:
    """Its events are on record, and go nowhere."""
    door = Door(client)
    await door.bind()
    await door.take_in(asked(1, "first"))
    await (await lookup_of(client)).remove_binding(Platform.SLACK, TEAM)

    await door.take_in(asked(2, "second"))

    assert [(ACME, "first")] == await queued(door)
    dropped = (UNROUTED, AuditAction.EVENT_DROPPED, "unbound_workspace")
    assert dropped == (await outcomes(client))[-1]


async def test_a_tenant_that_was_suspended_gets_nothing_more(client: Client) -> None:
    """Rules are part of what is checked, and what they keep out is no matter of an older set."""
    door = Door(client)
    await door.bind()
    await door.take_in(asked(1, "first"))
    suspended = Tenant(id=ACME, limits=AMPLE, status=TenantStatus.SUSPENDED)
    await lookup_of(client, bound(suspended, 1))

    await door.take_in(asked(2, "second"))
    await lookup_of(
        client, bound(msgspec.structs.replace(suspended, status=TenantStatus.ACTIVE), 1)
    )
    await door.take_in(asked(3, "third"))

    assert [(ACME, "first"), (ACME, "third")] == await queued(door)


async def test_a_store_that_lost_its_keys_acknowledges_nothing(client: Client) -> None:
    """What was known before is no answer of Redis (law 9)."""
    door = Door(client)
    await door.bind()
    await door.take_in(asked(1, "first"))
    await run_everywhere(client, "FLUSHALL")

    with pytest.raises(StoreError):
        await door.take_in(asked(2, "second"))

    assert [] == await queued(door)
    assert 0 == await run(client, "EXISTS", Shard(0).audit)
