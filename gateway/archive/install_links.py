"""Install links and the states of browsers that followed one. By digest only: a copy of the table
lets nobody in.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from gateway.archive.connection import Pool, archive_errors, fetch, fetch_one
from gateway.core.errors import NotFoundError
from gateway.core.ids import TenantId
from gateway.core.installs import Offer

MOST_STATES: Final = 20
"""Per link. The oldest one makes room: whoever has a link cannot fill the table with it."""


class InstallLinks:
    """Links and states of all platforms. All raise StoreError."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(
        self, tenant: TenantId, digest: bytes, *, now: datetime, expires_at: datetime
    ) -> None:
        """Keep a link until it is used or expires. Raises NotFoundError: no such tenant."""
        row = await fetch_one(
            self._pool,
            """INSERT INTO install_links (digest, tenant_id, created_at, expires_at)
               SELECT $1, id, $3, $4 FROM tenants WHERE id = $2 RETURNING tenant_id""",
            digest,
            tenant,
            now,
            expires_at,
        )
        if row is None:
            raise NotFoundError(f"there is no tenant {tenant!r}")

    async def offer(self, digest: bytes, now: datetime) -> Offer | None:
        """Read what a link is good for."""
        row = await fetch_one(
            self._pool,
            """SELECT t.id, t.name FROM install_links l JOIN tenants t ON t.id = l.tenant_id
                WHERE l.digest = $1 AND l.expires_at > $2""",
            digest,
            now,
        )
        return None if row is None else _offer(digest, row["id"], row["name"])

    async def begin(
        self, digest: bytes, state: bytes, *, now: datetime, expires_at: datetime
    ) -> bool:
        """Keep the state of one attempt. False when the link is gone or has expired."""
        with archive_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                # Locked, so that attempts at the same moment cannot be more than there may be.
                link = await connection.fetchrow(
                    "SELECT 1 FROM install_links WHERE digest = $1 AND expires_at > $2 FOR UPDATE",
                    digest,
                    now,
                )
                if link is None:
                    return False
                await connection.execute(
                    """DELETE FROM install_states WHERE digest IN (
                         SELECT digest FROM install_states WHERE link = $1
                          ORDER BY expires_at DESC OFFSET $2)""",
                    digest,
                    MOST_STATES - 1,
                )
                await connection.execute(
                    "INSERT INTO install_states (digest, link, expires_at) VALUES ($1, $2, $3)",
                    state,
                    digest,
                    expires_at,
                )
        return True

    async def resume(self, state: bytes, now: datetime) -> Offer | None:
        """Use up a state and read what its link is good for."""
        row = await fetch_one(
            self._pool,
            """WITH used AS (DELETE FROM install_states WHERE digest = $1
                             RETURNING link, expires_at)
               SELECT l.digest, t.id, t.name
                 FROM used JOIN install_links l ON l.digest = used.link
                           JOIN tenants t ON t.id = l.tenant_id
                WHERE used.expires_at > $2 AND l.expires_at > $2""",
            state,
            now,
        )
        return None if row is None else _offer(row["digest"], row["id"], row["name"])

    async def sweep(self, now: datetime) -> None:
        """Remove what has expired."""
        await fetch(self._pool, "DELETE FROM install_states WHERE expires_at <= $1", now)
        await fetch(self._pool, "DELETE FROM install_links WHERE expires_at <= $1", now)


def _offer(digest: bytes, tenant: str, name: str) -> Offer:
    return Offer(tenant=TenantId(tenant), tenant_name=name, link=digest)
