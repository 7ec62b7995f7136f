"""Every key of the store, in one place.

Keys of a tenant carry the hash tag of its shard (`{s7}:`), so one Lua script can touch all of them
on Redis Cluster too. Look-up keys have no shard: nobody knows the tenant before reading them.
"""

from __future__ import annotations

import hashlib
import hmac
import zlib
from dataclasses import dataclass

from gateway.core.deliveries import Direction
from gateway.core.ids import Platform, TenantId, WorkspaceId

META = "gateway:meta"
WORKSPACE_PREFIX = "ws:"
AGENT_KEY_PREFIX = "ak:"
WAKE_CHANNEL = "gateway:wake"


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
        # 0x1f cannot stand in a platform name, so no two pairs share one text.
        return WORKSPACE_PREFIX + self._digest(f"{platform.value}\x1f{workspace}")

    def agent_key(self, key: str) -> str:
        """Key of an agent's bearer key. Looking a digest up leaks no timing about the key."""
        return AGENT_KEY_PREFIX + self.agent_key_digest(key)

    def agent_key_digest(self, key: str) -> str:
        """Digest of a bearer key, as PostgreSQL keeps it."""
        return self._digest(f"agent-key\x1f{key}")

    def _digest(self, text: str) -> str:
        return hmac.new(self.secret, text.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Shard:
    """The keys that all tenants of one shard share."""

    number: int

    @property
    def prefix(self) -> str:
        """Hash tag and separator; every key of the shard starts with it."""
        return f"{{s{self.number}}}:"

    @property
    def audit(self) -> str:
        """Stream of audit records, until the archive has them."""
        return f"{self.prefix}audit"

    @property
    def tenants(self) -> str:
        """Hash: tenant -> concurrency limit. Lists the shard's tenants too."""
        return f"{self.prefix}tenants"

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


def shard_of(tenant: TenantId, shards: int) -> Shard:
    """Find the shard of a tenant. CRC-32, since it must never change while data exists."""
    return Shard(zlib.crc32(tenant.encode()) % shards)
