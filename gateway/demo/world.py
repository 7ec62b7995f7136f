"""A world to try the gateway in: one Slack, several companies, and the gateway as its own process.

`channel-gateway demo` and the end-to-end tests live in it. Everything is on loopback.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from gateway.archive.records import TenantSpec
from gateway.core.ids import Platform, TenantId, WorkspaceId
from gateway.core.retry import RetryPolicy
from gateway.core.tenants import AccessPolicy, Credential, Limits
from gateway.sandbox.agent import AgentSandbox, Reply, echo
from gateway.sandbox.process import GatewayProcess
from gateway.sandbox.slack import SlackRules, SlackSandbox
from gateway.settings import Settings
from gateway.stores import Stores, open_stores

# An agent that gives up sooner than a gateway can be started again has nothing to say of either.
_AGENT_RETRIES_S = (0.05, 0.1, 0.2, 0.5, 1.0, *(2.0 for _ in range(12)))

APP_TOKEN = "xapp-1-A0SANDBOX-demo"  # noqa: S105 - the sandbox's own


@dataclass(frozen=True, slots=True)
class Company:
    """A tenant to be: its Slack team and how its agent behaves."""

    tenant: TenantId
    team: WorkspaceId
    name: str
    reply: Reply = echo
    inline: bool = False
    access: AccessPolicy = field(default_factory=AccessPolicy)
    limits: Limits = field(default_factory=Limits)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout_s: float = 15.0
    require_reply_token: bool = False


@dataclass(slots=True)
class World:
    """What is running."""

    slack: SlackSandbox
    stores: Stores
    settings: Settings
    agents: dict[TenantId, AgentSandbox] = field(default_factory=dict)
    keys: dict[TenantId, str] = field(default_factory=dict, repr=False)
    gateways: list[GatewayProcess] = field(default_factory=list)

    @property
    def gateway(self) -> GatewayProcess:
        """The gateway that was started last."""
        return self.gateways[-1]

    async def start_gateway(self, env: Mapping[str, str] | None = None) -> GatewayProcess:
        """Start a gateway process and wait until Slack has both of its sockets."""
        gateway = GatewayProcess({**self.environment(), **(env or {})})
        self.gateways.append(gateway)
        before = self.slack.sockets_opened
        await gateway.start()
        await gateway.listening()
        await self.slack.wait_for_connects(before + 2, timeout_s=20)
        for agent in self.agents.values():
            agent.gateway_url = gateway.agent_api
        return gateway

    def environment(self) -> dict[str, str]:
        """The settings of the gateway process, as an operator would set them."""
        return {
            "GATEWAY_DEMO": "1",
            "GATEWAY_PORT": "0",
            "GATEWAY_OPS_PORT": "0",
            "REDIS_URL": self.settings.redis_url or "",
            "DATABASE_URL": self.settings.database_url or "",
            "SLACK_APP_TOKEN": APP_TOKEN,
            "SLACK_API_BASE_URL": self.slack.base_url,
        }

    async def settle_in(self, company: Company) -> None:
        """Register the tenant, bind its team, start its agent."""
        mode: Literal["async", "inline"] = "inline" if company.inline else "async"
        agent = AgentSandbox(
            secrets=[], api_key="", reply=company.reply, mode=mode, retry_delays_s=_AGENT_RETRIES_S
        )
        await agent.start()
        self.agents[company.tenant] = agent
        created = await self.stores.provisioning.add_tenant(
            TenantSpec(
                id=company.tenant,
                endpoint_url=agent.url,
                name=company.name,
                access=company.access,
                limits=company.limits,
                retry=company.retry,
                timeout_s=company.timeout_s,
                require_reply_token=company.require_reply_token,
            )
        )
        agent.admit(secrets=[created.signing_secret], api_key=created.agent_key)
        self.keys[company.tenant] = created.agent_key
        team = self.slack.add_team(company.team, name=company.name)
        await self.stores.provisioning.bind(
            company.tenant,
            Platform.SLACK,
            company.team,
            Credential(bot_token=team.bot_token, bot_user=team.bot_user_id),
        )

    async def close(self) -> None:
        """End what this world started."""
        for gateway in self.gateways:
            try:
                await gateway.stop()
            except TimeoutError:
                # Left running, it would outlive its world.
                await gateway.kill()
        for agent in self.agents.values():
            await agent.close()


@asynccontextmanager
async def open_world(
    redis_url: str,
    database_url: str,
    companies: Sequence[Company],
    *,
    rules: SlackRules | None = None,
) -> AsyncIterator[World]:
    """Open a world without a gateway; `start_gateway` comes when everything else stands."""
    settings = Settings(demo=True, redis_url=redis_url, database_url=database_url)
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(open_stores(settings))
        slack = await stack.enter_async_context(
            SlackSandbox(app_token=APP_TOKEN, rules=rules or SlackRules())
        )
        world = World(slack=slack, stores=stores, settings=settings)
        stack.push_async_callback(world.close)
        for company in companies:
            await world.settle_in(company)
        yield world
