"""The install pages on a port of their own, over real stores, with Slack's stand-in behind them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import unescape

import aiohttp
import msgspec
import pytest
from yarl import URL

from adapters.slack.config import SlackConfig
from adapters.slack.oauth.tokens import AppKeys, SlackTokens
from gateway.archive.records import TenantSpec
from gateway.core.audit import AuditRecord
from gateway.core.clock import utc_now
from gateway.core.ids import Platform, TenantId, WorkspaceId
from gateway.core.installs import NewInstallation
from gateway.core.tenants import Credential
from gateway.installations.rotation import Rotation
from gateway.installing import Installing, install_url, open_installing
from gateway.sandbox.slack import SlackRules, SlackSandbox
from gateway.settings import Settings
from gateway.stores import Stores, open_stores
from gateway.telemetry.metrics import Metrics
from gateway.web.public import PublicListener
from gateway.web.server import Address
from tests.support.evidence import unarchived

ACME, GLOBEX = TenantId("acme"), TenantId("globex")
ALPHA, BETA = WorkspaceId("T0AAAA"), WorkspaceId("T0BBBB")

_LINK = re.compile(r'href="([^"]+)"')


@dataclass
class Clock:
    """A clock that a test can set forward."""

    ahead: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


@dataclass(frozen=True)
class Page:
    """What a browser shows, and where it was got from."""

    status: int
    text: str
    url: URL
    headers: dict[str, str]

    @property
    def link(self) -> str:
        """The first link on the page."""
        found = _LINK.search(self.text)
        assert found is not None, self.text
        return unescape(found[1])


class Browser:
    """A browser that keeps cookies and follows redirects."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def get(self, url: str, *, follow: bool = True) -> Page:
        """Visit a page."""
        async with self._session.get(url, allow_redirects=follow) as answer:
            return Page(
                answer.status, await answer.text(), answer.url, dict(answer.headers.items())
            )

    async def install(self, url: str) -> Page:
        """Follow an install link through the consent page to its end."""
        page = await self.get(url)
        assert 200 == page.status, page.text
        return await self.get(page.link)


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """A new browser; unsafe only in that it takes cookies of a bare address."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield Browser(session)


@dataclass(frozen=True)
class Office:
    """All that a test of installations needs."""

    settings: Settings
    stores: Stores
    slack: SlackSandbox
    installing: Installing
    tokens: SlackTokens
    metrics: Metrics
    clock: Clock

    async def invite(self, tenant: TenantId) -> str:
        """An install link for a tenant."""
        return install_url(self.settings, await self.stores.invitations.invite(tenant))

    async def add(self, tenant: TenantId, workspace: str, **given: object) -> NewInstallation:
        """Install as the sandbox knows it, without going through the pages."""
        team = self.slack.add_team(workspace)
        new = NewInstallation(
            platform=Platform.SLACK,
            workspace=WorkspaceId(workspace),
            credential=Credential(bot_token=team.bot_token, bot_user=team.bot_user_id),
        )
        new = msgspec.structs.replace(new, **given)
        await self.stores.installations.add(tenant, new)
        return new

    async def owner(self, workspace: str) -> str | None:
        """Whose a workspace is, as routing sees it."""
        binding = await self.stores.lookup.resolve(Platform.SLACK, [WorkspaceId(workspace)])
        return None if binding is None else binding.tenant.id

    async def token(self, workspace: str) -> str | None:
        """The token that messages are sent with."""
        bound = await self.stores.lookup.bound_workspace(Platform.SLACK, WorkspaceId(workspace))
        if bound is None or bound.sealed_credential is None:
            return None
        opened = self.stores.seal.open(bound.sealed_credential)
        return msgspec.json.decode(opened, type=Credential).bot_token

    async def told(self) -> list[AuditRecord]:
        """Every audit record there is."""
        entries = await unarchived(self.stores.redis, self.settings.shards)
        return [entry.record for entry in entries]

    def calls(self, method: str) -> int:
        """How often Slack was asked."""
        return sum(request.method == method for request in self.slack.requests)


@pytest.fixture
async def office(
    clean_redis: str, fresh_database: str, unused_tcp_port_factory: Callable[[], int]
) -> AsyncIterator[Office]:
    """Two tenants without workspaces, and two workspaces that have not installed the app."""
    port = unused_tcp_port_factory()
    async with SlackSandbox(rules=SlackRules(echo_own_messages=False)) as slack:
        settings = Settings.model_validate(
            {
                "demo": True,
                "shards": 2,
                "REDIS_URL": clean_redis,
                "DATABASE_URL": fresh_database,
                "public_url": f"http://127.0.0.1:{port}",
                "SLACK_API_BASE_URL": slack.base_url,
                "SLACK_CLIENT_ID": slack.oauth.client_id,
                "SLACK_CLIENT_SECRET": slack.oauth.client_secret,
            }
        )
        slack.oauth.redirect_urls.add(f"{settings.public_url}/slack/oauth_redirect")
        slack.oauth.add_workspace(ALPHA, "Alpha")
        slack.oauth.add_workspace(BETA, "Beta")
        metrics, clock = Metrics(), Clock()
        async with (
            open_stores(settings) as stores,
            open_installing(settings, stores, metrics) as installing,
            open_tokens(slack, clock) as tokens,
        ):
            for tenant, name in ((ACME, "Acme & Sons"), (GLOBEX, "Globex")):
                spec = TenantSpec(id=tenant, name=name, endpoint_url="https://agent.example/events")
                await stores.provisioning.add_tenant(spec)
            listener = PublicListener(installing.routes, Address("127.0.0.1", port, "test"))
            await listener.open()
            try:
                yield Office(settings, stores, slack, installing, tokens, metrics, clock)
            finally:
                await listener.close()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """The browser of somebody who administers a workspace."""
    async with open_browser() as opened:
        yield opened


@asynccontextmanager
async def open_tokens(slack: SlackSandbox, clock: Clock) -> AsyncIterator[SlackTokens]:
    """The way to ask Slack about tokens, under a clock of the test's."""
    keys = AppKeys(client_id=slack.oauth.client_id, client_secret=slack.oauth.client_secret)
    config = SlackConfig(api_base_url=slack.base_url)
    async with aiohttp.ClientSession() as session:
        yield SlackTokens(config, session, keys, now=clock)


@asynccontextmanager
async def rotation_of(office: Office) -> AsyncIterator[Rotation]:
    """One replica's renewal of tokens, under the office's clock."""
    yield Rotation(
        office.stores.pool,
        office.stores.installations,
        {Platform.SLACK: office.tokens},
        office.metrics,
        now=office.clock,
    )
