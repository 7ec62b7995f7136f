"""Installations in PostgreSQL: whose token is where, how long it lasts, what has ended.

Knows no plain token. An ended installation keeps its row and loses its secrets.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from gateway.archive.connection import Connection, Executor, Row, archive_errors, fetch, fetch_one
from gateway.archive.reads import RegistryReads
from gateway.core.ids import Platform, TenantId, WorkspaceId

_ROWS = """
    SELECT b.tenant_id, i.* FROM installations i JOIN bindings b USING (platform, workspace_id)"""


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What came with a token: who agreed to what, and how it is renewed. A pasted token has none
    of it.
    """

    name: str = ""
    org_wide: bool = False
    scopes: tuple[str, ...] = ()
    installed_by: str = ""
    sealed_refresh_token: str | None = None
    expires_at: datetime | None = None


class InstallationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An installation as it is stored, its secrets sealed. `ended` says why it is over, `trouble`
    why its token could not be renewed.
    """

    tenant: TenantId
    platform: Platform
    workspace: WorkspaceId
    bot_user: str | None
    sealed_credential: str | None
    grant: Grant
    rotation_failures: int
    trouble: str
    ended: str
    ended_at: datetime | None
    updated_at: datetime


class InstallationReads:
    """Questions about installations. Changes nothing; needs no lock."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def all(self, tenant: TenantId | None = None) -> list[InstallationRecord]:
        """List them, of all tenants or of one. Raises StoreError."""
        rows = await fetch(
            self._executor,
            _ROWS + " WHERE $1::text IS NULL OR b.tenant_id = $1 ORDER BY platform, workspace_id",
            tenant,
        )
        return [_record(row) for row in rows]

    async def find(self, platform: Platform, workspace: WorkspaceId) -> InstallationRecord | None:
        """Read one. Raises StoreError."""
        row = await fetch_one(
            self._executor,
            _ROWS + " WHERE platform = $1 AND workspace_id = $2",
            platform.value,
            workspace,
        )
        return None if row is None else _record(row)

    async def due(
        self, platform: Platform, *, now: datetime, expiring_before: datetime, limit: int
    ) -> list[InstallationRecord]:
        """List those whose token has to be renewed by now, the most urgent first. Raises
        StoreError.
        """
        rows = await fetch(
            self._executor,
            _ROWS
            + """ WHERE platform = $1 AND sealed_refresh_token IS NOT NULL AND expires_at < $2
                    AND (rotate_after IS NULL OR rotate_after <= $3)
                  ORDER BY expires_at LIMIT $4""",
            platform.value,
            expiring_before,
            now,
            limit,
        )
        return [_record(row) for row in rows]

    async def counts(self, platform: Platform) -> dict[str, int]:
        """Count the active ones, those in trouble, and the ended ones. Raises StoreError."""
        rows = await fetch(
            self._executor,
            """SELECT CASE WHEN sealed_credential IS NULL THEN 'ended'
                           WHEN rotation_failures > 0 THEN 'trouble' ELSE 'active' END AS state,
                      count(*) AS number
                 FROM installations WHERE platform = $1 GROUP BY 1""",
            platform.value,
        )
        return dict.fromkeys(("active", "trouble", "ended"), 0) | {
            row["state"]: row["number"] for row in rows
        }


class InstallationWrites(RegistryReads):
    """Changes of installations, on the connection that holds the registry's lock."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._connection = connection

    async def installation(
        self, platform: Platform, workspace: WorkspaceId
    ) -> InstallationRecord | None:
        """Read one as nobody else can change it now."""
        return await InstallationReads(self._connection).find(platform, workspace)

    async def put_installation(
        self,
        platform: Platform,
        workspace: WorkspaceId,
        sealed: str,
        bot_user: str | None,
        grant: Grant | None = None,
    ) -> None:
        """Keep the sealed credential of a bound workspace; the newest one counts."""
        grant = grant or Grant()
        # Every column, or a pasted token would be renewed with the refresh token of another.
        await fetch(
            self._connection,
            """INSERT INTO installations (platform, workspace_id, sealed_credential, bot_user,
                      name, org_wide, scopes, installed_by, sealed_refresh_token, expires_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
               ON CONFLICT (platform, workspace_id) DO UPDATE
                  SET sealed_credential = excluded.sealed_credential,
                      bot_user = excluded.bot_user, name = excluded.name,
                      org_wide = excluded.org_wide, scopes = excluded.scopes,
                      installed_by = excluded.installed_by,
                      sealed_refresh_token = excluded.sealed_refresh_token,
                      expires_at = excluded.expires_at, rotate_after = NULL,
                      rotation_failures = 0, trouble = '', ended_at = NULL, ended = '',
                      updated_at = now()""",
            platform.value,
            workspace,
            sealed,
            bot_user,
            grant.name,
            grant.org_wide,
            list(grant.scopes),
            grant.installed_by,
            grant.sealed_refresh_token,
            grant.expires_at,
        )

    async def renew_installation(
        self, spent: InstallationRecord, sealed: str, sealed_refresh: str, expires_at: datetime
    ) -> None:
        """Put a renewed token in the place of the one that it was made from."""
        await fetch(
            self._connection,
            """UPDATE installations
                  SET sealed_credential = $3, sealed_refresh_token = $4, expires_at = $5,
                      rotate_after = NULL, rotation_failures = 0, trouble = '', updated_at = now()
                WHERE platform = $1 AND workspace_id = $2""",
            spent.platform.value,
            spent.workspace,
            sealed,
            sealed_refresh,
            expires_at,
        )

    async def end_installation(
        self, platform: Platform, workspace: WorkspaceId, why: str, now: datetime
    ) -> None:
        """Forget the secrets of an installation, and keep why."""
        await fetch(
            self._connection,
            """UPDATE installations
                  SET sealed_credential = NULL, sealed_refresh_token = NULL, expires_at = NULL,
                      ended = $3, ended_at = $4, updated_at = now()
                WHERE platform = $1 AND workspace_id = $2""",
            platform.value,
            workspace,
            why,
            now,
        )

    async def use_link(self, digest: bytes, now: datetime) -> bool:
        """Use up an install link. False when it is gone or has expired."""
        row = await fetch_one(
            self._connection,
            "DELETE FROM install_links WHERE digest = $1 AND expires_at > $2 RETURNING tenant_id",
            digest,
            now,
        )
        return row is not None

    async def reseal_installations(self, reseal: Callable[[str], str]) -> int:
        """Encrypt every platform credential again; return how many there are."""
        rows = await fetch(
            self._connection,
            """SELECT platform, workspace_id, sealed_credential, sealed_refresh_token
                 FROM installations WHERE sealed_credential IS NOT NULL""",
        )
        changed = []
        for row in rows:
            refresh = row["sealed_refresh_token"]
            resealed = reseal(row["sealed_credential"]), refresh and reseal(refresh)
            changed.append((row["platform"], row["workspace_id"], *resealed))
        with archive_errors():
            await self._connection.executemany(
                """UPDATE installations SET sealed_credential = $3, sealed_refresh_token = $4
                    WHERE platform = $1 AND workspace_id = $2""",
                changed,
            )
        return len(rows)


async def note_failure(
    executor: Executor, failed: InstallationRecord, trouble: str, again_at: datetime
) -> None:
    """Keep why a token could not be renewed, and when to try again. Needs no registry lock: the
    look-up keys hold nothing of it. Raises StoreError.
    """
    await fetch(
        executor,
        """UPDATE installations
              SET rotation_failures = rotation_failures + 1, trouble = $4, rotate_after = $5
            WHERE platform = $1 AND workspace_id = $2 AND sealed_refresh_token = $3""",
        failed.platform.value,
        failed.workspace,
        failed.grant.sealed_refresh_token,
        trouble,
        again_at,
    )


def _record(row: Row) -> InstallationRecord:
    return InstallationRecord(
        tenant=TenantId(row["tenant_id"]),
        platform=Platform(row["platform"]),
        workspace=WorkspaceId(row["workspace_id"]),
        bot_user=row["bot_user"],
        sealed_credential=row["sealed_credential"],
        grant=Grant(
            name=row["name"],
            org_wide=row["org_wide"],
            scopes=tuple(row["scopes"]),
            installed_by=row["installed_by"],
            sealed_refresh_token=row["sealed_refresh_token"],
            expires_at=row["expires_at"],
        ),
        rotation_failures=row["rotation_failures"],
        trouble=row["trouble"],
        ended=row["ended"],
        ended_at=row["ended_at"],
        updated_at=row["updated_at"],
    )
