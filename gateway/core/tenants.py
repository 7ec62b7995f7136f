"""Tenants and what is theirs: bindings of workspaces, rules of access, limits, endpoints."""

from __future__ import annotations

from enum import StrEnum
from typing import Final
from urllib.parse import urljoin

import msgspec

from gateway.core.budgets import Account
from gateway.core.events import Sender, SenderRole
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


class Reactions(StrEnum):
    """Which emoji an agent hears of: none, those on its own messages, all that its bot can see."""

    OFF = "off"
    OWN = "own"
    ALL = "all"


EVERYONE: Final = "everyone"


class AccessPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Who may talk to the agents, and where. An empty allow-list allows everybody.

    `commanders` are those whose commands an agent should obey: roles, user ids, or EVERYONE. Empty
    is nobody.
    """

    direct_messages: bool = True
    require_mention: bool = True
    channels_without_mention: tuple[str, ...] = ()
    allowed_channels: tuple[str, ...] = ()
    allowed_users: tuple[str, ...] = ()
    reactions: Reactions = Reactions.OWN
    commanders: tuple[str, ...] = (SenderRole.OWNER.value, SenderRole.ADMIN.value)

    def may_command(self, sender: Sender) -> bool:
        """Tell whether `sender` is one of the commanders."""
        named = self.commanders
        if EVERYONE in named or sender.id in named:
            return True
        return bool(sender.roles) and not set(named).isdisjoint(sender.roles)


class HistoryScope(StrEnum):
    """Which messages a delivery brings along: those that the agent has not been given since its
    last delivery from there, or the last ones whatever it has been given.
    """

    MISSED = "missed"
    ALL = "all"


class HistoryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How many messages of a conversation are kept for its next delivery. 0 keeps none."""

    messages: int = 20
    scope: HistoryScope = HistoryScope.MISSED


class Overflow(StrEnum):
    """What becomes of an event that finds the queue full. REFUSE leaves it unacknowledged, so that
    the platform sends it again; DROP acknowledges it, with a record.
    """

    REFUSE = "refuse"
    DROP = "drop"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one tenant may use. `file_bytes` bounds one file, in either direction;
    `stored_file_bytes` all that its agents have brought within 24 hours.
    """

    events_per_minute: int = 600
    event_burst: int = 100
    max_queued: int = 10_000
    concurrency: int = 16
    overflow: Overflow = Overflow.REFUSE
    file_bytes: int = 20 * 1024 * 1024
    stored_file_bytes: int = 1024 * 1024 * 1024


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """What routing needs to know of a tenant."""

    id: TenantId
    status: TenantStatus = TenantStatus.ACTIVE
    agents: Agents = Agents()
    access: AccessPolicy = AccessPolicy()
    limits: Limits = Limits()
    history: HistoryPolicy = HistoryPolicy()
    require_reply_token: bool = False
    """Whether the tenant's key alone is not enough to speak: see gateway/scoped_tokens.py."""


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace belongs to exactly one tenant. `epoch` grows with every binding ever made, so
    that work begun under an older binding can be told from today's.
    """

    tenant: Tenant
    platform: Platform
    workspace: WorkspaceId
    epoch: int


class Credential(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a platform wants to see before it lets the bot speak into a workspace.

    `account` is whose calls those made with it are: never kept, and told by who opens it.
    """

    bot_token: str
    bot_user: str | None = None
    account: Account | None = None

    def __repr__(self) -> str:
        """Keep the token out of logs and tracebacks."""
        return f"Credential(bot_user={self.bot_user!r})"


class Mode(StrEnum):
    """How a container is spoken to: by the agent protocol, which its plugin speaks; by OpenClaw's
    own HTTP surface; or by the first while the plugin is there, and else by the second.
    """

    AUTO = "auto"
    PLUGIN = "plugin"
    DIRECT = "direct"


class Surface(StrEnum):
    """Which of OpenClaw's HTTP endpoints takes turns: /v1/responses or /v1/chat/completions."""

    RESPONSES = "responses"
    CHAT = "chat"


class DirectRoad(msgspec.Struct, frozen=True, kw_only=True):
    """OpenClaw's own HTTP surface. `url` is its address without a path, `agent` who answers there
    if not whom routing chose, `timeout_s` how long a turn may take.
    """

    url: str
    surface: Surface = Surface.RESPONSES
    agent: AgentId | None = None
    timeout_s: float = 120.0


class Fallback(msgspec.Struct, frozen=True, kw_only=True):
    """Since when an `auto` tenant has been without its plugin, and how that shows."""

    since_ms: int
    why: str


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a tenant's container listens. `sealed_secrets` are Fernet tokens of the signing
    secrets that are valid now, newest first (two during a rotation).

    `fallback` is what has been found out about the container, not what is set: see
    gateway/fallback.py.
    """

    tenant: TenantId
    status: TenantStatus
    url: str
    sealed_secrets: tuple[str, ...]
    timeout_s: float = 15.0
    retry: RetryPolicy = RetryPolicy()
    concurrency: int = 16
    mode: Mode = Mode.AUTO
    direct: DirectRoad | None = None
    sealed_direct_token: str | None = None
    fallback: Fallback | None = None

    @property
    def goes_direct(self) -> bool:
        """Whether deliveries take OpenClaw's own surface now."""
        return self.fallback is not None or self.mode is Mode.DIRECT

    @property
    def may_fall_back(self) -> bool:
        """Whether there is another way when the plugin is away."""
        return self.mode is Mode.AUTO and self.direct is not None

    @property
    def health_url(self) -> str:
        """The page beside the endpoint: `/channel/health` for `/channel/events`."""
        return urljoin(self.url, "health")
