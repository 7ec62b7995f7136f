"""What workspaces need to come and go: the pages, the renewal of tokens, and what ends them. Wires
them, and decides nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web
from yarl import URL

from gateway.core.errors import ConfigError, RegistryError, SendError
from gateway.core.ids import Platform, WorkspaceId
from gateway.core.installs import NewInstallation, TokenAuthority
from gateway.core.tenants import Credential
from gateway.installations.rotation import Rotation
from gateway.installations.suspicion import Suspicions
from gateway.provisioning.validation import check_binding
from gateway.settings import Settings
from gateway.stages import Stage
from gateway.stores import Stores
from gateway.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from adapters.slack.oauth.tokens import SlackTokens


@dataclass(frozen=True, slots=True)
class Installing:
    """What the house takes in: `routes` for the public listener, `stage` among the upkeep."""

    routes: tuple[web.AbstractRouteDef, ...]
    suspicions: Suspicions
    stage: Stage


@asynccontextmanager
async def open_installing(
    settings: Settings, stores: Stores, metrics: Metrics
) -> AsyncIterator[Installing]:
    """Make everything that the settings ask for."""
    authorities: dict[Platform, TokenAuthority] = {}
    routes: tuple[web.AbstractRouteDef, ...] = ()
    async with open_slack_tokens(settings) as tokens:
        if Platform.SLACK in settings.platforms:
            authorities[Platform.SLACK] = tokens
            routes = _slack_pages(settings, stores, tokens)
        suspicions = Suspicions(
            stores.installations,
            authorities,
            lambda platform, why: metrics.installations_ended.labels(platform, why).inc(),
        )
        try:
            yield Installing(routes, suspicions, _stage(settings, stores, authorities, metrics))
        finally:
            await suspicions.close()


@asynccontextmanager
async def open_slack_tokens(settings: Settings) -> AsyncIterator[SlackTokens]:
    """Open the way to ask Slack about tokens."""
    import aiohttp  # noqa: PLC0415 - with the platform, as in adapters/registry.py

    from adapters.slack.config import SlackConfig  # noqa: PLC0415
    from adapters.slack.oauth.tokens import AppKeys, SlackTokens  # noqa: PLC0415

    secret = settings.slack_client_secret
    keys = None
    if settings.slack_client_id and secret is not None:
        keys = AppKeys(client_id=settings.slack_client_id, client_secret=secret.get_secret_value())
    config = SlackConfig(api_base_url=settings.slack_api_base_url)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield SlackTokens(config, session, keys)


def install_url(settings: Settings, link: str) -> str:
    """Write the address of the install page. Raises ConfigError when these settings have none."""
    from adapters.slack.oauth.manifest import INSTALL_PATH  # noqa: PLC0415

    problems = settings.problems_of_installs()
    if not (settings.public_url and settings.slack_client_id):
        problems.append(
            "an install page needs GATEWAY_PUBLIC_URL, SLACK_CLIENT_ID and SLACK_CLIENT_SECRET"
        )
    if problems:
        raise ConfigError("\n".join(problems))
    return str(URL(settings.public_url).with_path(INSTALL_PATH).with_query(link=link))


async def examined(settings: Settings, bot_token: str) -> NewInstallation:
    """Ask Slack whose a token is that somebody brought. Raises ConfigError when Slack's address is
    none, RegistryError for a token that is of no use, SendError when Slack cannot be asked.
    """
    if problems := settings.problems_of_installs():
        raise ConfigError("\n".join(problems))
    # What cannot be a token is sent to nobody.
    check_binding(Platform.SLACK, WorkspaceId("T0"), Credential(bot_token=bot_token))
    async with open_slack_tokens(settings) as tokens:
        try:
            return await tokens.whose(bot_token)
        except SendError as exc:
            if exc.permanent:
                raise RegistryError(f"bot_token: Slack refuses it: {exc.detail}") from exc
            raise


def _slack_pages(
    settings: Settings, stores: Stores, tokens: SlackTokens
) -> tuple[web.AbstractRouteDef, ...]:
    if tokens.keys is None or not settings.public_url:
        return ()
    # Only here: the SDK is large, and of use to nobody else.
    from adapters.slack.oauth.flow import Place  # noqa: PLC0415
    from adapters.slack.oauth.routes import InstallPages  # noqa: PLC0415
    from adapters.slack.oauth.scopes import BOT_SCOPES  # noqa: PLC0415

    place = Place(
        tokens.keys,
        BOT_SCOPES,
        public_url=settings.public_url,
        api_base_url=settings.slack_api_base_url,
    )
    return tuple(InstallPages(stores.invitations, tokens, place).routes())


def _stage(
    settings: Settings,
    stores: Stores,
    authorities: Mapping[Platform, TokenAuthority],
    metrics: Metrics,
) -> Stage:
    if not settings.slack_client_id:
        return {}
    rotation = Rotation(stores.pool, stores.installations, authorities, metrics)
    return {"token rotation": rotation.run}
