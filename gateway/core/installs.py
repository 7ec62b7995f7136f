"""Installations of the app in workspaces: how they come, how their tokens are renewed, what ends
them. The seams between a platform's consent flow and those who keep the tokens.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Protocol

import msgspec

from gateway.core.ids import Platform, TenantId, WorkspaceId
from gateway.core.tenants import Credential


class NewInstallation(msgspec.Struct, frozen=True, kw_only=True):
    """What a platform hands out when somebody has agreed to the app.

    `workspace` is the organisation for an organisation-wide installation. A token that expires has
    both `refresh_token` and `expires_at`.
    """

    platform: Platform
    workspace: WorkspaceId
    credential: Credential
    name: str = ""
    org_wide: bool = False
    scopes: tuple[str, ...] = ()
    installed_by: str = ""
    refresh_token: str | None = None
    expires_at: datetime | None = None

    def __repr__(self) -> str:
        """Keep the tokens out of logs and tracebacks."""
        return f"NewInstallation(platform={self.platform.value!r}, workspace={self.workspace!r})"


class Renewed(msgspec.Struct, frozen=True, kw_only=True):
    """A token in the place of one that will expire. The refresh token that brought it is spent."""

    bot_token: str
    refresh_token: str
    expires_at: datetime

    def __repr__(self) -> str:
        """Keep the tokens out of logs and tracebacks."""
        return f"Renewed(expires_at={self.expires_at.isoformat()})"


class Standing(StrEnum):
    """What a platform says of a token: good, worth nothing for ever, or it could not be asked."""

    VALID = "valid"
    VOID = "void"
    UNKNOWN = "unknown"


class TokenAuthority(Protocol):
    """Who can be asked about tokens: the platform that made them."""

    async def standing(self, credential: Credential, workspace: WorkspaceId) -> Standing:
        """Ask whether a token still counts there. Never raises for what a platform does."""

    async def renew(self, refresh_token: str) -> Renewed:
        """Spend a refresh token. Raises SendError; an ambiguous one may have spent it as well."""


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator has offered with a link: one workspace may join this tenant."""

    tenant: TenantId
    tenant_name: str
    link: bytes
    """Digest of the link, which is used up by `accept`."""


class Invitations(Protocol):
    """Who may bring a workspace, and to which tenant: the operator's word, never the installer's.

    A link serves one installation; each visit of it begins an attempt with a state of its own, so
    that a preview of the link, or a change of mind, does not use it up. All raise StoreError.
    """

    async def offer(self, link: str) -> Offer | None:
        """Tell what a link offers; None when it is none of ours, used up, or has expired."""

    async def begin(self, link: str) -> str | None:
        """Begin an attempt; return its state, which is good once and for ten minutes."""

    async def resume(self, state: str) -> Offer | None:
        """Use up a state; None when it is none of ours, or not any more."""

    async def accept(self, offer: Offer, new: NewInstallation) -> None:
        """Use up the link and give the workspace to its tenant, or change nothing at all.

        Raises NotFoundError when the link is gone, ConflictError when another tenant has the
        workspace, RegistryError for what cannot be stored.
        """
