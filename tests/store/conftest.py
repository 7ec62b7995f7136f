"""Empty queues for each test of the store."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.store.leases import Lease
from tests.support.queues import TENANTS, Queues, open_queues


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
