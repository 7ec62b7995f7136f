"""What is known for a while of where conversations stand. Facts of platforms: whose the workspaces
are is not kept here, but asked anew every time.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import msgspec

from gateway.core.conversations import ConversationRef
from gateway.core.errors import StoreError
from gateway.core.ids import TenantId, WorkspaceId
from gateway.store.connection import Client, run
from gateway.store.keys import shard_of

HEARD_LASTS_S: Final = 3600
"""How long an answer may take: as long as the reply token of what it answers is good."""

LOOKED_UP_LASTS_S: Final = 600
"""A channel can be moved, or opened to another workspace."""

MISSING_LASTS_S: Final = 60
"""One made a moment ago has to be found soon, but not by a question for each attempt."""


class PlaceNotes:
    """One short-lived key per channel, for those credentials only that reach several workspaces."""

    def __init__(self, client: Client, shards: int) -> None:
        self._client = client
        self._shards = shards

    async def heard(self, tenant: TenantId, ref: ConversationRef, workspace: WorkspaceId) -> None:
        """Note that the platform let the tenant hear of `ref`, as of `workspace`. Raises
        StoreError.
        """
        noted = _encoded({ref.workspace, workspace})
        await run(self._client, "SET", self._key(tenant, ref), noted, "EX", HEARD_LASTS_S)

    async def looked_up(
        self, tenant: TenantId, ref: ConversationRef, workspaces: Collection[WorkspaceId]
    ) -> None:
        """Note what the platform said; no workspaces are no channel. What was heard meanwhile
        stays. Raises StoreError.
        """
        key, lasts_s = self._key(tenant, ref), LOOKED_UP_LASTS_S if workspaces else MISSING_LASTS_S
        await run(self._client, "SET", key, _encoded(workspaces), "EX", lasts_s, "NX")

    async def read(self, tenant: TenantId, ref: ConversationRef) -> frozenset[WorkspaceId] | None:
        """Tell where the channel stands; None when that is not known (any more). Raises
        StoreError.
        """
        value = await run(self._client, "GET", self._key(tenant, ref))
        return None if value is None else _decoded(value)

    def _key(self, tenant: TenantId, ref: ConversationRef) -> str:
        channel = msgspec.structs.replace(ref, thread=None)
        return shard_of(tenant, self._shards).place(tenant, channel.id)


def _encoded(workspaces: Collection[WorkspaceId]) -> bytes:
    return msgspec.json.encode(sorted(workspaces))


def _decoded(value: bytes) -> frozenset[WorkspaceId]:
    try:
        return frozenset(map(WorkspaceId, msgspec.json.decode(value, type=list[str])))
    except msgspec.DecodeError as exc:
        # Not "nowhere": half-read, it could open somebody else's door.
        raise StoreError(f"a note of where a channel stands is unreadable: {exc}") from exc
