"""What Slack says of tokens, read off the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import pytest
from aiohttp import web

from adapters.slack.config import SlackConfig
from adapters.slack.oauth.tokens import AppKeys, SlackTokens
from gateway.core.clock import utc_now
from gateway.core.errors import SendError
from gateway.core.ids import WorkspaceId
from gateway.core.installs import Standing
from gateway.core.tenants import Credential
from gateway.sandbox.slack import ApiError, HttpStatus, ResetBefore, SlackSandbox
from gateway.web.server import Address, listening

REDIRECT = "https://gateway.example/slack/oauth_redirect"
ALPHA = "T0AAAA"


@pytest.fixture
async def slack() -> AsyncIterator[SlackSandbox]:
    """Slack with one workspace."""
    async with SlackSandbox() as sandbox:
        sandbox.oauth.redirect_urls.add(REDIRECT)
        sandbox.add_team(ALPHA, name="Alpha")
        yield sandbox


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """One HTTP session for a test."""
    async with aiohttp.ClientSession() as opened:
        yield opened


def tokens_of(slack: SlackSandbox, session: aiohttp.ClientSession, **keys: str) -> SlackTokens:
    """The adapter, with the app's own keys unless others are given."""
    own = {"client_id": slack.oauth.client_id, "client_secret": slack.oauth.client_secret}
    return SlackTokens(SlackConfig(api_base_url=slack.base_url), session, AppKeys(**(own | keys)))


@pytest.fixture
def tokens(slack: SlackSandbox, session: aiohttp.ClientSession) -> SlackTokens:
    """The adapter."""
    return tokens_of(slack, session)


async def code_of(slack: SlackSandbox, session: aiohttp.ClientSession) -> str:
    """Agree to the app, and take the code."""
    slack.oauth.visit_as(ALPHA)
    page = slack.base_url.replace("/api/", "/oauth/v2/authorize")
    query = {
        "client_id": slack.oauth.client_id,
        "scope": "chat:write,im:history",
        "redirect_uri": REDIRECT,
        "state": "s",
    }
    async with session.get(page, params=query, allow_redirects=False) as answer:
        return answer.headers["Location"].partition("code=")[2]


async def test_a_code_becomes_an_installation(
    slack: SlackSandbox, session: aiohttp.ClientSession, tokens: SlackTokens
) -> None:
    """Whose it is, what it may do, how it is renewed and when it ends."""
    slack.oauth.rotates = True
    new = await tokens.exchange(await code_of(slack, session), REDIRECT)

    assert (ALPHA, "Alpha", False, "U0ADMIN") == (
        new.workspace,
        new.name,
        new.org_wide,
        new.installed_by,
    )
    assert ("chat:write", "im:history") == new.scopes
    assert "U0BOT0AAAA" == new.credential.bot_user
    assert new.refresh_token is not None
    assert new.expires_at is not None
    assert timedelta(hours=11) < new.expires_at - utc_now() < timedelta(hours=13)
    assert "xox" not in repr(new)


async def test_a_code_works_once(
    slack: SlackSandbox, session: aiohttp.ClientSession, tokens: SlackTokens
) -> None:
    """It is never sent again by itself either."""
    code = await code_of(slack, session)
    await tokens.exchange(code, REDIRECT)
    with pytest.raises(SendError, match="invalid_code") as caught:
        await tokens.exchange(code, REDIRECT)
    assert caught.value.permanent


async def test_a_refresh_token_works_once(
    slack: SlackSandbox, session: aiohttp.ClientSession, tokens: SlackTokens
) -> None:
    """And the token that it brings counts at once."""
    slack.oauth.rotates = True
    new = await tokens.exchange(await code_of(slack, session), REDIRECT)
    renewed = await tokens.renew(new.refresh_token or "")

    assert Standing.VALID is await tokens.standing(
        Credential(bot_token=renewed.bot_token), WorkspaceId(ALPHA)
    )
    assert "xox" not in repr(renewed)
    with pytest.raises(SendError, match="invalid_refresh_token"):
        await tokens.renew(new.refresh_token or "")


async def test_wrong_keys_are_named(slack: SlackSandbox, session: aiohttp.ClientSession) -> None:
    """By Slack's own word, and without showing them."""
    wrong = tokens_of(slack, session, client_secret="wrong-secret")
    with pytest.raises(SendError, match="bad_client_secret"):
        await wrong.renew("xoxe-1-none")
    assert "secret" not in repr(wrong.keys)


async def test_without_keys_nothing_is_asked(
    slack: SlackSandbox, session: aiohttp.ClientSession
) -> None:
    """The settings that are missing are named."""
    without = SlackTokens(SlackConfig(api_base_url=slack.base_url), session)
    with pytest.raises(SendError, match="SLACK_CLIENT_ID"):
        await without.renew("xoxe-1-none")
    assert [] == list(slack.requests)


@pytest.mark.parametrize(
    ("fault", "standing"),
    [
        (None, Standing.VALID),
        (ApiError("token_revoked"), Standing.VOID),
        (ApiError("invalid_auth"), Standing.VOID),
        (ApiError("account_inactive"), Standing.VOID),
        (ApiError("token_expired"), Standing.UNKNOWN),
        (ApiError("ratelimited"), Standing.UNKNOWN),
        (HttpStatus(503), Standing.UNKNOWN),
        (ResetBefore(), Standing.UNKNOWN),
    ],
)
async def test_a_token_is_void_when_slack_says_so_and_only_then(
    slack: SlackSandbox,
    tokens: SlackTokens,
    fault: ApiError | HttpStatus | ResetBefore | None,
    standing: Standing,
) -> None:
    """A network fault must never end an installation."""
    if fault is not None:
        # Twice: aiohttp asks again by itself when a connection breaks under a GET.
        slack.fail_next("auth.test", fault, times=2)

    assert standing is await tokens.standing(
        Credential(bot_token=f"xoxb-{ALPHA}"), WorkspaceId(ALPHA)
    )


async def test_a_redirect_is_not_followed(session: aiohttp.ClientSession) -> None:
    """It would carry the app's secret to whoever it names."""
    seen: list[str] = []

    async def lead_on(request: web.Request) -> web.Response:
        seen.append(request.path)
        raise web.HTTPTemporaryRedirect("/api/elsewhere")

    app = web.Application()
    app.router.add_post("/api/{method}", lead_on)
    async with listening(app, Address("127.0.0.1", 0, "PORT")) as port:
        keys = AppKeys(client_id="1.2", client_secret="s")
        config = SlackConfig(api_base_url=f"http://127.0.0.1:{port}/api/")
        with pytest.raises(SendError, match="HTTP 307"):
            await SlackTokens(config, session, keys).renew("xoxe-1-none")

    assert ["/api/oauth.v2.access"] == seen


@pytest.mark.parametrize(
    "body", ["", "nope", "[]", '{"ok":false}', '{"ok":true}', '{"ok":true,"access_token":7}']
)
async def test_an_answer_that_says_nothing_is_an_error(
    session: aiohttp.ClientSession, body: str
) -> None:
    """Never a half installation."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=body, content_type="application/json")

    app = web.Application()
    app.router.add_post("/api/{method}", answer)
    async with listening(app, Address("127.0.0.1", 0, "PORT")) as port:
        keys = AppKeys(client_id="1.2", client_secret="s")
        config = SlackConfig(api_base_url=f"http://127.0.0.1:{port}/api/")
        tokens = SlackTokens(config, session, keys)
        with pytest.raises(SendError):
            await tokens.exchange("code", REDIRECT)
        with pytest.raises(SendError):
            await tokens.renew("xoxe-1-none")


async def test_an_organisations_token_counts_where_its_app_was_given(
    slack: SlackSandbox, tokens: SlackTokens
) -> None:
    """However many workspaces there are; where that cannot be asked, nothing is known."""
    org = Credential(bot_token="xoxb-org")
    for number in range(1_200):
        slack.add_team(
            f"T0ORG{number}",
            bot_token=org.bot_token,
            enterprise_id="E0ORG",
            is_enterprise_install=True,
        )
    first, last = WorkspaceId("T0ORG0"), WorkspaceId("T0ORG1199")
    assert Standing.VALID is await tokens.standing(org, last)
    slack.revoke_access(last)
    assert Standing.VOID is await tokens.standing(org, last)
    assert Standing.VALID is await tokens.standing(org, first)
    assert Standing.VALID is await tokens.standing(org, WorkspaceId("E0ORG"))
    slack.grant_access(last, org.bot_token)
    assert Standing.VALID is await tokens.standing(org, last)
    slack.fail_next("auth.teams.list", HttpStatus(500))
    assert Standing.UNKNOWN is await tokens.standing(org, last)
