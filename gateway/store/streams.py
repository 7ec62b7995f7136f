"""Texts that grow: what has been appended to open streams, and what of it has been shown.

Whether a stream is open stands in its ledger; here is what may be lost without harm to anything but
the text that nobody has finished yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from gateway.core.deliveries import Direction
from gateway.core.errors import QueueFullError
from gateway.core.ids import MessageId, TenantId
from gateway.core.messages import StreamFlush
from gateway.store.connection import Client, Script, Value, run, run_all
from gateway.store.keys import WAKE_CHANNEL, Shard, shard_of, wake_message
from gateway.store.ledger import Known

MAX_STREAM_CHARS: Final = 40_000
MAX_OPEN_STREAMS: Final = 256
"""Per tenant."""
_TTL_S: Final = 24 * 3600
_IDLE_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Growth:
    """The full text so far, or with an `offset` what comes after so many characters."""

    text: str
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How a text stands: `shown` characters of it are known to be seen.

    `rewritten` when they may not be how it begins any more. `stale` when there is more to be seen.
    """

    text: str
    version: int
    shown: int
    rewritten: bool
    stale: bool
    closed: bool


class StreamTexts:
    """The texts of all tenants' open streams."""

    def __init__(self, client: Client, shards: int) -> None:
        self._client = client
        self._shards = shards
        self._append = Script(client, "stream_append")
        self._register = Script(client, "stream_register")
        self._idle = Script(client, "stream_idle")

    async def append(
        self, tenant: TenantId, known: Known, growth: Growth, flush: StreamFlush
    ) -> int | str:
        """Let the text grow, and queue `flush` unless one waits already. Gives the new length in
        characters, or why not: `closed`, `long`, `elsewhere` when the offset does not fit.

        A delta that is in the text already is no mistake: its answer was lost. Raises
        QueueFullError when too many streams are open, StoreError.
        """
        shard, stream = shard_of(tenant, self._shards), flush.target
        keys = [shard.ledger(tenant, stream), *self._keys(shard, tenant, stream)]
        queue = shard.queue(tenant, Direction.OUTBOUND)
        keys += [queue, f"{queue}:lane:{known.conversation}", f"{queue}:ready"]
        keys.append(shard.ring(Direction.OUTBOUND))
        wake = wake_message(shard, Direction.OUTBOUND)
        args: list[Value] = [tenant, stream, known.conversation, known.seen]
        args += ["text" if growth.offset is None else "delta", growth.text, len(growth.text)]
        args += [growth.offset or 0, _TTL_S * 1000, MAX_STREAM_CHARS, MAX_OPEN_STREAMS]
        args += [WAKE_CHANNEL, wake, flush.delivery_id, msgspec.json.encode(flush)]
        outcome, *rest = await self._append(keys, args)
        if outcome == b"full":
            raise QueueFullError("too many of the tenant's streams are open")
        if outcome == b"ok":
            return int(rest[0])
        if outcome == b"elsewhere":
            return _repeated(rest[0].decode(), growth) or "elsewhere"
        return str(outcome.decode())

    async def register(self, tenant: TenantId, stream: MessageId) -> None:
        """Note a sign of life, so that it is found when none follows. Raises StoreError."""
        shard = shard_of(tenant, self._shards)
        await self._register([shard.open_streams(tenant), shard.streams], [tenant, stream])

    async def read(self, tenant: TenantId, stream: MessageId) -> Progress:
        """Read the text to show it: what is appended from now on queues that anew.

        Raises StoreError.
        """
        state = shard_of(tenant, self._shards).stream(tenant, stream)
        # In this order: what comes between is shown once too often, and nothing is missed.
        _, values, text = await run_all(
            self._client,
            ("HDEL", state, "pending"),
            ("HMGET", state, "version", "seen", "shown", "rewritten", "closed"),
            ("GET", f"{state}:text"),
        )
        version, seen, shown, rewritten, closed = values
        return Progress(
            text=(text or b"").decode(),
            version=int(version or 0),
            shown=int(shown or 0),
            rewritten=rewritten is not None,
            stale=version != seen,
            closed=closed is not None,
        )

    async def shown(self, tenant: TenantId, stream: MessageId, progress: Progress) -> None:
        """Note that all of this can be seen. Raises StoreError."""
        state = shard_of(tenant, self._shards).stream(tenant, stream)
        seen: list[Value] = ["seen", progress.version, "shown", len(progress.text)]
        await self._note(state, *seen)

    async def spoilt(self, tenant: TenantId, stream: MessageId) -> None:
        """Note that nobody knows what can be seen. Raises StoreError."""
        await self._note(shard_of(tenant, self._shards).stream(tenant, stream), "rewritten", 1)

    async def close(self, tenant: TenantId, stream: MessageId) -> str:
        """Take nothing more, and give the text. May be repeated. Raises StoreError."""
        state = shard_of(tenant, self._shards).stream(tenant, stream)
        # One after the other: what is appended before is in the text, what comes after is refused.
        await self._note(state, "closed", 1)
        text = await run(self._client, "GET", f"{state}:text")
        return (text or b"").decode()

    async def drop(self, tenant: TenantId, stream: MessageId) -> None:
        """Forget a stream that has ended. Raises StoreError."""
        shard = shard_of(tenant, self._shards)
        state, text, own, of_all = self._keys(shard, tenant, stream)
        await run_all(
            self._client,
            ("DEL", state, text),
            ("SREM", own, stream),
            ("ZREM", of_all, f"{tenant}\x1f{stream}"),
        )

    async def abandoned(self, idle_s: float) -> list[tuple[TenantId, MessageId]]:
        """List open streams without a sign of life for so long. Raises StoreError."""
        found: list[tuple[TenantId, MessageId]] = []
        for number in range(self._shards):
            arguments: list[Value] = [round(idle_s * 1000), _IDLE_AT_ONCE]
            for member in await self._idle([Shard(number).streams], arguments):
                tenant, _, stream = member.decode().partition("\x1f")
                found.append((TenantId(tenant), MessageId(stream)))
        return found

    async def _note(self, state: str, *values: Value) -> None:
        # With an end of its own each time: the stream may have been dropped meanwhile.
        expire = ("PEXPIRE", state, _TTL_S * 1000)
        await run_all(self._client, ("HSET", state, *values), expire)

    def _keys(self, shard: Shard, tenant: TenantId, stream: MessageId) -> list[str]:
        state = shard.stream(tenant, stream)
        return [state, f"{state}:text", shard.open_streams(tenant), shard.streams]


def _repeated(text: str, growth: Growth) -> int | None:
    offset = growth.offset or 0
    if growth.text and text[offset : offset + len(growth.text)] == growth.text:
        return len(text)
    return None
