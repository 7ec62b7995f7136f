"""Both stores, opened from the settings and ready for use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from gateway.archive import connection as archive_connection
from gateway.archive.audit import AuditArchive
from gateway.archive.connection import Pool
from gateway.archive.install_links import InstallLinks
from gateway.archive.installations import InstallationReads
from gateway.archive.migrations import migrate
from gateway.archive.partitions import ensure_months
from gateway.archive.registry import Registry
from gateway.core.budgets import Budget
from gateway.core.clock import utc_now
from gateway.core.errors import ConfigError
from gateway.installations.invitations import LinkInvitations
from gateway.installations.service import Installations
from gateway.provisioning.operations import Provisioning
from gateway.sealing import Seal
from gateway.settings import Settings
from gateway.store import connection as store_connection
from gateway.store.breakers import BreakerStore
from gateway.store.buckets import Buckets
from gateway.store.connection import Client, Confirmation
from gateway.store.deadletters import DeadLetterStore
from gateway.store.deliveries import DeliveryStore
from gateway.store.departed import DepartedTenants
from gateway.store.keys import Pepper
from gateway.store.tenants import TenantLookup
from gateway.store_urls import store_urls


@dataclass(frozen=True, slots=True)
class Stores:
    """What the two stores are used through."""

    redis: Client
    confirmation: Confirmation
    pool: Pool
    pepper: Pepper
    seal: Seal
    lookup: TenantLookup
    registry: Registry
    archive: AuditArchive
    provisioning: Provisioning
    installations: Installations
    invitations: LinkInvitations
    dead_letters: DeadLetterStore
    breakers: BreakerStore
    departed: DepartedTenants
    budget: Budget


@asynccontextmanager
async def open_stores(settings: Settings) -> AsyncIterator[Stores]:
    """Open both stores, with the schema up to date and the look-up keys in place.

    A store without a URL is an embedded server on `settings.data_dir`. Raises ConfigError when the
    settings cannot work, StoreError when a store does not answer.
    """
    settings.checked()
    async with AsyncExitStack() as stack:
        redis_url, database_url = await store_urls(settings, stack)
        redis = await stack.enter_async_context(store_connection.connect(redis_url))
        lookup = _lookup(settings, redis)
        # Asked before PostgreSQL is changed: a change that Redis cannot follow is better not begun.
        shards = await lookup.filled_with_shards()
        _check_shards(shards, settings)
        pool = await stack.enter_async_context(archive_connection.connect(database_url))
        await migrate(pool)
        await ensure_months(pool, utc_now())
        stores = _assembled(settings, redis, pool, lookup)
        if shards is None:
            await stores.provisioning.rebuild()
            _check_shards(await lookup.filled_with_shards(), settings)
        yield stores


def _pepper(settings: Settings) -> Pepper:
    return Pepper(settings.pepper.get_secret_value().encode())


def _lookup(settings: Settings, redis: Client) -> TenantLookup:
    confirmation = _confirmation(settings)
    return TenantLookup(redis, _pepper(settings), settings.shards, confirmation=confirmation)


def _confirmation(settings: Settings) -> Confirmation:
    return Confirmation(replicas=settings.commit_replicas, wait_s=settings.commit_wait_s)


def _assembled(settings: Settings, redis: Client, pool: Pool, lookup: TenantLookup) -> Stores:
    pepper = _pepper(settings)
    seal = Seal([key.get_secret_value() for key in settings.sealing_keys])
    registry = Registry(pool)
    confirmation = _confirmation(settings)
    deliveries = DeliveryStore(redis, settings.shards, confirmation=confirmation)
    installations = Installations(
        registry, InstallationReads(pool), lookup, seal, deliveries.record
    )
    return Stores(
        redis=redis,
        confirmation=confirmation,
        pool=pool,
        pepper=pepper,
        seal=seal,
        lookup=lookup,
        registry=registry,
        archive=AuditArchive(pool),
        provisioning=Provisioning(registry, lookup, pepper, seal),
        installations=installations,
        invitations=LinkInvitations(InstallLinks(pool), installations),
        dead_letters=DeadLetterStore(redis, settings.shards, confirmation=confirmation),
        breakers=BreakerStore(redis, settings.shards),
        departed=DepartedTenants(redis, settings.shards),
        budget=Buckets(redis, settings.shards),
    )


def _check_shards(found: int | None, settings: Settings) -> None:
    # With another number every tenant's queue would be looked for in another place.
    if found is not None and found != settings.shards:
        raise ConfigError(
            f"GATEWAY_SHARDS is {settings.shards}, but this Redis holds data in {found} shards: "
            f"set GATEWAY_SHARDS={found}, since the number cannot change while data exists"
        )
