"""Every key of the store, in one place.

Keys of a tenant carry the hash tag of its shard (`{s7}:`), so one Lua script can touch all of them
on Redis Cluster too. Look-up keys have no shard: nobody knows the tenant before reading them. Their
hash tag is the first digit of their digest, which makes sixteen buckets.
"""

from __future__ import annotations

import hashlib
import hmac
import string
import zlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from gateway.core.deliveries import Direction
from gateway.core.ids import ConversationId, MessageId, Platform, TenantId, WorkspaceId

MARK_PREFIX = "gateway:mark:"
WORKSPACE_PREFIX = "ws:"
AGENT_KEY_PREFIX = "ak:"
WAKE_CHANNEL = "gateway:wake"


def look_up_key(prefix: str, digest: str) -> str:
    """Name a look-up key by its prefix and its digest in hexadecimal digits."""
    return f"{prefix}{{{digest[0]}}}{digest[1:]}"


def mark_beside(key: str) -> str:
    """Hash that says that the bucket of this look-up key is complete.

    In the slot of the key: a node of a cluster that came back empty has lost the mark with it,
    whereas a mark on another node would vouch for keys that are gone.
    """
    return f"{MARK_PREFIX}{key[key.index('{') : key.index('}') + 1]}"


def bucket_marks() -> list[str]:
    """The marks of all buckets."""
    return [f"{MARK_PREFIX}{{{digit}}}" for digit in string.hexdigits[:16]]


def dedupe_key(own: str, direction: Direction, key: str) -> str:
    """String: what a repeat is told. `own` is the tenant's prefix."""
    return f"{own}dd:{direction}:{key}"


def replicas(role: str) -> str:
    """Sorted set of live replicas of a role, scored by their last heartbeat (Unix ms)."""
    return f"gateway:replicas:{role}"


@dataclass(frozen=True, slots=True)
class Pepper:
    """The secret that makes look-up keys unguessable and unlistable."""

    secret: bytes

    def __repr__(self) -> str:
        return "Pepper(...)"

    def workspace(self, platform: Platform, workspace: WorkspaceId) -> str:
        """Key of the binding of one workspace."""
        return _workspace_key(self.secret, platform.value, workspace)

    def agent_key(self, key: str) -> str:
        """Key of an agent's bearer key. Looking a digest up leaks no timing about the key."""
        return look_up_key(AGENT_KEY_PREFIX, self.agent_key_digest(key))

    def agent_key_digest(self, key: str) -> str:
        """Digest of a bearer key, as PostgreSQL keeps it."""
        return _digest(self.secret, f"agent-key\x1f{key}")

    def derived(self, label: str) -> bytes:
        """Make the key of another purpose: what one of them signs means nothing to the others."""
        return hmac.digest(self.secret, f"derived\x1f{label}".encode(), hashlib.sha256)


@lru_cache(maxsize=16_384)
def _workspace_key(secret: bytes, platform: str, workspace: str) -> str:
    # Remembered is how the key is named, never what stands there: that is asked for each time.
    # 0x1f cannot stand in a platform name, so no two pairs share one text.
    return look_up_key(WORKSPACE_PREFIX, _digest(secret, f"{platform}\x1f{workspace}"))


def _digest(secret: bytes, text: str) -> str:
    return hmac.digest(secret, text.encode(), hashlib.sha256).hex()


@dataclass(frozen=True, slots=True)
class Shard:
    """The keys that all tenants of one shard share."""

    number: int
    prefix: str = field(init=False, repr=False, compare=False)
    """Hash tag and separator; every key of the shard starts with it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "prefix", f"{{s{self.number}}}:")

    @property
    def audit(self) -> str:
        """Stream of audit records, until the archive has them."""
        return f"{self.prefix}audit"

    @property
    def mark(self) -> str:
        """Hash that says that the shard knows all of its tenants' endpoints."""
        return f"{self.prefix}mark"

    @property
    def tenants(self) -> str:
        """Hash: tenant -> concurrency limit. Lists the shard's tenants too."""
        return f"{self.prefix}tenants"

    @property
    def departed(self) -> str:
        """Sorted set: tenants that were removed and have left something, by when (Unix ms)."""
        return f"{self.prefix}departed"

    @property
    def profiles(self) -> str:
        """Hash: tenant -> Endpoint, read with every take."""
        return f"{self.prefix}profiles"

    def ring(self, direction: Direction) -> str:
        """Sorted set: tenants with work that may start now, in the order of their turns."""
        return f"{self.prefix}ring:{direction}"

    def schedule(self, direction: Direction) -> str:
        """Sorted set: lanes that wait, scored by when they are due (Unix ms)."""
        return f"{self.prefix}sched:{direction}"

    def in_flight(self, direction: Direction) -> str:
        """Hash: lane -> the entry a worker holds."""
        return f"{self.prefix}inflight:{direction}"

    def active(self, direction: Direction) -> str:
        """Hash: tenant -> how many of its lanes are in flight."""
        return f"{self.prefix}active:{direction}"

    @property
    def breakers(self) -> str:
        """Hash: tenant -> state and moment of a breaker that is not closed."""
        return f"{self.prefix}breakers"

    @property
    def health(self) -> str:
        """Hash: tenant -> HealthReport of its endpoint."""
        return f"{self.prefix}health"

    def lease(self, role: str) -> str:
        """String: the token of the replica that owns the shard's work of that role."""
        return f"{self.prefix}lease:{role}"

    def fence(self, role: str) -> str:
        """Counter: the fencing number of the newest lease."""
        return f"{self.prefix}fence:{role}"

    def tenant(self, tenant: TenantId) -> str:
        """Prefix of everything that belongs to one tenant alone."""
        return f"{self.prefix}t:{tenant}:"

    def queue(self, tenant: TenantId, direction: Direction) -> str:
        """Stream of what a tenant's deliveries hold; lanes keep their order."""
        return f"{self.tenant(tenant)}{direction}"

    def dead(self, tenant: TenantId) -> str:
        """Stream of a tenant's dead letters."""
        return f"{self.tenant(tenant)}dead"

    @property
    def streams(self) -> str:
        """Sorted set: open streams of all tenants, by their last sign of life (Unix ms)."""
        return f"{self.prefix}streams"

    def open_streams(self, tenant: TenantId) -> str:
        """Set of a tenant's open streams; it bounds their number."""
        return f"{self.tenant(tenant)}streams"

    def stream(self, tenant: TenantId, stream: MessageId) -> str:
        """Hash of an open stream's state; its text stands beside it."""
        return f"{self.tenant(tenant)}stream:{stream}"

    def standing(self, tenant: TenantId, stream: MessageId) -> str:
        """String: how an open stream stands on its platform."""
        return f"{self.stream(tenant, stream)}:standing"

    def begun(self, tenant: TenantId, conversation: ConversationId) -> str:
        """Sorted set: the platform's ids of messages that began there as growing ones, by when."""
        return f"{self.tenant(tenant)}begun:{conversation}"

    def bucket(
        self, tenant: TenantId, platform: Platform, workspace: WorkspaceId, call: str
    ) -> str:
        """String: how much of a call is used up in a workspace."""
        return f"{self.tenant(tenant)}rate:{platform}:{workspace}:{call}"

    def place(self, tenant: TenantId, channel: ConversationId) -> str:
        """String: the workspaces of a channel, where a credential reaches several."""
        return f"{self.tenant(tenant)}place:{channel}"

    def ledgers(self, tenant: TenantId) -> str:
        """List of the keys of a tenant's ledgers, oldest first; it bounds their number."""
        return f"{self.tenant(tenant)}ledger"

    def ledger(self, tenant: TenantId, message: MessageId) -> str:
        """Hash of what became of one request of an agent's."""
        return f"{self.ledgers(tenant)}:{message}"


@lru_cache(maxsize=16_384)
def shard_of(tenant: TenantId, shards: int) -> Shard:
    """Find the shard of a tenant. CRC-32, since it must never change while data exists."""
    return Shard(zlib.crc32(tenant.encode()) % shards)


class QueueNames(NamedTuple):
    """What a commit to a tenant's queue names. `lanes` and `repeats` are beginnings of keys: a
    conversation follows, or a name that must not come twice.
    """

    shard: Shard
    own: str
    queue: str
    lanes: str
    ready: str
    ring: str
    audit: str
    quota: str
    repeats: str
    wake: str


@lru_cache(maxsize=16_384)
def names_of_queue(tenant: TenantId, direction: Direction, shards: int) -> QueueNames:
    """Name the queue of a tenant in one direction. Remembered: all of its commits ask for it."""
    shard = shard_of(tenant, shards)
    own, queue = shard.tenant(tenant), shard.queue(tenant, direction)
    return QueueNames(
        shard=shard,
        own=own,
        queue=queue,
        lanes=f"{queue}:lane:",
        ready=f"{queue}:ready",
        ring=shard.ring(direction),
        audit=shard.audit,
        quota=f"{own}quota",
        repeats=dedupe_key(own, direction, ""),
        wake=wake_message(shard, direction),
    )


def wake_message(shard: Shard, direction: Direction) -> str:
    """Text that tells the owner of a shard that there is work."""
    return f"{direction}:{shard.number}"
