"""Tenants and what is theirs: bindings of workspaces, rules of access, limits, endpoints."""

from __future__ import annotations

from enum import StrEnum
from urllib.parse import urljoin

import msgspec

from gateway.core.ids import AgentId, Platform, TenantId, WorkspaceId
from gateway.core.retry import RetryPolicy


class TenantStatus(StrEnum):
    """A suspended tenant keeps its data; its events are dropped and its deliveries wait."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


class Agents(msgspec.Struct, frozen=True, kw_only=True):
    """Which agent answers: by channel, else the tenant's default."""

    default: AgentId = AgentId("main")
    by_channel: dict[str, AgentId] = {}


class AccessPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Who may talk to the agents, and where. An empty allow-list allows everybody."""

    direct_messages: bool = True
    require_mention: bool = True
    channels_without_mention: tuple[str, ...] = ()
    allowed_channels: tuple[str, ...] = ()
    allowed_users: tuple[str, ...] = ()


class Overflow(StrEnum):
    """What becomes of an event that finds the queue full. REFUSE leaves it unacknowledged, so that
    the platform sends it again; DROP acknowledges it, with a record.
    """

    REFUSE = "refuse"
    DROP = "drop"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one tenant may use."""

    events_per_minute: int = 600
    event_burst: int = 100
    max_queued: int = 10_000
    concurrency: int = 16
    overflow: Overflow = Overflow.REFUSE


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """What routing needs to know of a tenant."""

    id: TenantId
    status: TenantStatus = TenantStatus.ACTIVE
    agents: Agents = Agents()
    access: AccessPolicy = AccessPolicy()
    limits: Limits = Limits()


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace belongs to exactly one tenant. `epoch` grows with every binding ever made, so
    that work begun under an older binding can be told from today's.
    """

    tenant: Tenant
    platform: Platform
    workspace: WorkspaceId
    epoch: int


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """What a platform wants to see before it lets the bot speak into a workspace."""

    bot_token: str
    bot_user: str | None = None

    def __repr__(self) -> str:
        """Keep the token out of logs and tracebacks."""
        return f"Credential(bot_user={self.bot_user!r})"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a tenant's container listens. `sealed_secrets` are Fernet tokens of the signing
    secrets that are valid now, newest first (two during a rotation).
    """

    tenant: TenantId
    status: TenantStatus
    url: str
    sealed_secrets: tuple[str, ...]
    timeout_s: float = 15.0
    retry: RetryPolicy = RetryPolicy()
    concurrency: int = 16

    @property
    def health_url(self) -> str:
        """The page beside the endpoint: `/channel/health` for `/channel/events`."""
        return urljoin(self.url, "health")
