"""How a tenant does at this moment, as `tenant show` tells it."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.core.ids import TenantId
    from gateway.core.tenants import Endpoint
    from gateway.stores import Stores


async def state_of(stores: Stores, tenant: TenantId) -> dict[str, object]:
    """Gather what the stores know of the tenant's container and of what waits for it."""
    breaker = await stores.breakers.of(tenant)
    report = await stores.breakers.health_of(tenant)
    health = "not checked yet"
    if report is not None:
        word = "well" if report.well else "ill"
        checked_at = _moment(report.checked_at_ms)
        health = f"{word} ({report.detail}, {report.took_ms} ms, checked {checked_at})"
    endpoint = await stores.breakers.endpoint_of(tenant)
    return {
        "way": "unknown" if endpoint is None else _way(endpoint),
        "health": health,
        "breaker": f"{breaker.state} since {_moment(breaker.since_ms)}" if breaker else "closed",
        "dead letters": await stores.dead_letters.count(tenant),
    }


async def let_go(stores: Stores, tenant: TenantId) -> None:
    """Close the tenant's breaker: an operator says that its endpoint may be tried again."""
    await stores.breakers.close(tenant, why=f"by {getpass.getuser()}")


def _way(endpoint: Endpoint) -> str:
    fallback = endpoint.fallback
    if fallback is not None:
        return f"direct since {_moment(fallback.since_ms)}: {fallback.why}"
    return "direct" if endpoint.goes_direct else "plugin"


def _moment(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="seconds")
