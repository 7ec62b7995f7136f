"""People who go on talking while something breaks."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle

from gateway.core.ids import TenantId, WorkspaceId
from gateway.core.retry import RetryPolicy
from gateway.core.tenants import Limits
from gateway.demo.world import Company, World
from gateway.sandbox.agent import AgentDelivery
from gateway.sandbox.slack import SlackRules
from tests.support.waiting import eventually

ACME = TenantId("acme")
GLOBEX = TenantId("globex")
# Four tenants on four shards, so that every replica has work.
TENANTS = (ACME, GLOBEX, TenantId("initech"), TenantId("umbrella"))
CHANNELS = ("D0ANNA", "D0BORIS")

AMPLE = Limits(events_per_minute=60_000, event_burst=10_000)
QUICK = RetryPolicy(base_s=0.05, cap_s=0.5)
# Sent again so often that no fault of these tests outlasts it.
STUBBORN = SlackRules(
    post_rate=None,
    ack_deadline_s=1.0,
    redelivery_delays_s=(0.2, 1.0, 2.0, *(4.0,) * 6),
    echo_own_messages=False,
)
SHORT = {"GATEWAY_LEASE_S": "2", "GATEWAY_SLACK_POSTS_PER_S": "100"}

_PAUSE_S = 0.02


def team_of(tenant: TenantId) -> WorkspaceId:
    """Each tenant has one team, named after it."""
    return WorkspaceId(f"T0{tenant.upper()}")


def company(tenant: TenantId, *, timeout_s: float = 15.0) -> Company:
    """A tenant whose agent answers inline, so that every answer is the gateway's to keep."""
    return Company(
        tenant=tenant,
        team=team_of(tenant),
        name=tenant.title(),
        reply=lambda body: f"re {body['text']}",
        inline=True,
        limits=AMPLE,
        retry=QUICK,
        timeout_s=timeout_s,
    )


@dataclass
class Load:
    """What was said, and the way to say more. No text is said twice."""

    world: World
    said: Counter[TenantId] = field(default_factory=Counter)

    def say(self, tenant: TenantId, channel: str = CHANNELS[0]) -> str:
        """Write a direct message to the tenant's bot; returns its text."""
        self.said[tenant] += 1
        text = f"message {self.said[tenant]}"
        self.world.slack.say(team_of(tenant), channel, "U0ANNA", text)
        return text

    async def go_on(self, tenants: Sequence[TenantId]) -> None:
        """Talk until cancelled, whether anybody answers or not: about 50 messages a second."""
        for channel in cycle(CHANNELS):
            for tenant in tenants:
                self.say(tenant, channel)
                # A pace, not a wait: an outage must not silence people.
                await asyncio.sleep(_PAUSE_S)

    async def progress(self, messages: int = 10) -> None:
        """Wait until every agent has got so many more."""
        agents = self.world.agents.values()
        goals = {agent: len(agent.accepted_ids) + messages for agent in agents}
        await eventually(
            lambda: all(len(agent.accepted_ids) >= goal for agent, goal in goals.items()),
            timeout_s=20,
        )

    async def more_said(self, messages: int = 10) -> None:
        """Wait until people have said so much more."""
        goal = self.said.total() + messages
        await eventually(lambda: self.said.total() >= goal)

    def everything_arrived(self) -> bool:
        """Whether every agent took all that was said to it."""
        agents = self.world.agents
        return all(len(agents[each].accepted_ids) == count for each, count in self.said.items())


@asynccontextmanager
async def under_load(world: World, tenants: Sequence[TenantId] = TENANTS) -> AsyncIterator[Load]:
    """People of all tenants talk until the block ends."""
    load = Load(world)
    talk = asyncio.create_task(load.go_on(tenants))
    try:
        yield load
    finally:
        talk.cancel()
        await asyncio.wait([talk])


def held(world: World, tenant: TenantId) -> list[AgentDelivery]:
    """What the tenant's agent has got and not answered."""
    agent = world.agents[tenant]
    return [each for each in agent.deliveries if each.delivery_id not in agent.accepted_ids]
