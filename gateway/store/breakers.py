"""Breakers, health and ways of endpoints. Settles open a breaker (settle.lua); this closes it.

Which way an `auto` tenant's deliveries go stands in the very profile that workers get with them,
so that all replicas agree.
"""

from __future__ import annotations

import msgspec

from gateway.core.audit import AuditAction, AuditRecord
from gateway.core.breaker import Breaker, BreakerState, HealthReport
from gateway.core.deliveries import Direction
from gateway.core.ids import TenantId
from gateway.core.tenants import Endpoint, Fallback
from gateway.store.connection import Client, Script, Value, run
from gateway.store.keys import WAKE_CHANNEL, Shard, shard_of, wake_message
from gateway.store.turns import decode_endpoint


class BreakerStore:
    """What is known of the endpoints of each shard."""

    def __init__(self, client: Client, shards: int) -> None:
        self._client = client
        self._shards = shards
        self._close = Script(client, "close_breaker")
        self._switch = Script(client, "switch")

    async def not_closed(self, shard: Shard) -> dict[TenantId, Breaker]:
        """List the breakers of a shard that are open or gone. Raises StoreError."""
        found = await run(self._client, "HGETALL", shard.breakers)
        return {TenantId(name.decode()): _breaker(value) for name, value in found.items()}

    async def of(self, tenant: TenantId) -> Breaker | None:
        """Read one tenant's breaker; None when it is closed. Raises StoreError."""
        value = await run(self._client, "HGET", self._shard(tenant).breakers, tenant)
        return None if value is None else _breaker(value)

    async def close(self, tenant: TenantId, *, why: str) -> bool:
        """Let the tenant's deliveries go again. False when it was closed. Raises StoreError."""
        shard = self._shard(tenant)
        queue = shard.queue(tenant, Direction.INBOUND)
        keys = [
            shard.breakers,
            f"{queue}:ready",
            shard.ring(Direction.INBOUND),
            shard.audit,
            f"{shard.tenant(tenant)}window",
        ]
        record = AuditRecord(tenant=tenant, action=AuditAction.BREAKER_CLOSED, detail=why)
        wake = wake_message(shard, Direction.INBOUND)
        args: list[Value] = [tenant, msgspec.json.encode(record), WAKE_CHANNEL, wake]
        return bool(await self._close(keys, args))

    async def endpoint_of(self, tenant: TenantId) -> Endpoint | None:
        """Read one tenant's endpoint. Raises StoreError."""
        profile = await run(self._client, "HGET", self._shard(tenant).profiles, tenant)
        return None if profile is None else decode_endpoint(profile)

    async def switch(self, tenant: TenantId, fallback: Fallback | None, *, why: str) -> bool:
        """Send the deliveries of an `auto` tenant direct, or with None to its plugin again; on
        record. False when they go that way already or must not, or when the tenant's settings were
        changed at this moment. Raises StoreError.
        """
        shard = self._shard(tenant)
        profile = await run(self._client, "HGET", shard.profiles, tenant)
        endpoint = None if profile is None else decode_endpoint(profile)
        if endpoint is None or not endpoint.may_fall_back:
            return False
        if (endpoint.fallback is None) is (fallback is None):
            return False
        changed = msgspec.structs.replace(endpoint, fallback=fallback)
        way = "plugin" if fallback is None else "direct"
        action = AuditAction.ENDPOINT_SWITCHED
        record = AuditRecord(tenant=tenant, action=action, outcome=way, detail=why)
        args: list[Value] = [
            tenant,
            profile,
            msgspec.json.encode(changed),
            msgspec.json.encode(record),
        ]
        return bool(await self._switch([shard.profiles, shard.audit], args))

    async def endpoints(self, shard: Shard) -> list[Endpoint]:
        """List the endpoints of a shard's tenants. Raises StoreError."""
        found = await run(self._client, "HVALS", shard.profiles)
        return [decode_endpoint(value) for value in found]

    async def report(self, tenant: TenantId, report: HealthReport) -> None:
        """Keep what a health check found. Raises StoreError."""
        key = self._shard(tenant).health
        await run(self._client, "HSET", key, tenant, msgspec.json.encode(report))

    async def health_of(self, tenant: TenantId) -> HealthReport | None:
        """Read what the last health check found, if there was one. Raises StoreError."""
        value = await run(self._client, "HGET", self._shard(tenant).health, tenant)
        return None if value is None else msgspec.json.decode(value, type=HealthReport)

    def _shard(self, tenant: TenantId) -> Shard:
        return shard_of(tenant, self._shards)


def _breaker(value: bytes) -> Breaker:
    state, _, since_ms = value.decode().partition(" ")
    return Breaker(state=BreakerState(state), since_ms=int(since_ms))
