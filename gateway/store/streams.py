"""Texts that grow: what has been appended to open streams, and what of it has been shown.

Whether a stream is open stands in its ledger; here is what may be lost without harm to anything but
the text that nobody has finished yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from gateway.core.conversations import ConversationRef
from gateway.core.deliveries import Direction
from gateway.core.errors import QueueFullError
from gateway.core.ids import MessageId, TenantId
from gateway.core.messages import StreamFlush
from gateway.store.connection import Client, Script, Value, run, run_all
from gateway.store.keys import WAKE_CHANNEL, Shard, shard_of, wake_message
from gateway.store.ledger import Known
from gateway.store.ledger_changes import SENT, Fields, Shape

MAX_STREAM_CHARS: Final = 40_000
MAX_OPEN_STREAMS: Final = 256
"""Per tenant."""
MOST_BEGUN: Final = 100
"""Per conversation: how many messages that began as growing ones are remembered."""
_TTL_S: Final = 24 * 3600
_IDLE_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Growth:
    """The full text so far, or with an `offset` what comes after so many characters."""

    text: str
    offset: int | None = None


class Before(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A message of a stream that shows the text from `base` on, to where the next one begins."""

    part: int
    id: str
    base: int


class Standing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a stream stands on its platform: in message number `part`, the text from `base` on.

    `id` is the platform's; empty while the message is not there, or not known to be: `attempted`
    says that it may be, since `asked_ms` at the earliest. While it `grows` natively, the text is
    seen up to `shown`, unless that is in `doubt`. `before` is the message before it for as long as
    it has not got its end. `stopped`: a user wants to see no more of it.
    """

    part: int = 1
    id: str = ""
    base: int = 0
    shown: int = 0
    grows: bool = False
    began_ms: int = 0
    asked_ms: int = 0
    attempted: bool = False
    doubt: bool = False
    before: Before | None = None
    stopped: bool = False
    recipient: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How a text stands.

    `rewritten` when it may not begin any more as what has been seen. `stale` when there is more to
    be seen, of a message that is edited.
    """

    text: str
    version: int
    rewritten: bool
    stale: bool
    closed: bool
    standing: Standing | None


class StreamTexts:
    """The texts of all tenants' open streams."""

    def __init__(self, client: Client, shards: int) -> None:
        self._client = client
        self._shards = shards
        self._append = Script(client, "stream_append")
        self._register = Script(client, "stream_register")
        self._idle = Script(client, "stream_idle")
        self._lose = Script(client, "stream_lose")
        self._roll = Script(client, "stream_roll")
        self._begun = Script(client, "stream_begun")

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
        await self._register([shard.streams], [tenant, stream])

    async def read(self, tenant: TenantId, stream: MessageId) -> Progress:
        """Read the text to show it: what is appended from now on queues that anew.

        Raises StoreError.
        """
        shard = shard_of(tenant, self._shards)
        state = shard.stream(tenant, stream)
        # In this order: what comes between is shown once too often, and nothing is missed.
        _, values, text, standing = await run_all(
            self._client,
            ("HDEL", state, "pending"),
            ("HMGET", state, "version", "seen", "rewritten", "closed"),
            ("GET", f"{state}:text"),
            ("GET", shard.standing(tenant, stream)),
        )
        version, seen, rewritten, closed = values
        return Progress(
            text=(text or b"").decode(),
            version=int(version or 0),
            rewritten=rewritten is not None,
            stale=version != seen,
            closed=closed is not None,
            standing=None if standing is None else _STANDING.decode(standing),
        )

    async def shown(self, tenant: TenantId, stream: MessageId, progress: Progress) -> None:
        """Note that all of this can be seen. Raises StoreError."""
        state = shard_of(tenant, self._shards).stream(tenant, stream)
        await self._note(state, "seen", progress.version)

    async def stand(self, tenant: TenantId, stream: MessageId, standing: Standing) -> None:
        """Note how it stands. Only the owner of its lane may. Raises StoreError."""
        key = shard_of(tenant, self._shards).standing(tenant, stream)
        await run(self._client, "SET", key, msgspec.json.encode(standing), "PX", _TTL_S * 1000)

    async def begun(
        self, tenant: TenantId, stream: MessageId, ref: ConversationRef, standing: Standing
    ) -> None:
        """Note a message of it that stands there now. Raises StoreError."""
        shard = shard_of(tenant, self._shards)
        keys = [shard.ledger(tenant, stream), shard.standing(tenant, stream)]
        keys.append(shard.begun(tenant, ref.id))
        args: list[Value] = [msgspec.json.encode(standing), _TTL_S * 1000, standing.id]
        args += [f"d:{standing.part}", f"{SENT}{standing.id}", MOST_BEGUN]
        await self._begun(keys, args)

    async def known(self, tenant: TenantId, ref: ConversationRef) -> list[str]:
        """List the platform's ids of messages that began there as growing ones. Raises
        StoreError.
        """
        key = shard_of(tenant, self._shards).begun(tenant, ref.id)
        return [each.decode() for each in await run(self._client, "ZRANGE", key, 0, -1)]

    async def roll(
        self, tenant: TenantId, stream: MessageId, known: Known, standing: Standing
    ) -> bool:
        """Let it go on in another message; False when it has ended meanwhile. Raises StoreError."""
        shard, shape = shard_of(tenant, self._shards), known.shape
        longer = Shape(
            texts=(*shape.texts, standing.part), last=standing.part, streaming=shape.streaming
        )
        keys = [shard.ledger(tenant, stream), shard.standing(tenant, stream)]
        args: list[Value] = [known.seen, msgspec.json.encode(longer), f"d:{standing.part}", SENT]
        args += [msgspec.json.encode(standing), _TTL_S * 1000]
        return bool(await self._roll(keys, args))

    async def close(self, tenant: TenantId, stream: MessageId) -> Progress:
        """Take nothing more, and tell how it stands. May be repeated. Raises StoreError."""
        state = shard_of(tenant, self._shards).stream(tenant, stream)
        # One after the other: what is appended before is in the text, what comes after is refused.
        await self._note(state, "closed", 1)
        return await self.read(tenant, stream)

    async def lose(self, tenant: TenantId, stream: MessageId, known: Known, why: Fields) -> bool:
        """Note in its ledger that nothing will end it; False when it has changed meanwhile. Raises
        StoreError.
        """
        shape = msgspec.structs.replace(known.shape, streaming=False)
        [(field, value)] = why.items()
        keys = [shard_of(tenant, self._shards).ledger(tenant, stream)]
        return bool(await self._lose(keys, [known.seen, msgspec.json.encode(shape), field, value]))

    async def retire(self, tenant: TenantId, stream: MessageId) -> None:
        """Count it no more among the open ones. Raises StoreError."""
        shard = shard_of(tenant, self._shards)
        _, _, own, of_all = self._keys(shard, tenant, stream)
        retire = ("SREM", own, stream), ("ZREM", of_all, f"{tenant}\x1f{stream}")
        await run_all(self._client, *retire)

    async def drop(self, tenant: TenantId, stream: MessageId) -> None:
        """Forget a stream that has ended, as people see it too. Raises StoreError."""
        shard = shard_of(tenant, self._shards)
        state, text, own, of_all = self._keys(shard, tenant, stream)
        await run_all(
            self._client,
            ("DEL", state, text, shard.standing(tenant, stream)),
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


_STANDING: Final = msgspec.json.Decoder(Standing)


def _repeated(text: str, growth: Growth) -> int | None:
    offset = growth.offset or 0
    if growth.text and text[offset : offset + len(growth.text)] == growth.text:
        return len(text)
    return None
