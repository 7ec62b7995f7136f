"""Platform -> adapter. Imports a platform's package only when that platform is configured, so that
nobody pays for, or is exposed to, an SDK that is not used.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from gateway.core.errors import ConfigError
from gateway.core.ids import Platform
from gateway.core.ports import Outlet, Source
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.sockets import SocketMetrics


@dataclass(frozen=True, slots=True)
class SlackOptions:
    """What the Slack adapter needs of the settings."""

    app_token: str
    api_base_url: str

    def __repr__(self) -> str:
        return f"SlackOptions(api_base_url={self.api_base_url!r})"


@dataclass(frozen=True, slots=True)
class Adapter:
    """The two ends of one platform."""

    source: Source
    outlet: Outlet


@asynccontextmanager
async def open_adapters(
    options: Mapping[Platform, SlackOptions], metrics: Metrics
) -> AsyncIterator[dict[Platform, Adapter]]:
    """Open the adapters that are configured. Raises ConfigError for a platform that has none."""
    async with AsyncExitStack() as stack:
        adapters: dict[Platform, Adapter] = {}
        for platform, chosen in options.items():
            if platform is not Platform.SLACK:
                raise ConfigError(f"GATEWAY_PLATFORMS: {platform.value} has no adapter yet")
            adapters[platform] = await stack.enter_async_context(_slack(chosen, metrics))
        yield adapters


@asynccontextmanager
async def _slack(options: SlackOptions, metrics: Metrics) -> AsyncIterator[Adapter]:
    import aiohttp  # noqa: PLC0415 - with the platform, see above

    from adapters.slack.capabilities import CAPABILITIES  # noqa: PLC0415
    from adapters.slack.config import SlackConfig  # noqa: PLC0415
    from adapters.slack.outbound import render  # noqa: PLC0415
    from adapters.slack.sender import SlackSender  # noqa: PLC0415
    from adapters.slack.source import SlackSource  # noqa: PLC0415

    config = SlackConfig(app_token=options.app_token, api_base_url=options.api_base_url)
    observe = SocketMetrics(Platform.SLACK, metrics)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        sender = SlackSender(config, session)
        yield Adapter(
            source=SlackSource(config, session, ignore=observe.ignored, observe=observe),
            outlet=Outlet(render=render, sender=sender, capabilities=CAPABILITIES),
        )
