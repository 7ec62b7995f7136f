"""What the registry holds, as values. Secrets are sealed texts or digests, never plain."""

from __future__ import annotations

from datetime import datetime

import msgspec

from gateway.core.ids import Platform, TenantId, WorkspaceId
from gateway.core.retry import RetryPolicy
from gateway.core.tenants import (
    AccessPolicy,
    Agents,
    Binding,
    DirectRoad,
    Endpoint,
    HistoryPolicy,
    Limits,
    Mode,
    Tenant,
    TenantStatus,
)


class TenantSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator says of a tenant. `timeout_s` bounds one request to its container."""

    id: TenantId
    endpoint_url: str
    name: str = ""
    timeout_s: float = 15.0
    agents: Agents = Agents()
    access: AccessPolicy = AccessPolicy()
    limits: Limits = Limits()
    retry: RetryPolicy = RetryPolicy()
    history: HistoryPolicy = HistoryPolicy()
    require_reply_token: bool = False
    mode: Mode = Mode.AUTO
    direct: DirectRoad | None = None


class TenantRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant as it is registered."""

    spec: TenantSpec
    status: TenantStatus
    created_at: datetime
    updated_at: datetime

    @property
    def tenant(self) -> Tenant:
        """What routing needs of it."""
        return Tenant(
            id=self.spec.id,
            status=self.status,
            agents=self.spec.agents,
            access=self.spec.access,
            limits=self.spec.limits,
            history=self.spec.history,
            require_reply_token=self.spec.require_reply_token,
        )

    def endpoint(
        self, sealed_secrets: tuple[str, ...], sealed_direct_token: str | None = None
    ) -> Endpoint:
        """What workers need of it; `sealed_secrets` are those valid now, newest first."""
        return Endpoint(
            tenant=self.spec.id,
            status=self.status,
            url=self.spec.endpoint_url,
            sealed_secrets=sealed_secrets,
            timeout_s=self.spec.timeout_s,
            retry=self.spec.retry,
            concurrency=self.spec.limits.concurrency,
            mode=self.spec.mode,
            direct=self.spec.direct,
            sealed_direct_token=sealed_direct_token,
        )


class BindingRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A bound workspace and its credential, sealed, if it has one."""

    tenant: TenantId
    platform: Platform
    workspace: WorkspaceId
    epoch: int
    created_at: datetime
    bot_user: str | None = None
    sealed_credential: str | None = None

    def binding(self, tenant: Tenant) -> Binding:
        """What routing reads with one look-up."""
        return Binding(
            tenant=tenant, platform=self.platform, workspace=self.workspace, epoch=self.epoch
        )


class AgentKeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A bearer key, by its digest. None in `expires_at` is for ever."""

    digest: str
    tenant: TenantId
    created_at: datetime
    expires_at: datetime | None


class SigningSecretRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A signing secret, sealed. None in `expires_at` is for ever."""

    id: int
    tenant: TenantId
    sealed: str
    created_at: datetime
    expires_at: datetime | None


class Belongings(msgspec.Struct, frozen=True, kw_only=True):
    """All that one tenant's keys in Redis are made of; expired keys and secrets left out."""

    record: TenantRecord
    bindings: tuple[BindingRecord, ...]
    agent_keys: tuple[AgentKeyRecord, ...]
    signing_secrets: tuple[SigningSecretRecord, ...]
    sealed_direct_token: str | None = None
    """What OpenClaw's own surface wants to see."""

    @property
    def endpoint(self) -> Endpoint:
        """What workers need of the tenant."""
        secrets = tuple(secret.sealed for secret in self.signing_secrets)
        return self.record.endpoint(secrets, self.sealed_direct_token)
