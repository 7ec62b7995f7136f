"""Redis fails in the middle: the operator learns what is saved and how to finish."""

from __future__ import annotations

import pytest

from gateway.core.errors import StoreError
from gateway.core.ids import Platform
from gateway.provisioning.operations import Provisioning
from gateway.sealing import Seal
from gateway.store import connection as store_connection
from gateway.store.tenants import TenantLookup
from tests.provisioning.conftest import SHARDS, House, spec
from tests.provisioning.test_write_through import ACME, WORKSPACE, everything, owner_of


async def test_what_redis_did_not_take_is_finished_by_a_rebuild(
    house: House, provisioning: Provisioning
) -> None:
    """PostgreSQL has it, the message says so, and the command that it names completes it."""
    await provisioning.add_tenant(spec())
    async with store_connection.connect("redis://127.0.0.1:1", timeout_s=1) as dead:
        cut_off = Provisioning(
            house.registry,
            TenantLookup(dead, house.pepper, SHARDS),
            house.pepper,
            Seal([house.sealing_key]),
        )
        with pytest.raises(StoreError, match=r"saved the binding .* registry rebuild"):
            await cut_off.bind(ACME, Platform.SLACK, WORKSPACE)
        with pytest.raises(StoreError, match=r"tenant 'globex'.*registry rebuild.*rotate-key"):
            await cut_off.add_tenant(spec("globex"))

    assert await owner_of(house) is None
    await provisioning.rebuild()
    assert ACME == await owner_of(house)
    assert ["acme", "globex"] == [record.spec.id for record in await provisioning.tenants()]


async def test_nothing_is_written_to_redis_when_postgres_fails(
    house: House, provisioning: Provisioning
) -> None:
    """The system of record comes first."""
    await provisioning.add_tenant(spec())
    before = await everything(house)
    await house.pool.execute("DROP TABLE installations, bindings")

    with pytest.raises(StoreError, match="PostgreSQL"):
        await provisioning.bind(ACME, Platform.SLACK, WORKSPACE)
    assert before == await everything(house)
