"""Opening both stores from the settings: ready, or a clear word on what is wrong."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from gateway.archive.pages import AuditFilter
from gateway.core.errors import ConfigError, StoreError
from gateway.core.ids import Platform
from gateway.settings import Settings
from gateway.store.connection import run_everywhere
from gateway.stores import open_stores
from tests.provisioning.conftest import spec
from tests.provisioning.test_write_through import ACME, WORKSPACE
from tests.support.servers import reachable_temp_dir


@pytest.fixture
def settings(clean_redis: str, fresh_database: str) -> Settings:
    return Settings(redis_url=clean_redis, database_url=fresh_database, demo=True, shards=8)


async def test_a_redis_that_lost_its_data_is_filled_before_it_is_asked(settings: Settings) -> None:
    """It would answer "unbound" for every workspace, and events would be dropped."""
    async with open_stores(settings) as stores:
        await stores.provisioning.add_tenant(spec())
        await stores.provisioning.bind(ACME, Platform.SLACK, WORKSPACE)
        await run_everywhere(stores.redis, "FLUSHALL")
    async with open_stores(settings) as stores:
        binding = await stores.lookup.resolve(Platform.SLACK, [WORKSPACE])
        assert () == (await stores.archive.search(AuditFilter())).entries

    assert binding is not None
    assert ACME == binding.tenant.id


async def test_another_number_of_shards_is_refused(settings: Settings) -> None:
    """Every queue would be looked for in another place, and its deliveries never found."""
    async with open_stores(settings):
        pass
    other = settings.model_copy(update={"shards": 16})

    with pytest.raises(ConfigError, match=r"GATEWAY_SHARDS=8"):
        async with open_stores(other):
            pass


async def test_secrets_that_everybody_knows_are_refused(settings: Settings) -> None:
    """Outside of the demo nobody opens the stores with the demo's pepper."""
    with pytest.raises(ConfigError, match="GATEWAY_PEPPER"):
        async with open_stores(settings.model_copy(update={"demo": False})):
            pass


async def test_a_sealing_key_that_is_none_is_a_setting_that_cannot_work(
    settings: Settings,
) -> None:
    """Found at the start, not at the first token."""
    broken = settings.model_copy(update={"sealing_keys": (SecretStr("short"),)})

    with pytest.raises(ConfigError, match="GATEWAY_SEALING_KEYS"):
        async with open_stores(broken):
            pass


@pytest.mark.parametrize(
    ("field", "url", "store"),
    [
        ("redis_url", "redis://127.0.0.1:1", "Redis"),
        ("database_url", "postgresql://gateway@127.0.0.1:1/gateway", "PostgreSQL"),
    ],
)
async def test_a_store_that_does_not_answer_is_named(
    settings: Settings, field: str, url: str, store: str
) -> None:
    """The operator learns which of the two it is."""
    with pytest.raises(StoreError, match=store):
        async with open_stores(settings.model_copy(update={field: url})):
            pass


async def test_without_urls_the_embedded_servers_are_used() -> None:
    """A machine with nothing on it can run the gateway."""
    with reachable_temp_dir() as path:
        settings = Settings(redis_url=None, database_url=None, data_dir=path / "data", demo=True)
        async with open_stores(settings) as stores:
            await stores.provisioning.add_tenant(spec())
        async with open_stores(settings) as stores:
            assert [spec()] == [record.spec for record in await stores.provisioning.tenants()]
