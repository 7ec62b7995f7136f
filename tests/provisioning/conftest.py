"""Both stores, empty, and the operations over them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from cryptography.fernet import Fernet

from gateway.archive import connection as archive_connection
from gateway.archive.connection import Pool
from gateway.archive.migrations import migrate
from gateway.archive.records import TenantSpec
from gateway.archive.registry import Registry
from gateway.core.clock import utc_now
from gateway.core.ids import TenantId
from gateway.provisioning.operations import Provisioning
from gateway.sealing import Seal
from gateway.store import connection as store_connection
from gateway.store.connection import Client
from gateway.store.keys import Pepper
from gateway.store.tenants import TenantLookup

SHARDS = 4


@dataclass
class Clock:
    """A clock that a test can set forward."""

    ahead: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


@dataclass(frozen=True)
class House:
    """The stores of one test."""

    redis: Client
    pool: Pool
    pepper: Pepper
    registry: Registry
    lookup: TenantLookup
    clock: Clock
    sealing_key: str

    def provisioning(self, *sealing_keys: str) -> Provisioning:
        """The operations under these sealing keys, newest first."""
        seal = Seal(sealing_keys or [self.sealing_key])
        return Provisioning(self.registry, self.lookup, self.pepper, seal, now=self.clock)


@pytest.fixture
async def house(clean_redis: str, fresh_database: str) -> AsyncIterator[House]:
    """Empty stores with today's schema."""
    pepper = Pepper(b"a pepper for tests, long enough for all")
    async with (
        store_connection.connect(clean_redis) as redis,
        archive_connection.connect(fresh_database, max_size=4) as pool,
    ):
        await migrate(pool)
        lookup = TenantLookup(redis, pepper, SHARDS)
        await lookup.mark_filled()
        yield House(
            redis=redis,
            pool=pool,
            pepper=pepper,
            registry=Registry(pool),
            lookup=lookup,
            clock=Clock(),
            sealing_key=Fernet.generate_key().decode(),
        )


@pytest.fixture
def provisioning(house: House) -> Provisioning:
    """The operations over empty stores."""
    return house.provisioning()


def spec(tenant: str = "acme", endpoint_url: str = "https://agent.example/events") -> TenantSpec:
    return TenantSpec(id=TenantId(tenant), endpoint_url=endpoint_url)
