"""Empty queues for each test of the store."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.core.ids import Platform, WorkspaceId
from gateway.core.tenants import Binding, Tenant
from gateway.store.keys import Pepper
from gateway.store.leases import Lease
from gateway.store.tenants import TenantLookup
from tests.support.queues import ACME, TENANTS, Queues, open_queues

SLACK = Platform.SLACK
SHARDS = 16
BOUND = [WorkspaceId(f"T0BOUND{number}") for number in range(40)]
UNBOUND = [WorkspaceId(f"T0NOBODY{number}") for number in range(40)]


@pytest.fixture
def clean_redis(any_redis_url: str) -> str:
    """One server, then a cluster."""
    return any_redis_url


@pytest.fixture
async def queues(clean_redis: str) -> AsyncIterator[Queues]:
    """One shard, three tenants, nothing queued."""
    async with open_queues(clean_redis) as opened:
        await opened.admit(*TENANTS)
        yield opened


@pytest.fixture
async def lease(queues: Queues) -> Lease:
    """The bridge's lease of the only shard."""
    return await queues.lease()


@pytest.fixture
async def lookup(queues: Queues) -> TenantLookup:
    """Look-up keys in all buckets, complete."""
    made = TenantLookup(queues.client, Pepper(b"pepper"), SHARDS)
    for workspace in BOUND:
        await made.put_binding(binding(workspace), None)
    await made.mark_filled()
    return made


def binding(workspace: WorkspaceId) -> Binding:
    """All workspaces are the same tenant's."""
    return Binding(tenant=Tenant(id=ACME), platform=SLACK, workspace=workspace, epoch=1)
