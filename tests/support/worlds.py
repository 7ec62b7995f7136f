"""Worlds for tests: two companies in one Slack app, with the same channel ids in both teams."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.core.ids import TenantId, WorkspaceId
from gateway.core.retry import RetryPolicy
from gateway.demo.world import Company, World, open_world
from gateway.sandbox.slack import SlackRules

ACME = TenantId("acme")
GLOBEX = TenantId("globex")
ACME_TEAM = WorkspaceId("T0ACME")
GLOBEX_TEAM = WorkspaceId("T0GLOBEX")

QUICK = RetryPolicy(base_s=0.05, cap_s=0.5)
# Slack is patient for six minutes; here it has to outlast the start of a gateway on a busy machine.
PATIENT = SlackRules(
    post_rate=None,
    redelivery_delays_s=(0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0),
    ack_deadline_s=1.0,
)


def companies() -> list[Company]:
    """Two tenants that differ in nothing but their names."""
    return [
        Company(tenant=ACME, team=ACME_TEAM, name="Acme", retry=QUICK),
        Company(tenant=GLOBEX, team=GLOBEX_TEAM, name="Globex", retry=QUICK),
    ]


@pytest.fixture
async def world(clean_redis: str, fresh_database: str) -> AsyncIterator[World]:
    """A world without a gateway; the test starts it."""
    async with open_world(clean_redis, fresh_database, companies(), rules=PATIENT) as opened:
        yield opened
