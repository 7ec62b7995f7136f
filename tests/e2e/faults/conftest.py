"""A world of four tenants, to be broken; and one that tests share, whose agent says everything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count

import aiohttp
import pytest

from gateway.demo.world import World, open_world
from tests.e2e.faults.load import SHORT, STUBBORN, TENANTS, company
from tests.e2e.faults.speech import Speech, expect_peace, quiet_companies
from tests.support.own_servers import OwnServer, own_redis, own_server
from tests.support.servers import new_database

__all__ = ["own_redis"]


@pytest.fixture
async def world(clean_redis: str, fresh_database: str) -> AsyncIterator[World]:
    """Four tenants, no gateway yet."""
    companies = [company(tenant) for tenant in TENANTS]
    async with open_world(clean_redis, fresh_database, companies, rules=STUBBORN) as opened:
        yield opened


@pytest.fixture(scope="module")
async def speech_redis() -> AsyncIterator[OwnServer]:
    """A Redis to be broken."""
    async with own_server("redis") as server:
        yield server


@pytest.fixture(scope="module")
async def stage(speech_redis: OwnServer, database_url: str) -> AsyncIterator[Speech]:
    """An agent that has everything to say."""
    async with (
        new_database(database_url) as database,
        open_world(speech_redis.url, database, quiet_companies(), rules=STUBBORN) as world,
        aiohttp.ClientSession() as session,
    ):
        yield Speech(world, session, count())


@pytest.fixture
async def speech(stage: Speech) -> AsyncIterator[Speech]:
    """The same, with a gateway; whatever a test does, in the end all is well."""
    if not stage.world.gateways or stage.world.gateway.returncode is not None:
        await stage.world.start_gateway(SHORT)
    yield stage
    stage.world.slack.fail_no_more()
    await expect_peace(stage)
