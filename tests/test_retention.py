"""What retention removes, without being asked."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from gateway.archive.connection import connect, fetch_one
from gateway.archive.migrations import migrate
from gateway.retention import Retention
from tests.support.waiting import eventually


async def test_files_whose_day_is_over_are_swept_out(fresh_database: str) -> None:
    """At once when the gateway starts."""
    async with connect(fresh_database, max_size=4) as pool:
        await migrate(pool)
        await fetch_one(
            pool,
            """WITH tenant AS (
                 INSERT INTO tenants (id, name, status, endpoint_url, timeout_s,
                                      agents, access, limits, retry)
                 VALUES ('acme', '', 'active', '', 1, '{}', '{}', '{}', '{}') RETURNING id)
               INSERT INTO files (id, tenant_id, name, media_type, key_digest, complete, created_at)
               SELECT 'file_' || age, id, 'n', 't', age::text::bytea, true,
                      now() - make_interval(hours => age)
                 FROM tenant, unnest(ARRAY[1, 25]) AS age""",
        )
        retention = asyncio.create_task(Retention(pool, months=12).run())
        try:

            async def only_one_is_left() -> bool:
                row = await fetch_one(pool, "SELECT array_agg(id) AS ids FROM files")
                return row is not None and row["ids"] == ["file_1"]

            await eventually(only_one_is_left)
        finally:
            retention.cancel()
            with suppress(asyncio.CancelledError):
                await retention
