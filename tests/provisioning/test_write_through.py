"""What an operator changes is what resolution reads, at once, and can be rebuilt at any time."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from gateway.core.errors import ConflictError, NotFoundError
from gateway.core.ids import Platform, TenantId, WorkspaceId
from gateway.core.tenants import AccessPolicy, Credential, Endpoint, TenantStatus
from gateway.provisioning.operations import Provisioning
from gateway.store.connection import run, run_everywhere
from gateway.store.keys import shard_of
from gateway.store.tenants import KeyHolder
from tests.provisioning.conftest import SHARDS, House, spec

ACME = TenantId("acme")
HOLDER = KeyHolder(tenant=ACME)
GLOBEX = TenantId("globex")
WORKSPACE = WorkspaceId("T0AAAAAAAAA")
OTHER = WorkspaceId("T0BBBBBBBBB")
CREDENTIAL = Credential(bot_token="xoxb-token-of-acme", bot_user="U0AAAAAAAAA")


async def endpoint_of(house: House, tenant: TenantId) -> Endpoint | None:
    value = await run(house.redis, "HGET", shard_of(tenant, SHARDS).profiles, tenant)
    return None if value is None else msgspec.json.decode(value, type=Endpoint)


async def owner_of(house: House, workspace: WorkspaceId = WORKSPACE) -> TenantId | None:
    binding = await house.lookup.resolve(Platform.SLACK, [workspace])
    return None if binding is None else binding.tenant.id


async def everything(house: House) -> dict[str, Any]:
    """Each key of Redis with its value."""
    found: dict[str, Any] = {}
    for key in sorted(await run(house.redis, "KEYS", "*")):
        kind = (await run(house.redis, "TYPE", key)).decode()
        found[key.decode()] = await run(house.redis, "GET" if kind == "string" else "HGETALL", key)
    return found


async def test_a_new_tenant_can_be_served_at_once(house: House, provisioning: Provisioning) -> None:
    """Its key opens the agent API, its endpoint is known, its workspace resolves."""
    created = await provisioning.add_tenant(spec())
    await provisioning.bind(ACME, Platform.SLACK, WORKSPACE, CREDENTIAL)

    assert HOLDER == await house.lookup.holder_of_key(created.agent_key)
    assert ACME == await owner_of(house)
    endpoint = await endpoint_of(house, ACME)
    assert endpoint is not None
    assert "https://agent.example/events" == endpoint.url
    assert created.agent_key not in repr(created)


async def test_a_second_tenant_is_refused_and_nothing_moves(
    house: House, provisioning: Provisioning
) -> None:
    """The one unforgivable fault: a workspace that answers to two."""
    await provisioning.add_tenant(spec("acme"))
    await provisioning.add_tenant(spec("globex"))
    await provisioning.bind(ACME, Platform.SLACK, WORKSPACE, CREDENTIAL)
    before = await everything(house)

    with pytest.raises(ConflictError, match="acme"):
        await provisioning.bind(GLOBEX, Platform.SLACK, WORKSPACE)
    assert before == await everything(house)


async def test_two_operators_at_once_leave_both_stores_in_agreement(
    house: House, provisioning: Provisioning
) -> None:
    """Without the lock over both stores Redis could keep the loser of a race."""
    await provisioning.add_tenant(spec("acme"))
    await provisioning.add_tenant(spec("globex"))

    async def take(tenant: TenantId) -> None:
        for _ in range(5):
            try:
                await provisioning.bind(tenant, Platform.SLACK, WORKSPACE)
                await provisioning.unbind(Platform.SLACK, WORKSPACE)
                await provisioning.bind(tenant, Platform.SLACK, WORKSPACE)
            except (ConflictError, NotFoundError):
                continue

    await asyncio.gather(take(ACME), take(GLOBEX))

    [bound] = await provisioning.bindings()
    assert bound.tenant == await owner_of(house)


async def test_binding_again_without_a_token_keeps_the_stored_one(
    house: House, provisioning: Provisioning
) -> None:
    """Repeating a command must not silence the bot."""
    await provisioning.add_tenant(spec())
    first = await provisioning.bind(ACME, Platform.SLACK, WORKSPACE, CREDENTIAL)
    again = await provisioning.bind(ACME, Platform.SLACK, WORKSPACE)

    assert first == again
    found = await house.lookup.bound_workspace(Platform.SLACK, WORKSPACE)
    assert found is not None
    assert found.sealed_credential is not None


async def test_an_unbound_workspace_is_nobodys_and_a_new_owner_gets_no_old_token(
    house: House, provisioning: Provisioning
) -> None:
    """Its next owner must never speak with the credential of the one before."""
    await provisioning.add_tenant(spec("acme"))
    await provisioning.add_tenant(spec("globex"))
    old = await provisioning.bind(ACME, Platform.SLACK, WORKSPACE, CREDENTIAL)

    assert ACME == await provisioning.unbind(Platform.SLACK, WORKSPACE)
    assert await owner_of(house) is None
    new = await provisioning.bind(GLOBEX, Platform.SLACK, WORKSPACE)
    found = await house.lookup.bound_workspace(Platform.SLACK, WORKSPACE)
    assert found is not None
    assert GLOBEX == found.binding.tenant.id
    assert found.sealed_credential is None
    assert old.epoch < new.epoch == found.binding.epoch


async def test_a_suspension_is_seen_by_resolution_and_by_workers(
    house: House, provisioning: Provisioning
) -> None:
    """Events are dropped and deliveries wait, from the next look-up on, until it ends."""
    await provisioning.add_tenant(spec())
    await provisioning.bind(ACME, Platform.SLACK, WORKSPACE)

    for change, expected in (
        (provisioning.suspend, TenantStatus.SUSPENDED),
        (provisioning.resume, TenantStatus.ACTIVE),
    ):
        await change(ACME)
        binding = await house.lookup.resolve(Platform.SLACK, [WORKSPACE])
        endpoint = await endpoint_of(house, ACME)
        assert binding is not None
        assert endpoint is not None
        assert expected == binding.tenant.status == endpoint.status


async def test_a_changed_rule_reaches_every_workspace(
    house: House, provisioning: Provisioning
) -> None:
    """Rules travel inside the look-up keys, so each of them has to be written again."""
    await provisioning.add_tenant(spec())
    for workspace in (WORKSPACE, OTHER):
        await provisioning.bind(ACME, Platform.SLACK, workspace, CREDENTIAL)
    access = AccessPolicy(direct_messages=False)
    await provisioning.edit_tenant(ACME, lambda old: msgspec.structs.replace(old, access=access))

    for workspace in (WORKSPACE, OTHER):
        found = await house.lookup.bound_workspace(Platform.SLACK, workspace)
        assert found is not None
        assert access == found.binding.tenant.access
        assert found.sealed_credential is not None


async def test_a_tenant_with_workspaces_is_removed_only_by_force(
    house: House, provisioning: Provisioning
) -> None:
    """And then nothing of it is left in Redis but a note to sweep up after it."""
    await provisioning.add_tenant(spec("globex"))
    before = await everything(house)
    created = await provisioning.add_tenant(spec("acme"))
    await provisioning.bind(ACME, Platform.SLACK, WORKSPACE, CREDENTIAL)

    with pytest.raises(ConflictError, match="1 workspaces"):
        await provisioning.remove(ACME)
    assert HOLDER == await house.lookup.holder_of_key(created.agent_key)
    await provisioning.remove(ACME, force=True)
    note = shard_of(ACME, SHARDS).departed
    assert [b"acme"] == await run(house.redis, "ZRANGE", note, 0, -1)
    await house.redis.delete(note)
    assert before == await everything(house)
    with pytest.raises(NotFoundError):
        await provisioning.show(ACME)


async def test_a_rebuild_after_the_loss_of_redis_gives_the_same_keys(
    house: House, provisioning: Provisioning
) -> None:
    """PostgreSQL alone is enough to serve again."""
    for tenant in (ACME, GLOBEX):
        await provisioning.add_tenant(spec(tenant))
    await provisioning.bind(ACME, Platform.SLACK, WORKSPACE, CREDENTIAL)
    await provisioning.bind(ACME, Platform.DISCORD, WorkspaceId("1000"))
    await provisioning.suspend(GLOBEX)
    before = await everything(house)
    await run_everywhere(house.redis, "FLUSHALL")
    counts = await provisioning.rebuild()

    assert before == await everything(house)
    assert (2, 2, 2, 0) == (counts.tenants, counts.bindings, counts.agent_keys, counts.pruned)


async def test_a_rebuild_prunes_what_the_registry_does_not_know(
    house: House, provisioning: Provisioning
) -> None:
    """A key left over from a failed change would send events to a tenant of the past."""
    await provisioning.add_tenant(spec("acme"))
    await provisioning.bind(ACME, Platform.SLACK, WORKSPACE)
    before = await everything(house)
    binding = await house.lookup.resolve(Platform.SLACK, [WORKSPACE])
    assert binding is not None
    await house.lookup.put_binding(msgspec.structs.replace(binding, workspace=OTHER), None)
    await house.lookup.put_agent_key("0" * 64, HOLDER)
    await run(house.redis, "SET", "ours:not", "1")

    counts = await provisioning.rebuild()
    assert 2 == counts.pruned
    after = await everything(house)
    assert b"1" == after.pop("ours:not")
    assert before == after


async def test_a_key_that_may_not_speak_is_written_so(
    house: House, provisioning: Provisioning
) -> None:
    """Keys that are there already as well, as soon as the tenant asks for reply tokens."""
    created = await provisioning.add_tenant(spec(ACME))
    await provisioning.edit_tenant(
        ACME, lambda old: msgspec.structs.replace(old, require_reply_token=True)
    )
    strict = await house.lookup.holder_of_key(created.agent_key)
    await provisioning.edit_tenant(
        ACME, lambda old: msgspec.structs.replace(old, require_reply_token=False)
    )

    assert KeyHolder(tenant=ACME, may_speak=False) == strict
    assert HOLDER == await house.lookup.holder_of_key(created.agent_key)
