"""What operators get to see. Counts and facts in place of secrets, but for secrets just made."""

from __future__ import annotations

from datetime import datetime
from typing import Self

import msgspec

from gateway.archive.records import BindingRecord, TenantRecord
from gateway.core.ids import Platform, TenantId, WorkspaceId


class NewTenant(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant just added, with its secrets: the one time that they can be read."""

    id: TenantId
    agent_key: str
    signing_secret: str

    def __repr__(self) -> str:
        """Keep the secrets out of logs and tracebacks."""
        return f"NewTenant(id={self.id!r})"


class BoundWorkspace(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace and whose it is."""

    tenant: TenantId
    platform: Platform
    workspace: WorkspaceId
    epoch: int
    created_at: datetime
    has_credential: bool
    bot_user: str | None

    @classmethod
    def of(cls, record: BindingRecord) -> Self:
        """Leave the credential out."""
        return cls(
            tenant=record.tenant,
            platform=record.platform,
            workspace=record.workspace,
            epoch=record.epoch,
            created_at=record.created_at,
            has_credential=record.sealed_credential is not None,
            bot_user=record.bot_user,
        )


class TenantView(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant and what it has."""

    tenant: TenantRecord
    workspaces: tuple[BoundWorkspace, ...]
    agent_keys: int
    signing_secrets: int
    direct_token: bool
    """Whether one is stored."""


class ResealCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many secrets were encrypted again."""

    signing_secrets: int
    credentials: int
    direct_tokens: int
