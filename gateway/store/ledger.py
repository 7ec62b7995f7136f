"""What became of everything that agents asked for: one hash per request, for a week.

The scripts write it: a commit begins it, a settle adds how each delivery ended. Here it is read,
and here alone is known what its fields mean:

    c           conversation
    shape       which parts a message has (see Shape); a mere change has none
    d:<part>    how a delivery ended: q(ueued), s(ent) and the platform's id, f(ailed) or u(nknown)
                and why. A stream's part 1 has two, its start and its end (`d:1-finish`)
    change      the last edit or removal that was asked for
    degraded    the ability that the platform lacked
    form:<id>   a form, until somebody opens it
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

from gateway.core.components import Form
from gateway.core.deliveries import Direction
from gateway.core.errors import StoreError
from gateway.core.ids import ConversationId, DeliveryId, MessageId, TenantId
from gateway.core.messages import FINISH
from gateway.store.connection import Client, run
from gateway.store.keys import dedupe_key, shard_of
from gateway.store.ledger_changes import QUEUED, SENT, Shape

NOTED_FOR_S: Final = 48 * 3600
"""Twice as long as files of agents are kept (gateway/archive/files.py)."""


class MessageState(StrEnum):
    """QUEUED while a part is on its way; UNKNOWN when a part may or may not have arrived."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"


class MessageStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a request. `platform_ids` has one entry per part, None while there is none;
    a message that was deleted has no parts.

    `reason` is why the first part that failed did, `detail` what the platform said. `degraded`
    names the ability that the platform lacked, when something was left out for it.
    """

    id: MessageId
    conversation: ConversationId
    parts: int
    state: MessageState
    platform_ids: list[str | None]
    reason: str = ""
    detail: str = ""
    degraded: str = ""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A message that may be changed. `seen` is its shape as it stands in the store."""

    conversation: ConversationId
    shape: Shape
    seen: bytes


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one part of a message; `id` is the platform's, where it has given one.
    `has_failed` when the platform is known not to have it.
    """

    conversation: ConversationId
    state: MessageState
    id: str | None
    has_failed: bool = False


class _End(msgspec.Struct, frozen=True, kw_only=True):
    state: MessageState
    id: str | None = None
    reason: str = ""
    detail: str = ""


_LETTERS: Final = {
    QUEUED: MessageState.QUEUED,
    SENT: MessageState.SENT,
    "f": MessageState.FAILED,
    "u": MessageState.UNKNOWN,
}
_WORST_FIRST: Final = (
    MessageState.QUEUED,
    MessageState.UNKNOWN,
    MessageState.FAILED,
    MessageState.SENT,
)


class Ledger:
    """Reads the hashes."""

    def __init__(self, client: Client, shards: int) -> None:
        self._client = client
        self._shards = shards

    async def status(self, tenant: TenantId, message: MessageId) -> MessageStatus | None:
        """Tell what became of a request; None when the tenant has none of that id, or not any
        more. Raises StoreError.
        """
        found = await run(self._client, "HGETALL", self._key(tenant, message))
        if not found or b"c" not in found:
            return None
        ends = _ends(found)
        parts = _parts(found, ends)
        # How a stream ended tells more than how it began.
        theirs = [end for part in parts for end in _of_part(ends, part)[:1]]
        failed = next((each for each in theirs if each.reason), _End(state=MessageState.SENT))
        return MessageStatus(
            id=message,
            conversation=ConversationId(found[b"c"].decode()),
            parts=len(parts),
            state=_worst(theirs),
            platform_ids=[_id_of(_of_part(ends, part)) for part in parts],
            reason=failed.reason,
            detail=failed.detail,
            degraded=found.get(b"degraded", b"").decode(),
        )

    async def known(self, tenant: TenantId, message: MessageId) -> Known | None:
        """Find a message that may be changed; None when the tenant has no such message, when it
        was deleted, and when the id is that of a mere change. Raises StoreError.
        """
        key = self._key(tenant, message)
        conversation, seen = await run(self._client, "HMGET", key, "c", "shape")
        if conversation is None or seen is None:
            return None
        shape = _shape(seen)
        if not shape.parts:
            return None
        return Known(conversation=ConversationId(conversation.decode()), shape=shape, seen=seen)

    async def sent(self, tenant: TenantId, message: MessageId, part: int) -> Sent | None:
        """Tell what became of one part of a message. Raises StoreError."""
        key = self._key(tenant, message)
        names = ("c", f"d:{part}{FINISH}", f"d:{part}")
        conversation, *values = await run(self._client, "HMGET", key, *names)
        if conversation is None:
            return None
        ends = [_end(value) for value in values if value is not None]
        return Sent(
            conversation=ConversationId(conversation.decode()),
            # Of the post itself: the end of a stream may be what asks.
            state=ends[-1].state if ends else MessageState.FAILED,
            id=_id_of(ends),
            has_failed=bool(ends) and {MessageState.FAILED} == {each.state for each in ends},
        )

    async def first_answer(self, tenant: TenantId, key: str) -> str | None:
        """Read what a repeat of the request of this key is told; None when it would be none.
        Raises StoreError.
        """
        own = shard_of(tenant, self._shards).tenant(tenant)
        value = await run(self._client, "GET", dedupe_key(own, Direction.OUTBOUND, key))
        return None if value is None else str(value.decode())

    async def note_upload(self, tenant: TenantId, delivery: DeliveryId, file: str) -> None:
        """Note that a file, by the platform's id of it, may be seen from now on. Raises StoreError.

        Kept for longer than the file is: what is not noted can be posted once more.
        """
        key = self._upload_key(tenant, delivery)
        await run(self._client, "SET", key, file, "EX", NOTED_FOR_S)

    async def noted_upload(self, tenant: TenantId, delivery: DeliveryId) -> str | None:
        """Read that note; None when no attempt came so far. Raises StoreError."""
        value = await run(self._client, "GET", self._upload_key(tenant, delivery))
        return None if value is None else str(value.decode())

    async def form(self, tenant: TenantId, message: MessageId, form_id: str) -> Form | None:
        """Find a form that came with a message. Raises StoreError."""
        value = await run(self._client, "HGET", self._key(tenant, message), f"form:{form_id}")
        return None if value is None else msgspec.json.decode(value, type=Form)

    def _upload_key(self, tenant: TenantId, delivery: DeliveryId) -> str:
        # No agent's key can be the same: those are digests.
        own = shard_of(tenant, self._shards).tenant(tenant)
        return dedupe_key(own, Direction.OUTBOUND, f"upload:{delivery}")

    def _key(self, tenant: TenantId, message: MessageId) -> str:
        return shard_of(tenant, self._shards).ledger(tenant, message)


def _shape(value: bytes) -> Shape:
    try:
        return msgspec.json.decode(value, type=Shape)
    except msgspec.DecodeError as exc:
        raise StoreError(f"a ledger cannot be read: {exc}") from exc


def _ends(found: dict[bytes, bytes]) -> dict[str, _End]:
    return {
        name[2:].decode(): _end(value) for name, value in found.items() if name.startswith(b"d:")
    }


def _end(value: bytes) -> _End:
    # A cut detail may end in the middle of a character.
    text = value.decode(errors="replace")
    state, rest = _LETTERS[text[0]], text[1:]
    if state is MessageState.SENT:
        return _End(state=state, id=rest or None)
    reason, _, detail = rest.partition("\x1f")
    return _End(state=state, reason=reason, detail=detail)


def _parts(found: dict[bytes, bytes], ends: dict[str, _End]) -> tuple[int, ...]:
    if b"shape" in found:
        return _shape(found[b"shape"]).parts
    return tuple(sorted(int(name) for name in ends))


def _of_part(ends: dict[str, _End], part: int) -> list[_End]:
    found = (ends.get(f"{part}{FINISH}"), ends.get(str(part)))
    return [each for each in found if each is not None]


def _id_of(ends: Sequence[_End]) -> str | None:
    return next((each.id for each in ends if each.id), None)


def _worst(ends: Sequence[_End]) -> MessageState:
    states = {each.state for each in ends} | {MessageState.SENT}
    return next(state for state in _WORST_FIRST if state in states)
