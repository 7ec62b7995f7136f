"""How far each tenant's channels and threads were heard, so that a gap can be found and filled.

Written now and then, not with each event: what was heard since is known again by its dedupe keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.core.conversations import ConversationKind, ConversationRef
from gateway.core.deliveries import Direction
from gateway.core.ids import Platform, TenantId, WorkspaceId
from gateway.core.ports import Spot
from gateway.store.connection import Client, Value, run, run_all
from gateway.store.keys import Shard, dedupe_key, shard_of

MOST_SPOTS: Final = 100
"""Remembered per workspace, the last ones."""

_TTL_S: Final = 24 * 3600
_CLAIM_S: Final = 900


@dataclass(frozen=True, slots=True)
class Place:
    """A workspace, and the tenant whose it was when something was heard there."""

    tenant: TenantId
    platform: Platform
    workspace: WorkspaceId
    enterprise: WorkspaceId | None = None


class Cursors:
    """Times are Unix microseconds, of the platform's clock."""

    def __init__(self, client: Client, shards: int) -> None:
        self._client = client
        self._shards = shards

    async def note(self, place: Place, heard: Mapping[Spot, int]) -> None:
        """Note how far a place was heard; never less far than before. Raises StoreError."""
        if not heard:
            return
        shard = shard_of(place.tenant, self._shards)
        key = _spots_key(shard, place)
        pairs: list[Value] = []
        for spot, at_us in heard.items():
            pairs += [at_us, _spot_text(spot)]
        await run_all(
            self._client,
            ("ZADD", key, "GT", *pairs),
            ("ZREMRANGEBYRANK", key, 0, -MOST_SPOTS - 1),
            ("PEXPIRE", key, _TTL_S * 1000),
            ("ZADD", _places_key(shard), "GT", max(heard.values()), _place_text(place)),
        )

    async def places(self, platform: Platform, since_us: int) -> list[Place]:
        """List where something was heard since then, the latest first. Raises StoreError."""
        keys = [_places_key(Shard(number)) for number in range(self._shards)]
        # What is a day old is of no use to anybody any more, nor is a tenant that has gone.
        await run_all(
            self._client, *(("ZREMRANGEBYSCORE", key, "-inf", f"({since_us}") for key in keys)
        )
        answers = await run_all(
            self._client, *(("ZRANGE", key, 0, -1, "WITHSCORES") for key in keys)
        )
        found = [(float(score), _place(member)) for answer in answers for member, score in answer]
        found.sort(key=lambda each: -each[0])
        return [place for _, place in found if place.platform is platform]

    async def spots(self, place: Place, limit: int) -> list[tuple[Spot, int]]:
        """List where in a place something was heard and how far, the latest first.

        Raises StoreError.
        """
        key = _spots_key(shard_of(place.tenant, self._shards), place)
        answer = await run(self._client, "ZREVRANGE", key, 0, limit - 1, "WITHSCORES")
        return [(_spot(place, member), int(float(score))) for member, score in answer]

    async def known(self, tenant: TenantId, names: Sequence[Iterable[str]]) -> list[bool]:
        """Tell of each event, by its scoped keys, whether it was routed. Raises StoreError."""
        if not names:
            return []
        own = shard_of(tenant, self._shards).tenant(tenant)
        commands = [
            ("EXISTS", *(dedupe_key(own, Direction.INBOUND, key) for key in keys)) for keys in names
        ]
        return [bool(count) for count in await run_all(self._client, *commands)]

    async def listening(self, platform: Platform, now_ms: int) -> int | None:
        """Note that somebody listens now, and tell when that was noted before (Unix ms).

        Of all replicas one alone is told of a gap. Raises StoreError.
        """
        before = await run(self._client, "GETSET", f"gateway:listening:{platform}", now_ms)
        return None if before is None else int(before)

    async def claim(self, place: Place) -> bool:
        """Claim the filling of a gap there, for some minutes at most. Raises StoreError."""
        key = _claim_key(shard_of(place.tenant, self._shards), place)
        return await run(self._client, "SET", key, 1, "NX", "EX", _CLAIM_S) is not None

    async def release(self, place: Place) -> None:
        """Give the claim back. Raises StoreError."""
        await run(self._client, "DEL", _claim_key(shard_of(place.tenant, self._shards), place))


def _places_key(shard: Shard) -> str:
    """Sorted set: where something was heard, by when (Unix us)."""
    return f"{shard.prefix}heard"


def _spots_key(shard: Shard, place: Place) -> str:
    """Sorted set: how far the channels and threads of a workspace were heard (Unix us)."""
    return f"{shard.tenant(place.tenant)}heard:{place.platform}:{place.workspace}"


def _claim_key(shard: Shard, place: Place) -> str:
    return f"{_spots_key(shard, place)}:claim"


def _place_text(place: Place) -> str:
    parts = (place.tenant, place.platform, place.workspace, place.enterprise or "")
    return "\x1f".join(parts)


def _place(member: bytes) -> Place:
    tenant, platform, workspace, enterprise = member.decode().split("\x1f")
    return Place(
        tenant=TenantId(tenant),
        platform=Platform(platform),
        workspace=WorkspaceId(workspace),
        enterprise=WorkspaceId(enterprise) if enterprise else None,
    )


def _spot_text(spot: Spot) -> str:
    return "\x1f".join((spot.kind, spot.ref.channel, spot.ref.thread or ""))


def _spot(place: Place, member: bytes) -> Spot:
    kind, channel, thread = member.decode().split("\x1f")
    ref = ConversationRef(
        platform=place.platform,
        workspace=place.workspace,
        channel=channel,
        thread=thread or None,
    )
    return Spot(ref=ref, kind=ConversationKind(kind), enterprise=place.enterprise)
