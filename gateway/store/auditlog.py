"""The audit streams: where records wait until the archive has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from gateway.core.audit import AuditAction, AuditEntry, AuditRecord
from gateway.core.ids import UNROUTED
from gateway.store.connection import Client, run
from gateway.store.keys import Shard


class AuditLog:
    """Reads a shard's records, oldest first, and removes those that are archived."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def read(self, shard: Shard, limit: int) -> list[AuditEntry]:
        """Read up to `limit` of the oldest records without removing them. Raises StoreError."""
        found = await run(self._client, "XRANGE", shard.audit, "-", "+", "COUNT", limit)
        return [_entry(shard, cursor, fields) for cursor, fields in found]

    async def remove(self, shard: Shard, entries: Sequence[AuditEntry]) -> None:
        """Remove records that the archive has. Raises StoreError."""
        if entries:
            cursors = [entry.id.partition(":")[2] for entry in entries]
            await run(self._client, "XDEL", shard.audit, *cursors)


def _entry(shard: Shard, cursor: bytes, fields: Mapping[bytes, bytes]) -> AuditEntry:
    try:
        record = msgspec.json.decode(fields[b"r"], type=AuditRecord)
    except (KeyError, msgspec.DecodeError) as exc:
        # Kept as a record of its own: one broken entry must not stop the archive for ever.
        detail = f"{type(exc).__name__} in {cursor.decode()}"
        record = AuditRecord(tenant=UNROUTED, action=AuditAction.UNREADABLE, detail=detail)
    if outcome := fields.get(b"o", b"").decode():
        record = msgspec.structs.replace(record, outcome=outcome)
    return AuditEntry(
        id=f"s{shard.number}:{cursor.decode()}",
        at_ms=int(cursor.partition(b"-")[0]),
        record=record,
    )
