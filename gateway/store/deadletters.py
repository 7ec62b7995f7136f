"""Dead letters: deliveries that the gateway gave up, per tenant, until a person decides."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import msgspec

from gateway.core.audit import AuditAction, AuditRecord
from gateway.core.deliveries import DeadLetter, Direction, Reason
from gateway.core.errors import NotFoundError
from gateway.core.ids import ConversationId, DeliveryId, MessageId, TenantId
from gateway.core.messages import Act, MessageEdit
from gateway.store.connection import UNCONFIRMED, Client, Confirmation, Script, Value, run
from gateway.store.keys import WAKE_CHANNEL, shard_of, wake_message


class DeadLetterStore:
    """Lists, replays and discards. Every action leaves its audit record in the same write."""

    def __init__(
        self, client: Client, shards: int, *, confirmation: Confirmation = UNCONFIRMED
    ) -> None:
        """`confirmation` is what a replay waits for before it is told of."""
        self._client = client
        self._shards = shards
        self._replay = Script(client, "replay", confirmation)
        self._discard = Script(client, "discard")

    async def page(
        self, tenant: TenantId, *, after: str | None = None, limit: int = 50
    ) -> list[DeadLetter]:
        """List dead letters, oldest first; `after` is the cursor of the last one seen."""
        start = "-" if after is None else f"({after}"
        key = shard_of(tenant, self._shards).dead(tenant)
        found = await run(self._client, "XRANGE", key, start, "+", "COUNT", limit)
        return [_letter(tenant, cursor, fields) for cursor, fields in found]

    async def get(self, tenant: TenantId, delivery: DeliveryId) -> DeadLetter:
        """Find one by its delivery id. Raises NotFoundError, StoreError."""
        key = shard_of(tenant, self._shards).dead(tenant)
        cursor = await run(self._client, "HGET", f"{key}:ids", delivery)
        found = await run(self._client, "XRANGE", key, cursor, cursor) if cursor else []
        if not found:
            raise NotFoundError(f"tenant {tenant} has no dead letter {delivery}")
        return _letter(tenant, *found[0])

    async def count(self, tenant: TenantId) -> int:
        """Count a tenant's dead letters."""
        key = shard_of(tenant, self._shards).dead(tenant)
        return int(await run(self._client, "XLEN", key))

    async def replay(self, letter: DeadLetter, *, actor: str) -> bool:
        """Queue it again under the same delivery id, at the end of its conversation's lane.

        False when somebody else was faster, and for what nobody wants to see any more: a part of a
        message that has been removed since, an edit of one that was changed anew. Raises
        StoreError.
        """
        shard = shard_of(letter.tenant, self._shards)
        queue = shard.queue(letter.tenant, letter.direction)
        dead = shard.dead(letter.tenant)
        keys = [
            dead,
            f"{dead}:ids",
            queue,
            f"{queue}:lane:{letter.conversation}",
            f"{queue}:ready",
            shard.ring(letter.direction),
            shard.audit,
            f"{queue}:attempts",
        ]
        message, _, name = letter.id.partition("-")
        if letter.direction is Direction.OUTBOUND:
            keys.append(shard.ledger(letter.tenant, MessageId(message)))
        record = _record(letter, AuditAction.DEAD_LETTER_REPLAYED, actor)
        wake = wake_message(shard, letter.direction)
        args: list[Value] = [letter.cursor, letter.tenant, letter.conversation, record]
        args += [WAKE_CHANNEL, wake, name]
        if (edit := _edit(letter)) is not None:
            keys.append(shard.ledger(letter.tenant, edit.target))
            args.append(edit.id)
        return bool(await self._replay(keys, args))

    async def discard(self, letter: DeadLetter, *, actor: str, reason: str) -> bool:
        """Drop it for good. False when it is not there any more. Raises StoreError."""
        shard = shard_of(letter.tenant, self._shards)
        dead = shard.dead(letter.tenant)
        record = _record(letter, AuditAction.DEAD_LETTER_DISCARDED, f"{actor}: {reason}")
        keys = [dead, f"{dead}:ids", shard.audit]
        return bool(await self._discard(keys, [letter.cursor, letter.id, record]))


def _edit(letter: DeadLetter) -> MessageEdit | None:
    if letter.direction is not Direction.OUTBOUND:
        return None
    with contextlib.suppress(msgspec.DecodeError):
        act = msgspec.json.decode(letter.payload, type=Act)
        return act if isinstance(act, MessageEdit) else None
    return None  # of another version: its attempt will say what is wrong with it


def _record(letter: DeadLetter, action: AuditAction, detail: str) -> bytes:
    return msgspec.json.encode(
        AuditRecord(
            tenant=letter.tenant,
            action=action,
            conversation=letter.conversation,
            delivery_id=letter.id,
            direction=letter.direction,
            attempt=letter.attempts,
            detail=detail,
        )
    )


def _letter(tenant: TenantId, cursor: bytes, fields: Mapping[bytes, bytes]) -> DeadLetter:
    return DeadLetter(
        id=DeliveryId(fields[b"i"].decode()),
        cursor=cursor.decode(),
        tenant=tenant,
        direction=Direction(fields[b"d"].decode()),
        conversation=ConversationId(fields[b"c"].decode()),
        reason=Reason(fields[b"r"].decode()),
        detail=fields[b"t"].decode(),
        attempts=int(fields[b"n"]),
        accepted_at_ms=int(fields[b"a"]),
        died_at_ms=int(cursor.partition(b"-")[0]),
        payload=fields[b"p"],
    )
