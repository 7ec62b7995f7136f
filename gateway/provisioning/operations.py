"""Tenants, workspaces and their secrets, as operators change them: PostgreSQL first, then Redis.

Every change holds the registry's lock over both, so that two operators cannot interleave. Plain
secrets leave this module once, to whoever made them, and are never logged.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import msgspec

from gateway.archive.records import TenantRecord, TenantSpec
from gateway.archive.registry import Registry
from gateway.archive.writes import RegistryWrites
from gateway.core.clock import utc_now
from gateway.core.errors import ConflictError, NotFoundError, RegistryError, StoreError
from gateway.core.ids import Platform, TenantId, WorkspaceId
from gateway.core.tenants import Credential, TenantStatus
from gateway.provisioning.validation import check_binding, check_direct_token, check_spec
from gateway.provisioning.views import BoundWorkspace, NewTenant, ResealCounts, TenantView
from gateway.provisioning.write_through import RebuildCounts, WriteThrough, batches
from gateway.sealing import Seal
from gateway.store.keys import Pepper
from gateway.store.tenants import TenantLookup


class Provisioning:
    """The operations. All raise StoreError when a store fails, RegistryError when refused."""

    def __init__(
        self,
        registry: Registry,
        lookup: TenantLookup,
        pepper: Pepper,
        seal: Seal,
        *,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._registry = registry
        self._keys = WriteThrough(lookup)
        self._pepper = pepper
        self._seal = seal
        self._now = now

    async def add_tenant(self, spec: TenantSpec, direct_token: str | None = None) -> NewTenant:
        """Register a tenant with its first agent key and signing secret. `direct_token` opens
        OpenClaw's own surface.
        """
        check_spec(spec)
        check_direct_token(spec, direct_token)
        created = NewTenant(
            id=spec.id, agent_key=_new_agent_key(), signing_secret=_new_signing_secret()
        )
        async with self._registry.writing() as writes:
            async with writes.transaction():
                await writes.add_tenant(spec)
                await self._add_agent_key(writes, spec.id, created.agent_key)
                await self._add_signing_secret(writes, spec.id, created.signing_secret)
                await self._put_direct_token(writes, spec, direct_token)
            lost = ", then `channel-gateway tenant rotate-key` makes a key that you can read"
            with _saved(f"tenant {spec.id!r}", and_then=lost):
                await self._publish(writes, spec.id)
        return created

    async def edit_tenant(
        self,
        tenant: TenantId,
        edit: Callable[[TenantSpec], TenantSpec],
        direct_token: str | None = None,
    ) -> TenantRecord:
        """Change what is set of a tenant; `edit` sees it as it is under the lock. Without a
        `direct_token` the stored one stays, as long as there is what it opens.
        """
        async with self._registry.writing() as writes:
            changed = edit((await writes.tenant(tenant)).spec)
            if changed.id != tenant:
                raise RegistryError("id: cannot be changed")
            check_spec(changed)
            check_direct_token(changed, direct_token)
            async with writes.transaction():
                await writes.update_tenant(changed)
                await self._put_direct_token(writes, changed, direct_token)
            with _saved(f"the change of tenant {tenant!r}"):
                await self._publish(writes, tenant)
            return await writes.tenant(tenant)

    async def tenants(self) -> list[TenantRecord]:
        """List all tenants by id."""
        return await self._registry.tenants()

    async def show(self, tenant: TenantId) -> TenantView:
        """Show a tenant and what it has."""
        found = await self._registry.belongings([tenant], self._now())
        if not found:
            raise NotFoundError(f"there is no tenant {tenant!r}")
        return TenantView(
            tenant=found[0].record,
            workspaces=tuple(BoundWorkspace.of(bound) for bound in found[0].bindings),
            agent_keys=len(found[0].agent_keys),
            signing_secrets=len(found[0].signing_secrets),
            direct_token=found[0].sealed_direct_token is not None,
        )

    async def suspend(self, tenant: TenantId) -> None:
        """Drop the tenant's events and let its deliveries wait, until it is resumed."""
        await self._set_status(tenant, TenantStatus.SUSPENDED)

    async def resume(self, tenant: TenantId) -> None:
        """End a suspension."""
        await self._set_status(tenant, TenantStatus.ACTIVE)

    async def remove(self, tenant: TenantId, *, force: bool = False) -> None:
        """Remove a tenant with its secrets; one with workspaces only when `force`d."""
        async with self._registry.writing() as writes:
            await writes.tenant(tenant)
            [gone] = await writes.belongings([tenant], self._now())
            if gone.bindings and not force:
                raise ConflictError(
                    f"tenant {tenant!r} still has {len(gone.bindings)} workspaces: "
                    "unbind them first, or force it"
                )
            async with writes.transaction():
                for bound in gone.bindings:
                    await writes.unbind(bound.platform, bound.workspace)
                await writes.remove_tenant(tenant)
            with _saved(f"the removal of tenant {tenant!r}"):
                await self._keys.withdraw(gone)

    async def rotate_agent_key(self, tenant: TenantId, grace: timedelta) -> str:
        """Make a new bearer key; older ones end after `grace`."""
        key = _new_agent_key()
        now = self._now()
        async with self._registry.writing() as writes:
            await writes.tenant(tenant)
            async with writes.transaction():
                await writes.expire_agent_keys(tenant, _end(now, grace))
                await self._add_agent_key(writes, tenant, key)
                ended = await writes.drop_expired_keys(now)
            with _saved(f"the new agent key of tenant {tenant!r}", and_then=", then rotate again"):
                await self._keys.withdraw_agent_keys(ended)
                await self._publish(writes, tenant)
        return key

    async def rotate_signing_secret(self, tenant: TenantId, grace: timedelta) -> str:
        """Make a new signing secret; requests carry the signatures of older ones for `grace`."""
        secret = _new_signing_secret()
        async with self._registry.writing() as writes:
            await writes.tenant(tenant)
            async with writes.transaction():
                await writes.expire_signing_secrets(tenant, _end(self._now(), grace))
                await self._add_signing_secret(writes, tenant, secret)
            with _saved(f"the new secret of tenant {tenant!r}", and_then=", then rotate again"):
                await self._publish(writes, tenant)
        return secret

    async def bind(
        self,
        tenant: TenantId,
        platform: Platform,
        workspace: WorkspaceId,
        credential: Credential | None = None,
    ) -> BoundWorkspace:
        """Give a workspace to a tenant. Again with a credential replaces it, without keeps it."""
        check_binding(platform, workspace, credential)
        async with self._registry.writing() as writes:
            async with writes.transaction():
                await writes.bind(tenant, platform, workspace)
                if credential is not None:
                    sealed = self._seal.seal(msgspec.json.encode(credential).decode())
                    await writes.put_installation(platform, workspace, sealed, credential.bot_user)
            with _saved(f"the binding of {platform.value} workspace {workspace!r}"):
                await self._publish(writes, tenant)
            bound = await writes.binding(platform, workspace)
        if bound is None:
            raise StoreError(f"PostgreSQL: the binding of {workspace!r} is gone again")
        return BoundWorkspace.of(bound)

    async def unbind(self, platform: Platform, workspace: WorkspaceId) -> TenantId:
        """Take a workspace from its tenant; return whose it was."""
        async with self._registry.writing() as writes:
            tenant = await writes.unbind(platform, workspace)
            with _saved(f"the unbinding of {platform.value} workspace {workspace!r}"):
                await self._keys.withdraw_binding(platform, workspace)
        return tenant

    async def bindings(self, tenant: TenantId | None = None) -> list[BoundWorkspace]:
        """List the bound workspaces, of all tenants or of one."""
        return [BoundWorkspace.of(bound) for bound in await self._registry.bindings(tenant)]

    async def rebuild(self) -> RebuildCounts:
        """Write every look-up key again from PostgreSQL and remove those that it does not know."""
        async with self._registry.writing() as writes:
            return await self._rebuild(writes)

    async def reseal(self) -> ResealCounts:
        """Encrypt every stored secret with the newest sealing key, in both stores."""
        async with self._registry.writing() as writes:
            async with writes.transaction():
                counts = ResealCounts(
                    signing_secrets=await writes.reseal_signing_secrets(self._seal.reseal),
                    credentials=await writes.reseal_installations(self._seal.reseal),
                    direct_tokens=await writes.reseal_direct_tokens(self._seal.reseal),
                )
            with _saved("every secret under the newest key"):
                await self._rebuild(writes)
        return counts

    async def expire(self) -> int:
        """Forget keys and secrets whose grace has ended; return how many tenants had secrets that
        must no longer sign. To be called now and then.
        """
        async with self._registry.writing() as writes:
            async with writes.transaction():
                ended = await writes.drop_expired_keys(self._now())
                tenants = await writes.drop_expired_secrets(self._now())
            with _saved("the end of expired secrets"):
                await self._keys.withdraw_agent_keys(ended)
                for tenant in sorted(tenants):
                    await self._publish(writes, tenant)
        return len(tenants)

    async def _set_status(self, tenant: TenantId, status: TenantStatus) -> None:
        async with self._registry.writing() as writes:
            await writes.set_status(tenant, status)
            with _saved(f"tenant {tenant!r} as {status.value}"):
                await self._publish(writes, tenant)

    async def _publish(self, writes: RegistryWrites, tenant: TenantId) -> None:
        for belongings in await writes.belongings([tenant], self._now()):
            await self._keys.publish(belongings)

    async def _rebuild(self, writes: RegistryWrites) -> RebuildCounts:
        known: set[str] = set()
        bindings = agent_keys = 0
        tenants = await writes.tenant_ids()
        for batch in batches(tenants):
            for belongings in await writes.belongings(batch, self._now()):
                await self._keys.publish(belongings)
                known |= self._keys.keys_of(belongings)
                bindings += len(belongings.bindings)
                agent_keys += len(belongings.agent_keys)
        pruned = await self._keys.prune(known, set(tenants))
        await self._keys.finish()
        return RebuildCounts(
            tenants=len(tenants), bindings=bindings, agent_keys=agent_keys, pruned=pruned
        )

    async def _put_direct_token(
        self, writes: RegistryWrites, spec: TenantSpec, token: str | None
    ) -> None:
        if token is not None:
            await writes.put_direct_token(spec.id, self._seal.seal(token))
        elif spec.direct is None:
            # It opens a door that nobody goes through any more, as an owner.
            await writes.put_direct_token(spec.id, None)

    async def _add_agent_key(self, writes: RegistryWrites, tenant: TenantId, key: str) -> None:
        await writes.add_agent_key(tenant, self._pepper.agent_key_digest(key))

    async def _add_signing_secret(
        self, writes: RegistryWrites, tenant: TenantId, secret: str
    ) -> None:
        await writes.add_signing_secret(tenant, self._seal.seal(secret))


@contextmanager
def _saved(what: str, *, and_then: str = "") -> Iterator[None]:
    """Tell an operator whose change is half done which half it is, and how to finish."""
    try:
        yield
    except StoreError as exc:
        raise StoreError(
            f"PostgreSQL has saved {what}, but the look-up keys in Redis are not up to date: "
            f"run `channel-gateway registry rebuild` to finish{and_then}\n{exc}"
        ) from exc


def _end(now: datetime, grace: timedelta) -> datetime:
    if grace < timedelta(0):
        raise RegistryError("grace: must not be negative")
    return now + grace


def _new_agent_key() -> str:
    return f"cgk_{secrets.token_urlsafe(32)}"


def _new_signing_secret() -> str:
    # The form of https://www.standardwebhooks.com: base64 of 24-64 random bytes.
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
