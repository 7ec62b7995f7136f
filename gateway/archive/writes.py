"""Changes of the registry. Only `Registry.writing()` makes one, so every change holds the lock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import msgspec

from gateway.archive.connection import archive_errors, fetch, fetch_one
from gateway.archive.installations import InstallationWrites
from gateway.archive.records import TenantSpec
from gateway.core.errors import ConflictError, NotFoundError
from gateway.core.ids import Platform, TenantId, WorkspaceId
from gateway.core.tenants import TenantStatus


class RegistryWrites(InstallationWrites):
    """Statements on the connection that holds the registry's lock."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Make what is inside happen wholly or not at all. Raises StoreError."""
        with archive_errors():
            async with self._connection.transaction():
                yield

    async def add_tenant(self, spec: TenantSpec) -> None:
        """Register a tenant, active. Raises ConflictError when the id is taken."""
        row = await fetch_one(
            self._connection,
            """INSERT INTO tenants (id, name, status, endpoint_url, timeout_s,
                                    agents, access, limits, retry, history,
                                    require_reply_token, mode, direct)
               VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7::jsonb, $8::jsonb, $9::jsonb, $10::jsonb,
                       $11, $12, $13::jsonb)
               ON CONFLICT DO NOTHING RETURNING id""",
            spec.id,
            spec.name,
            TenantStatus.ACTIVE.value,
            *_columns(spec),
        )
        if row is None:
            raise ConflictError(f"tenant {spec.id!r} exists already")

    async def update_tenant(self, spec: TenantSpec) -> None:
        """Replace what an operator says of a tenant. Raises NotFoundError."""
        row = await fetch_one(
            self._connection,
            """UPDATE tenants SET name = $2, endpoint_url = $3, timeout_s = $4, agents = $5::jsonb,
                      access = $6::jsonb, limits = $7::jsonb, retry = $8::jsonb,
                      history = $9::jsonb, require_reply_token = $10, mode = $11,
                      direct = $12::jsonb, updated_at = now()
                WHERE id = $1 RETURNING id""",
            spec.id,
            spec.name,
            *_columns(spec),
        )
        _found(row, spec.id)

    async def put_direct_token(self, tenant: TenantId, sealed: str | None) -> None:
        """Keep what OpenClaw's own surface wants to see, in the place of any other."""
        await fetch(
            self._connection,
            "UPDATE tenants SET sealed_direct_token = $2 WHERE id = $1",
            tenant,
            sealed,
        )

    async def set_status(self, tenant: TenantId, status: TenantStatus) -> None:
        """Suspend or resume. Raises NotFoundError."""
        row = await fetch_one(
            self._connection,
            "UPDATE tenants SET status = $2, updated_at = now() WHERE id = $1 RETURNING id",
            tenant,
            status.value,
        )
        _found(row, tenant)

    async def remove_tenant(self, tenant: TenantId) -> None:
        """Remove a tenant with its keys and secrets. Raises ConflictError while it has
        workspaces, NotFoundError.
        """
        await self.tenant(tenant)
        row = await fetch_one(
            self._connection,
            """DELETE FROM tenants t WHERE id = $1
                  AND NOT EXISTS (SELECT FROM bindings b WHERE b.tenant_id = t.id) RETURNING id""",
            tenant,
        )
        if row is None:
            raise ConflictError(f"tenant {tenant!r} still has workspaces: unbind them first")

    async def bind(self, tenant: TenantId, platform: Platform, workspace: WorkspaceId) -> None:
        """Give a workspace to a tenant; again is fine. Raises ConflictError when it belongs to
        another, NotFoundError.
        """
        await self.tenant(tenant)
        row = await fetch_one(
            self._connection,
            """INSERT INTO bindings (platform, workspace_id, tenant_id) VALUES ($1, $2, $3)
               ON CONFLICT DO NOTHING RETURNING epoch""",
            platform.value,
            workspace,
            tenant,
        )
        if row is not None:
            return
        existing = await self.binding(platform, workspace)
        if existing is None or existing.tenant != tenant:
            owner = "another tenant" if existing is None else f"tenant {existing.tenant!r}"
            raise ConflictError(
                f"{platform.value} workspace {workspace!r} is bound to {owner}: unbind it first"
            )

    async def unbind(self, platform: Platform, workspace: WorkspaceId) -> TenantId:
        """Take a workspace, with its credential, from its tenant. Raises NotFoundError."""
        row = await fetch_one(
            self._connection,
            "DELETE FROM bindings WHERE platform = $1 AND workspace_id = $2 RETURNING tenant_id",
            platform.value,
            workspace,
        )
        if row is None:
            raise NotFoundError(f"{platform.value} workspace {workspace!r} is bound to nobody")
        return TenantId(row["tenant_id"])

    async def add_agent_key(self, tenant: TenantId, digest: str) -> None:
        """Make a bearer key valid, by its digest."""
        await fetch(
            self._connection,
            "INSERT INTO agent_keys (digest, tenant_id) VALUES ($1, $2)",
            digest,
            tenant,
        )

    async def expire_agent_keys(self, tenant: TenantId, at: datetime) -> None:
        """Let every key that the tenant has now end at `at`, or earlier if it was to."""
        await fetch(
            self._connection,
            "UPDATE agent_keys SET expires_at = LEAST(expires_at, $2) WHERE tenant_id = $1",
            tenant,
            at,
        )

    async def add_signing_secret(self, tenant: TenantId, sealed: str) -> None:
        """Sign with this secret from now on."""
        await fetch(
            self._connection,
            "INSERT INTO signing_secrets (tenant_id, sealed) VALUES ($1, $2)",
            tenant,
            sealed,
        )

    async def expire_signing_secrets(self, tenant: TenantId, at: datetime) -> None:
        """Let every secret that the tenant has now end at `at`, or earlier if it was to."""
        await fetch(
            self._connection,
            "UPDATE signing_secrets SET expires_at = LEAST(expires_at, $2) WHERE tenant_id = $1",
            tenant,
            at,
        )

    async def drop_expired_keys(self, now: datetime) -> list[str]:
        """Remove the agent keys that have ended; return their digests."""
        rows = await fetch(
            self._connection, "DELETE FROM agent_keys WHERE expires_at <= $1 RETURNING digest", now
        )
        return [row["digest"] for row in rows]

    async def drop_expired_secrets(self, now: datetime) -> set[TenantId]:
        """Remove the signing secrets that have ended; return whose they were."""
        rows = await fetch(
            self._connection,
            "DELETE FROM signing_secrets WHERE expires_at <= $1 RETURNING tenant_id",
            now,
        )
        return {TenantId(row["tenant_id"]) for row in rows}

    async def reseal_direct_tokens(self, reseal: Callable[[str], str]) -> int:
        """Encrypt every token of OpenClaw's own surfaces again; return how many there are."""
        rows = await fetch(
            self._connection,
            "SELECT id, sealed_direct_token FROM tenants WHERE sealed_direct_token IS NOT NULL",
        )
        for row in rows:
            await self.put_direct_token(row["id"], reseal(row["sealed_direct_token"]))
        return len(rows)

    async def reseal_signing_secrets(self, reseal: Callable[[str], str]) -> int:
        """Encrypt every signing secret again; return how many there are."""
        rows = await fetch(self._connection, "SELECT id, sealed FROM signing_secrets")
        with archive_errors():
            await self._connection.executemany(
                "UPDATE signing_secrets SET sealed = $2 WHERE id = $1",
                [(row["id"], reseal(row["sealed"])) for row in rows],
            )
        return len(rows)


def _columns(spec: TenantSpec) -> tuple[str | float | None, ...]:
    policies = (spec.agents, spec.access, spec.limits, spec.retry, spec.history)
    texts = [msgspec.json.encode(policy).decode() for policy in policies]
    direct = None if spec.direct is None else msgspec.json.encode(spec.direct).decode()
    how = (spec.require_reply_token, spec.mode.value, direct)
    return (spec.endpoint_url, spec.timeout_s, *texts, *how)


def _found(row: object | None, tenant: TenantId) -> None:
    if row is None:
        raise NotFoundError(f"there is no tenant {tenant!r}")
