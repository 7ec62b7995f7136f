"""Installations as they change: in PostgreSQL first, then in the look-up keys, then on record.

Holds the registry's lock over both stores, as every change of the registry does. Asks no platform;
must never log or return a token to anybody but `credential`, which asks for it by name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec

from gateway.archive.installations import Grant, InstallationReads, InstallationRecord
from gateway.archive.registry import Registry
from gateway.archive.writes import RegistryWrites
from gateway.core.audit import AuditAction, AuditRecord
from gateway.core.clock import utc_now
from gateway.core.errors import NotFoundError, StoreError
from gateway.core.ids import Platform, TenantId, WorkspaceId
from gateway.core.installs import NewInstallation, Renewed
from gateway.core.tenants import Credential
from gateway.provisioning.validation import check_binding
from gateway.provisioning.write_through import WriteThrough
from gateway.sealing import Seal
from gateway.store.tenants import TenantLookup

Record = Callable[[AuditRecord], Awaitable[None]]
"""Store an audit record. Raises StoreError."""


class Installations:
    """The changes. All raise StoreError."""

    def __init__(
        self,
        registry: Registry,
        reads: InstallationReads,
        lookup: TenantLookup,
        seal: Seal,
        record: Record,
        *,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.reads = reads
        self._registry = registry
        self._keys = WriteThrough(lookup)
        self._seal = seal
        self._record = record
        self._now = now

    async def add(
        self, tenant: TenantId, new: NewInstallation, *, link: bytes | None = None
    ) -> None:
        """Give a workspace with its token to a tenant, and use up the link that it came by. Wholly
        or not at all.

        Raises NotFoundError when there is no such tenant or the link is gone, ConflictError when
        the workspace is another tenant's, RegistryError for what cannot be stored.
        """
        check_binding(new.platform, new.workspace, new.credential)
        async with self._registry.writing() as writes:
            async with writes.transaction():
                if link is not None and not await writes.use_link(link, self._now()):
                    raise NotFoundError("the install link has been used or has expired")
                await writes.bind(tenant, new.platform, new.workspace)
                await writes.put_installation(
                    new.platform,
                    new.workspace,
                    self._sealed(new.credential),
                    new.credential.bot_user,
                    self._grant(new),
                )
            try:
                await self._publish(writes, tenant)
            except StoreError as exc:
                raise StoreError(
                    f"PostgreSQL has saved the installation in {new.platform.value} workspace "
                    f"{new.workspace!r}, but the look-up keys in Redis are not up to date: "
                    f"run `channel-gateway registry rebuild` to finish\n{exc}"
                ) from exc
        action = AuditAction.INSTALLATION_ADDED
        await self._tell(action, tenant, new.platform, new.workspace, by=new.installed_by)

    async def renew(self, spent: InstallationRecord, refresh_token: str, renewed: Renewed) -> bool:
        """Put a renewed token in the place of the one that was made with `refresh_token`. False
        when that is not there any more: what has been installed since is newer. May be repeated.
        """
        async with self._registry.writing() as writes:
            stored = await writes.installation(spent.platform, spent.workspace)
            # By what it says, not by its sealed form: that changes with the sealing key.
            if stored is None or self.refresh_token(stored) not in {
                refresh_token,
                renewed.refresh_token,
            }:
                return False
            credential = Credential(bot_token=renewed.bot_token, bot_user=stored.bot_user)
            await writes.renew_installation(
                stored,
                self._sealed(credential),
                self._seal.seal(renewed.refresh_token),
                renewed.expires_at,
            )
            await self._publish(writes, stored.tenant)
        return True

    async def end(
        self, platform: Platform, workspace: WorkspaceId, why: str, *, token: str
    ) -> bool:
        """Forget the secrets of an installation whose token is `token`, and of no other. False when
        there is nothing to end. May be repeated: the look-up keys are brought up to date again.
        """
        async with self._registry.writing() as writes:
            stored = await writes.installation(platform, workspace)
            if stored is None:
                return False
            credential = self.credential(stored)
            ends = credential is not None and credential.bot_token == token
            if ends:
                # First the record: when a store fails, all of this is done again, and then there
                # would be nothing left to tell of.
                action = AuditAction.INSTALLATION_ENDED
                await self._tell(action, stored.tenant, platform, workspace, reason=why)
                await writes.end_installation(platform, workspace, why, self._now())
            await self._publish(writes, stored.tenant)
        return ends

    async def tell_renewal(self, renewed: InstallationRecord, trouble: str = "") -> None:
        """Put on record that a token was renewed, or why it could not be."""
        action = AuditAction.TOKEN_NOT_RENEWED if trouble else AuditAction.TOKEN_RENEWED
        await self._tell(
            action, renewed.tenant, renewed.platform, renewed.workspace, reason=trouble
        )

    def credential(self, stored: InstallationRecord) -> Credential | None:
        """Open what is stored; None for an installation that has ended."""
        if stored.sealed_credential is None:
            return None
        opened = self._seal.open(stored.sealed_credential)
        return msgspec.json.decode(opened, type=Credential)

    def refresh_token(self, stored: InstallationRecord) -> str | None:
        """Open what is stored; None for a token that does not expire."""
        sealed = stored.grant.sealed_refresh_token
        return None if sealed is None else self._seal.open(sealed)

    def _sealed(self, credential: Credential) -> str:
        return self._seal.seal(msgspec.json.encode(credential).decode())

    def _grant(self, new: NewInstallation) -> Grant:
        refresh = new.refresh_token
        return Grant(
            name=new.name,
            org_wide=new.org_wide,
            scopes=new.scopes,
            installed_by=new.installed_by,
            sealed_refresh_token=None if refresh is None else self._seal.seal(refresh),
            expires_at=new.expires_at,
        )

    async def _publish(self, writes: RegistryWrites, tenant: TenantId) -> None:
        for belongings in await writes.belongings([tenant], self._now()):
            await self._keys.publish(belongings)

    async def _tell(
        self,
        action: AuditAction,
        tenant: TenantId,
        platform: Platform,
        workspace: WorkspaceId,
        *,
        reason: str = "",
        by: str = "",
    ) -> None:
        await self._record(
            AuditRecord(
                tenant=tenant,
                action=action,
                reason=reason,
                platform=platform,
                workspace=workspace,
                detail=by and f"by {by}",
            )
        )
