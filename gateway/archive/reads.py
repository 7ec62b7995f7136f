"""Questions to the registry. Changes nothing; needs no lock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

import msgspec

from gateway.archive.connection import Executor, Row, fetch, fetch_one
from gateway.archive.records import (
    AgentKeyRecord,
    Belongings,
    BindingRecord,
    SigningSecretRecord,
    TenantRecord,
    TenantSpec,
)
from gateway.core.errors import NotFoundError
from gateway.core.ids import Platform, TenantId, WorkspaceId
from gateway.core.retry import RetryPolicy
from gateway.core.tenants import (
    AccessPolicy,
    Agents,
    DirectRoad,
    HistoryPolicy,
    Limits,
    Mode,
    TenantStatus,
)

_BINDINGS = """
    SELECT b.tenant_id, b.platform, b.workspace_id, b.epoch, b.created_at,
           i.bot_user, i.sealed_credential
      FROM bindings b LEFT JOIN installations i USING (platform, workspace_id)"""


class RegistryReads:
    """Reads over a pool, or over the one connection of a write."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def tenants(self) -> list[TenantRecord]:
        """List all tenants by id."""
        rows = await fetch(self._executor, "SELECT * FROM tenants ORDER BY id")
        return [_tenant(row) for row in rows]

    async def tenant_ids(self) -> list[TenantId]:
        """List the ids of all tenants."""
        rows = await fetch(self._executor, "SELECT id FROM tenants ORDER BY id")
        return [TenantId(row["id"]) for row in rows]

    async def tenant(self, tenant: TenantId) -> TenantRecord:
        """Find a tenant. Raises NotFoundError."""
        row = await fetch_one(self._executor, "SELECT * FROM tenants WHERE id = $1", tenant)
        if row is None:
            raise NotFoundError(f"there is no tenant {tenant!r}")
        return _tenant(row)

    async def bindings(self, tenant: TenantId | None = None) -> list[BindingRecord]:
        """List the bound workspaces, of all tenants or of one."""
        rows = await fetch(
            self._executor,
            _BINDINGS
            + " WHERE $1::text IS NULL OR b.tenant_id = $1 ORDER BY b.platform, b.workspace_id",
            tenant,
        )
        return [_binding(row) for row in rows]

    async def binding(self, platform: Platform, workspace: WorkspaceId) -> BindingRecord | None:
        """Find who owns a workspace."""
        row = await fetch_one(
            self._executor,
            _BINDINGS + " WHERE b.platform = $1 AND b.workspace_id = $2",
            platform.value,
            workspace,
        )
        return None if row is None else _binding(row)

    async def belongings(self, tenants: Sequence[TenantId], now: datetime) -> list[Belongings]:
        """Read all that the tenants' keys in Redis are made of, in four statements."""
        ids = list(tenants)
        records = await fetch(
            self._executor, "SELECT * FROM tenants WHERE id = ANY($1) ORDER BY id", ids
        )
        bindings = await fetch(
            self._executor,
            _BINDINGS + " WHERE b.tenant_id = ANY($1) ORDER BY b.epoch",
            ids,
        )
        keys = await fetch(
            self._executor,
            """SELECT * FROM agent_keys
                WHERE tenant_id = ANY($1) AND (expires_at IS NULL OR expires_at > $2)
                ORDER BY created_at DESC, digest""",
            ids,
            now,
        )
        secrets = await fetch(
            self._executor,
            """SELECT * FROM signing_secrets
                WHERE tenant_id = ANY($1) AND (expires_at IS NULL OR expires_at > $2)
                ORDER BY id DESC""",
            ids,
            now,
        )
        return _joined(records, bindings, keys, secrets)


class _Owned(Protocol):
    @property
    def tenant(self) -> TenantId: ...


_T = TypeVar("_T", bound=_Owned)


def _joined(
    tenants: Sequence[Row], bindings: Sequence[Row], keys: Sequence[Row], secrets: Sequence[Row]
) -> list[Belongings]:
    bindings_of = _by_tenant(map(_binding, bindings))
    keys_of = _by_tenant(map(_agent_key, keys))
    secrets_of = _by_tenant(map(_signing_secret, secrets))
    return [
        Belongings(
            record=_tenant(row),
            bindings=tuple(bindings_of[row["id"]]),
            agent_keys=tuple(keys_of[row["id"]]),
            signing_secrets=tuple(secrets_of[row["id"]]),
            sealed_direct_token=row["sealed_direct_token"],
        )
        for row in tenants
    ]


def _by_tenant(things: Iterable[_T]) -> dict[TenantId, list[_T]]:
    grouped: dict[TenantId, list[_T]] = defaultdict(list)
    for thing in things:
        grouped[thing.tenant].append(thing)
    return grouped


def _tenant(row: Row) -> TenantRecord:
    return TenantRecord(
        spec=TenantSpec(
            id=TenantId(row["id"]),
            name=row["name"],
            endpoint_url=row["endpoint_url"],
            timeout_s=row["timeout_s"],
            agents=msgspec.json.decode(row["agents"], type=Agents),
            access=msgspec.json.decode(row["access"], type=AccessPolicy),
            limits=msgspec.json.decode(row["limits"], type=Limits),
            retry=msgspec.json.decode(row["retry"], type=RetryPolicy),
            history=msgspec.json.decode(row["history"], type=HistoryPolicy),
            require_reply_token=row["require_reply_token"],
            mode=Mode(row["mode"]),
            direct=None if row["direct"] is None else _direct(row["direct"]),
        ),
        status=TenantStatus(row["status"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _direct(text: str) -> DirectRoad:
    return msgspec.json.decode(text, type=DirectRoad)


def _binding(row: Row) -> BindingRecord:
    return BindingRecord(
        tenant=TenantId(row["tenant_id"]),
        platform=Platform(row["platform"]),
        workspace=WorkspaceId(row["workspace_id"]),
        epoch=row["epoch"],
        created_at=row["created_at"],
        bot_user=row["bot_user"],
        sealed_credential=row["sealed_credential"],
    )


def _agent_key(row: Row) -> AgentKeyRecord:
    return AgentKeyRecord(
        digest=row["digest"],
        tenant=TenantId(row["tenant_id"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )


def _signing_secret(row: Row) -> SigningSecretRecord:
    return SigningSecretRecord(
        id=row["id"],
        tenant=TenantId(row["tenant_id"]),
        sealed=row["sealed"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )
