"""The registry in PostgreSQL: what it refuses, and that two writers cannot both win."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gateway.archive.connection import Pool
from gateway.archive.locks import Lock, held
from gateway.archive.records import TenantSpec
from gateway.archive.registry import Registry
from gateway.core.clock import utc_now
from gateway.core.errors import ConflictError, NotFoundError, StoreError
from gateway.core.ids import AgentId, Platform, TenantId, WorkspaceId
from gateway.core.retry import RetryPolicy
from gateway.core.tenants import (
    AccessPolicy,
    Agents,
    HistoryPolicy,
    HistoryScope,
    Limits,
    TenantStatus,
)

ACME = TenantId("acme")
GLOBEX = TenantId("globex")
WORKSPACE = WorkspaceId("T0AAAAAAAAA")


def spec(tenant: TenantId = ACME) -> TenantSpec:
    return TenantSpec(
        id=tenant,
        name="Acme",
        endpoint_url="https://agent.example/events",
        timeout_s=7.5,
        agents=Agents(default=AgentId("main"), by_channel={"C0AAAAAAAAA": AgentId("sales")}),
        access=AccessPolicy(direct_messages=False, allowed_channels=("C0AAAAAAAAA",)),
        limits=Limits(events_per_minute=60),
        retry=RetryPolicy(max_attempts=3),
        history=HistoryPolicy(messages=3, scope=HistoryScope.ALL),
        require_reply_token=True,
    )


@pytest.fixture
async def two_tenants(registry: Registry) -> Registry:
    async with registry.writing() as writes:
        await writes.add_tenant(spec(ACME))
        await writes.add_tenant(spec(GLOBEX))
    return registry


async def test_a_tenant_comes_back_as_it_was_added(registry: Registry) -> None:
    """Rules survive the way through the database unchanged."""
    async with registry.writing() as writes:
        await writes.add_tenant(spec())

    record = await registry.tenant(ACME)
    assert spec() == record.spec
    assert TenantStatus.ACTIVE == record.status
    assert timedelta(0) == record.created_at.utcoffset()


async def test_a_tenant_id_can_be_taken_only_once(two_tenants: Registry) -> None:
    """A second `add` must not overwrite the first tenant's endpoint."""
    with pytest.raises(ConflictError, match="acme"):
        async with two_tenants.writing() as writes:
            await writes.add_tenant(spec())


async def test_an_unknown_tenant_is_not_found(registry: Registry) -> None:
    """Said in words, not by an empty answer."""
    with pytest.raises(NotFoundError, match="acme"):
        await registry.tenant(ACME)
    async with registry.writing() as writes:
        for attempt in (
            writes.set_status(ACME, TenantStatus.SUSPENDED),
            writes.update_tenant(spec()),
            writes.remove_tenant(ACME),
            writes.bind(ACME, Platform.SLACK, WORKSPACE),
            writes.unbind(Platform.SLACK, WORKSPACE),
        ):
            with pytest.raises(NotFoundError):
                await attempt


async def test_a_workspace_is_never_bound_to_two_tenants(two_tenants: Registry) -> None:
    """The one unforgivable fault begins here."""
    async with two_tenants.writing() as writes:
        await writes.bind(ACME, Platform.SLACK, WORKSPACE)
        with pytest.raises(ConflictError, match="acme"):
            await writes.bind(GLOBEX, Platform.SLACK, WORKSPACE)

    assert [ACME] == [bound.tenant for bound in await two_tenants.bindings()]


async def test_the_same_id_on_another_platform_is_another_workspace(two_tenants: Registry) -> None:
    """Ids are unique within a platform, no wider."""
    async with two_tenants.writing() as writes:
        await writes.bind(ACME, Platform.SLACK, WORKSPACE)
        await writes.bind(GLOBEX, Platform.DISCORD, WORKSPACE)

    owners = {bound.platform: bound.tenant for bound in await two_tenants.bindings()}
    assert {Platform.SLACK: ACME, Platform.DISCORD: GLOBEX} == owners


async def test_binding_again_keeps_the_epoch_and_a_new_binding_gets_a_higher_one(
    two_tenants: Registry,
) -> None:
    """Work of an older binding has to be told from today's."""
    epochs = []
    async with two_tenants.writing() as writes:
        for unbind_first in (False, False, True):
            if unbind_first:
                await writes.unbind(Platform.SLACK, WORKSPACE)
            await writes.bind(ACME, Platform.SLACK, WORKSPACE)
            bound = await writes.binding(Platform.SLACK, WORKSPACE)
            assert bound is not None
            epochs.append(bound.epoch)

    assert epochs[0] == epochs[1]
    assert epochs[1] < epochs[2]


async def test_a_tenant_with_workspaces_is_not_removed(two_tenants: Registry) -> None:
    """A workspace must never lose its owner as a side effect."""
    async with two_tenants.writing() as writes:
        await writes.bind(ACME, Platform.SLACK, WORKSPACE)
        with pytest.raises(ConflictError, match="unbind"):
            await writes.remove_tenant(ACME)


async def test_expired_keys_and_secrets_do_not_belong_to_a_tenant(two_tenants: Registry) -> None:
    """The newest secret signs first; one that has ended does not sign at all."""
    now = utc_now()
    async with two_tenants.writing() as writes:
        await writes.add_agent_key(ACME, "old")
        await writes.add_signing_secret(ACME, "old")
        await writes.expire_agent_keys(ACME, now)
        await writes.expire_signing_secrets(ACME, now + timedelta(hours=1))
        await writes.add_agent_key(ACME, "new")
        await writes.add_signing_secret(ACME, "new")
    [at_once] = await two_tenants.belongings([ACME], now)
    [later] = await two_tenants.belongings([ACME], now + timedelta(hours=2))

    assert ["new"] == [key.digest for key in at_once.agent_keys]
    assert ("new", "old") == at_once.endpoint.sealed_secrets
    assert ("new",) == later.endpoint.sealed_secrets


async def test_a_transaction_that_fails_changes_nothing(two_tenants: Registry) -> None:
    """A binding without the credential that came with it would be half a binding."""

    async def bind_and_fail() -> None:
        async with two_tenants.writing() as writes, writes.transaction():
            await writes.bind(ACME, Platform.SLACK, WORKSPACE)
            await writes.set_status(TenantId("nobody"), TenantStatus.ACTIVE)

    with pytest.raises(NotFoundError):
        await bind_and_fail()
    assert [] == await two_tenants.bindings()


async def test_one_writer_at_a_time(two_tenants: Registry) -> None:
    """Two operators bind the same workspace at the same moment: one wins, one is told."""

    async def bind(tenant: TenantId) -> TenantId:
        async with two_tenants.writing() as writes:
            await writes.bind(tenant, Platform.SLACK, WORKSPACE)
        return tenant

    outcomes = await asyncio.gather(bind(ACME), bind(GLOBEX), return_exceptions=True)

    winners = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert 1 == len(winners)
    assert 1 == sum(isinstance(outcome, ConflictError) for outcome in outcomes)
    assert winners == [bound.tenant for bound in await two_tenants.bindings()]


async def test_a_lock_that_is_not_given_back_is_named(pool: Pool) -> None:
    """An operator who waits in vain learns for what."""
    async with held(pool, Lock.REGISTRY):
        with pytest.raises(StoreError, match="registry"):
            async with held(pool, Lock.REGISTRY, wait_s=0.05):
                pass

    async with held(pool, Lock.REGISTRY, wait_s=5):
        pass
