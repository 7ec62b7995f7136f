"""Who owns a workspace, and whose bearer key this is: the look-up keys.

Resolution always asks Redis: what is remembered here counts only with a commit that checks it (see
premises.py). Decoding is cached by content, so a changed value is a different entry.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from functools import lru_cache
from typing import cast

import msgspec

from gateway.core.errors import StoreError
from gateway.core.ids import Platform, TenantId, WorkspaceId
from gateway.core.tenants import Binding, Endpoint, Fallback
from gateway.store.connection import (
    UNCONFIRMED,
    Client,
    Confirmation,
    Script,
    Server,
    Value,
    run,
    run_all,
    run_confirmed,
    store_errors,
)
from gateway.store.keys import (
    AGENT_KEY_PREFIX,
    WORKSPACE_PREFIX,
    Pepper,
    Shard,
    bucket_marks,
    look_up_key,
    mark_beside,
    shard_of,
)
from gateway.store.premises import MOST_REMEMBERED, Recalled, Recollection

_BINDING = "b"
_CREDENTIAL = "c"
_SHARDS = "shards"


class BoundWorkspace(msgspec.Struct, frozen=True, kw_only=True):
    """A binding and the sealed credential that came with it in the same read."""

    binding: Binding
    sealed_credential: bytes | None


class KeyHolder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whose a bearer key is. One that may not speak can still ask, and answer by reply tokens."""

    tenant: TenantId
    may_speak: bool = True


class TenantLookup:
    """Reads and writes the look-up keys. PostgreSQL is their system of record."""

    def __init__(
        self,
        client: Client,
        pepper: Pepper,
        shards: int,
        *,
        confirmation: Confirmation = UNCONFIRMED,
    ) -> None:
        """`confirmation` is what every change waits for: a failover that brought an old binding
        back would route to the tenant who had the workspace before.
        """
        self._client = client
        self._pepper = pepper
        self._shards = shards
        self._confirmation = confirmation
        # On a cluster no commit could check it: the key is on another node than its own.
        self._recollection = Recollection(MOST_REMEMBERED if isinstance(client, Server) else 0)
        self._bind = Script(client, "bind", confirmation)
        self._admit = Script(client, "admit", confirmation)
        self._dismiss = Script(client, "dismiss", confirmation)

    async def resolve(
        self, platform: Platform, candidates: Sequence[WorkspaceId]
    ) -> Binding | None:
        """Find the binding of the first candidate that is bound, most specific first.

        One round trip. None means that Redis answered and knows no such workspace. Raises
        StoreError, also while a Redis that has lost its data has not been filled again.
        """
        keys = [self._pepper.workspace(platform, workspace) for workspace in candidates]
        if len(keys) == 1:
            values = [await run(self._client, "HGET", keys[0], _BINDING)]
        else:
            values = await run_all(self._client, *(("HGET", key, _BINDING) for key in keys))
        for key, value in zip(keys, values, strict=True):
            if value is not None:
                binding = _decode_binding(value)
                self._recollection.note(key, value, binding)
                return binding
            self._recollection.forget(key)
        await self._check_filled(*keys)
        return None

    def recall(self, platform: Platform, workspace: WorkspaceId) -> Recalled | None:
        """Give the binding that `resolve` last found for a workspace, for a commit to check."""
        return self._recollection.at(self._pepper.workspace(platform, workspace))

    async def bound_workspace(
        self, platform: Platform, workspace: WorkspaceId
    ) -> BoundWorkspace | None:
        """Read binding and credential together, so that they cannot be of two owners."""
        key = self._pepper.workspace(platform, workspace)
        binding, credential = await run(self._client, "HMGET", key, _BINDING, _CREDENTIAL)
        if binding is None:
            await self._check_filled(key)
            return None
        return BoundWorkspace(binding=_decode_binding(binding), sealed_credential=credential)

    async def owners(
        self, platform: Platform, workspaces: Iterable[WorkspaceId]
    ) -> frozenset[TenantId]:
        """Find whose these workspaces are; one that is bound to nobody adds nobody. Raises
        StoreError as `resolve`.
        """
        keys = [self._pepper.workspace(platform, each) for each in workspaces]
        values = await run_all(self._client, *(("HGET", key, _BINDING) for key in keys))
        unbound = [key for key, value in zip(keys, values, strict=True) if value is None]
        if unbound:
            await self._check_filled(*unbound)
        bound = (_decode_binding(value) for value in values if value is not None)
        return frozenset(binding.tenant.id for binding in bound)

    async def holder_of_key(self, agent_key: str) -> KeyHolder | None:
        """Find whose bearer key this is; None when it is nobody's or has expired."""
        key = self._pepper.agent_key(agent_key)
        value = await run(self._client, "GET", key)
        if value is None:
            await self._check_filled(key)
            return None
        return _decode_holder(value)

    async def put_binding(self, binding: Binding, sealed_credential: bytes | None) -> None:
        """Write a workspace's look-up key."""
        key = self._pepper.workspace(binding.platform, binding.workspace)
        fields: list[Value] = [_BINDING, msgspec.json.encode(binding)]
        if sealed_credential is not None:
            fields += [_CREDENTIAL, sealed_credential]
        await self._bind([key], fields)

    async def remove_binding(self, platform: Platform, workspace: WorkspaceId) -> None:
        """Forget a workspace: from now on its events belong to nobody."""
        await self.forget([self._pepper.workspace(platform, workspace)])

    async def put_agent_key(
        self, digest: str, holder: KeyHolder, *, expires_at_ms: int | None = None
    ) -> None:
        """Make a bearer key valid, by its digest (`Pepper.agent_key_digest`)."""
        expiry = () if expires_at_ms is None else ("PXAT", expires_at_ms)
        key = self.agent_key_name(digest)
        value = msgspec.json.encode(holder)
        await run_confirmed(self._client, self._confirmation, "SET", key, value, *expiry)

    async def remove_agent_key(self, digest: str) -> None:
        """Make a bearer key invalid."""
        await self.forget([self.agent_key_name(digest)])

    async def put_endpoint(self, endpoint: Endpoint) -> None:
        """Write where a tenant's container listens; workers read it with every take.

        What was found out about the container stays, as long as it means anything.
        """
        shard = shard_of(endpoint.tenant, self._shards)
        if endpoint.may_fall_back:
            before = await run(self._client, "HGET", shard.profiles, endpoint.tenant)
            endpoint = msgspec.structs.replace(endpoint, fallback=_fallback_of(before))
        profile = msgspec.json.encode(endpoint)
        keys = [shard.profiles, shard.tenants]
        await self._admit(keys, [endpoint.tenant, profile, endpoint.concurrency])

    async def remove_endpoint(self, tenant: TenantId, *, departed_ms: int | None = None) -> None:
        """Forget a tenant's container. `departed_ms` when the tenant itself was removed: what it
        has left behind follows a day later (see departed.py).
        """
        shard = shard_of(tenant, self._shards)
        keys = [shard.profiles, shard.tenants, shard.departed]
        await self._dismiss(keys, [tenant, "" if departed_ms is None else departed_ms])

    async def look_up_keys(self) -> AsyncIterator[str]:
        """List every workspace and agent key there is, for a rebuild to prune."""
        for prefix in (WORKSPACE_PREFIX, AGENT_KEY_PREFIX):
            with store_errors():
                async for key in self._client.scan_iter(match=f"{prefix}*", count=1000):
                    yield cast("bytes", key).decode()

    async def forget(self, keys: Sequence[str]) -> None:
        """Remove look-up keys that a rebuild found to be nobody's."""
        for key in keys:
            await run_confirmed(self._client, self._confirmation, "DEL", key)

    async def filled_with_shards(self) -> int | None:
        """Read the marks of complete look-up keys: the number of shards that they are for.

        None when a mark is missing, as after the loss of one node of a cluster. A number other
        than ours is told even then: to rebuild would write to the wrong shards.
        """
        marks = self._marks()
        answers = await run_all(self._client, *(("HGET", mark, _SHARDS) for mark in marks))
        numbers = {int(each) for each in answers if each is not None}
        if others := numbers - {self._shards}:
            return min(others)
        return None if None in answers else self._shards

    async def mark_filled(self) -> None:
        """Set the marks, after the last key has been written."""
        marks = self._marks()
        await run_all(self._client, *(("HSETNX", mark, _SHARDS, self._shards) for mark in marks))

    def _marks(self) -> list[str]:
        return bucket_marks() + [Shard(number).mark for number in range(self._shards)]

    async def tenants_with_endpoints(self) -> set[TenantId]:
        """List the tenants whose containers are known, for a rebuild to prune."""
        hashes = [Shard(number).profiles for number in range(self._shards)]
        answers = await run_all(self._client, *(("HKEYS", key) for key in hashes))
        return {TenantId(name.decode()) for names in answers for name in names}

    async def _check_filled(self, *keys: str) -> None:
        # A Redis that came back empty knows nobody: to read that as "unbound" would acknowledge
        # and drop everything (law 9).
        marks = {mark_beside(key) for key in keys}
        if None in await run_all(self._client, *(("HGET", mark, _SHARDS) for mark in marks)):
            raise StoreError("Redis has lost the look-up keys; they are being rebuilt")

    def workspace_key(self, platform: Platform, workspace: WorkspaceId) -> str:
        """Name the look-up key of a workspace."""
        return self._pepper.workspace(platform, workspace)

    def agent_key_name(self, digest: str) -> str:
        """Name the look-up key of a bearer key, by its digest."""
        return look_up_key(AGENT_KEY_PREFIX, digest)


@lru_cache(maxsize=4096)
def _decode_holder(value: bytes) -> KeyHolder:
    try:
        return msgspec.json.decode(value, type=KeyHolder)
    except msgspec.DecodeError as exc:
        raise StoreError(f"an agent key does not hold a tenant: {exc}") from exc


class _Found(msgspec.Struct, frozen=True):
    """Of a profile only what was found out: one that is being repaired need not be readable."""

    fallback: Fallback | None = None


def _fallback_of(profile: bytes | None) -> Fallback | None:
    try:
        return None if profile is None else msgspec.json.decode(profile, type=_Found).fallback
    except msgspec.DecodeError:
        return None


@lru_cache(maxsize=4096)
def _decode_binding(value: bytes) -> Binding:
    try:
        return msgspec.json.decode(value, type=Binding)
    except msgspec.DecodeError as exc:
        # Half-read rules could route to the wrong place; a broken key is a fault, not "unknown".
        raise StoreError(f"a workspace key does not hold a binding: {exc}") from exc
