"""Platform -> adapter. Imports a platform's package only when that platform is configured, so that
nobody pays for, or is exposed to, an SDK that is not used.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from gateway.core.budgets import Budget
from gateway.core.errors import ConfigError
from gateway.core.ids import Platform
from gateway.core.ports import Forms, Outlet, Recalls, Source, Webhook
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.sockets import SocketMetrics


@dataclass(frozen=True, slots=True)
class SlackOptions:
    """What the Slack adapter needs of the settings."""

    app_token: str
    api_base_url: str
    signing_secrets: tuple[str, ...] = ()
    command_reply: str = ""
    agent_view: bool = False
    listens: bool = True
    is_called: bool = False
    """Whether it listens on sockets, and whether Slack calls the gateway. Both at once while an app
    moves from one to the other: the store knows an event by its id, whichever way it came.
    """

    def __repr__(self) -> str:
        return f"SlackOptions(api_base_url={self.api_base_url!r})"


@dataclass(frozen=True, slots=True)
class Adapter:
    """The ends of one platform: how its events come in, and the one way out."""

    outlet: Outlet
    source: Source | None
    webhooks: tuple[Webhook, ...] = ()
    recalls: Recalls | None = None


@asynccontextmanager
async def open_adapters(
    options: Mapping[Platform, SlackOptions], metrics: Metrics, forms: Forms, budget: Budget
) -> AsyncIterator[dict[Platform, Adapter]]:
    """Open the adapters that are configured; what they ask of their platforms, `budget` counts.
    Raises ConfigError for a platform that has none.
    """
    async with AsyncExitStack() as stack:
        adapters: dict[Platform, Adapter] = {}
        for platform, chosen in options.items():
            if platform is not Platform.SLACK:
                raise ConfigError(f"GATEWAY_PLATFORMS: {platform.value} has no adapter yet")
            adapters[platform] = await stack.enter_async_context(
                _slack(chosen, metrics, forms, budget)
            )
        yield adapters


@asynccontextmanager
async def _slack(
    options: SlackOptions, metrics: Metrics, forms: Forms, budget: Budget
) -> AsyncIterator[Adapter]:
    import aiohttp  # noqa: PLC0415 - with the platform, see above

    from adapters.slack.capabilities import CAPABILITIES  # noqa: PLC0415
    from adapters.slack.config import SlackConfig  # noqa: PLC0415
    from adapters.slack.intakes import open_intakes  # noqa: PLC0415
    from adapters.slack.outbound import render  # noqa: PLC0415
    from adapters.slack.recovery import SlackRecall  # noqa: PLC0415
    from adapters.slack.sender import SlackSender  # noqa: PLC0415
    from adapters.slack.web_api import WebApi  # noqa: PLC0415

    config = SlackConfig(
        app_token=options.app_token,
        api_base_url=options.api_base_url,
        signing_secrets=options.signing_secrets,
        command_reply=options.command_reply,
        agent_view=options.agent_view,
    )
    observe = SocketMetrics(Platform.SLACK, metrics)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        sender = SlackSender(config, session, budget)
        async with open_intakes(config, session, observe, forms, budget) as intakes:
            yield Adapter(
                source=intakes.source() if options.listens else None,
                webhooks=(intakes.webhook(),) if options.is_called else (),
                recalls=SlackRecall(WebApi(config, session, budget)),
                outlet=Outlet(render=render, sender=sender, capabilities=CAPABILITIES),
            )
