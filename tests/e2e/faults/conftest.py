"""A world of four tenants, to be broken."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.demo.world import World, open_world
from tests.e2e.faults.load import STUBBORN, TENANTS, company
from tests.support.own_servers import own_redis

__all__ = ["own_redis"]


@pytest.fixture
async def world(clean_redis: str, fresh_database: str) -> AsyncIterator[World]:
    """Four tenants, no gateway yet."""
    companies = [company(tenant) for tenant in TENANTS]
    async with open_world(clean_redis, fresh_database, companies, rules=STUBBORN) as opened:
        yield opened
