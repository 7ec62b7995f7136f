"""The stand-in as Slack's authorization server, as Slack's own SDK sees it."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from gateway.sandbox.slack import SlackSandbox
from tests.sandbox.conftest import ALPHA

# The SDK's own use of aiohttp.
pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")

REDIRECT = "https://app.example/oauth"


@pytest.fixture
def anyone(slack: SlackSandbox, session: aiohttp.ClientSession) -> AsyncWebClient:
    """A client without a token."""
    slack.oauth.redirect_urls.add(REDIRECT)
    slack.oauth.visit_as(ALPHA)
    return AsyncWebClient(base_url=slack.base_url, session=session, retry_handlers=[])


async def visit(
    slack: SlackSandbox, session: aiohttp.ClientSession, **changes: str
) -> tuple[int, dict[str, list[str]]]:
    """Visit the consent page; the status, and the query of where it leads."""
    query = {
        "client_id": slack.oauth.client_id,
        "scope": "chat:write",
        "redirect_uri": REDIRECT,
        "state": "opaque",
    } | changes
    page = slack.base_url.replace("/api/", "/oauth/v2/authorize")
    async with session.get(page, params=query, allow_redirects=False) as answer:
        return answer.status, parse_qs(urlsplit(answer.headers.get("Location", "")).query)


async def granted(
    slack: SlackSandbox, session: aiohttp.ClientSession, anyone: AsyncWebClient
) -> dict[str, object]:
    """Install the app."""
    _, query = await visit(slack, session)
    answer = await anyone.oauth_v2_access(
        client_id=slack.oauth.client_id,
        client_secret=slack.oauth.client_secret,
        code=query["code"][0],
        redirect_uri=REDIRECT,
    )
    assert isinstance(answer.data, dict)
    return answer.data


async def test_consent_leads_back_with_a_code(
    slack: SlackSandbox, session: aiohttp.ClientSession, anyone: AsyncWebClient
) -> None:
    """Or with the word that there was none; the state comes back as it was."""
    status, agreed = await visit(slack, session)
    slack.oauth.visit_as(ALPHA, consents=False)
    _, denied = await visit(slack, session)

    assert (302, ["opaque"]) == (status, agreed["state"])
    assert (["access_denied"], ["opaque"]) == (denied["error"], denied["state"])
    assert "code" not in denied


@pytest.mark.parametrize(
    "wrong", [{"client_id": "9.9"}, {"redirect_uri": "https://other.example"}, {"scope": ""}]
)
async def test_an_app_that_asks_wrongly_gets_no_code(
    slack: SlackSandbox,
    session: aiohttp.ClientSession,
    anyone: AsyncWebClient,
    wrong: dict[str, str],
) -> None:
    """A page of Slack's own, and no way back."""
    assert (400, {}) == await visit(slack, session, **wrong)


async def test_a_code_is_exchanged_once(
    slack: SlackSandbox, session: aiohttp.ClientSession, anyone: AsyncWebClient
) -> None:
    """For the token that the workspace has."""
    grant = await granted(slack, session, anyone)
    token = str(grant["access_token"])

    assert ({"id": ALPHA, "name": ALPHA}, None) == (grant["team"], grant["enterprise"])
    assert "refresh_token" not in grant
    assert ALPHA == (await anyone.auth_test(token=token))["team_id"]
    with pytest.raises(SlackApiError, match="invalid_code"):
        await anyone.oauth_v2_access(
            client_id=slack.oauth.client_id,
            client_secret=slack.oauth.client_secret,
            code="used",
            redirect_uri=REDIRECT,
        )


async def test_a_token_is_renewed_and_both_work_for_a_while(
    slack: SlackSandbox, session: aiohttp.ClientSession, anyone: AsyncWebClient
) -> None:
    """Until the next renewal; the refresh token is spent at once."""
    slack.oauth.rotates = True
    first = await granted(slack, session, anyone)

    async def renew(refresh_token: object) -> dict[str, object]:
        answer = await anyone.oauth_v2_access(
            client_id=slack.oauth.client_id,
            client_secret=slack.oauth.client_secret,
            grant_type="refresh_token",
            refresh_token=str(refresh_token),
        )
        assert isinstance(answer.data, dict)
        return answer.data

    second = await renew(first["refresh_token"])
    for grant in (first, second):
        assert ALPHA == (await anyone.auth_test(token=str(grant["access_token"])))["team_id"]
    with pytest.raises(SlackApiError, match="invalid_refresh_token"):
        await renew(first["refresh_token"])
    await renew(second["refresh_token"])
    with pytest.raises(SlackApiError, match="invalid_auth"):
        await anyone.auth_test(token=str(first["access_token"]))


async def test_a_revoked_token_is_worth_nothing(
    slack: SlackSandbox, session: aiohttp.ClientSession, anyone: AsyncWebClient
) -> None:
    """Nor the one before it; the app is told."""
    slack.oauth.rotates = True
    token = str((await granted(slack, session, anyone))["access_token"])
    assert not (await anyone.auth_revoke(token=token, test=True))["revoked"]
    assert (await anyone.auth_revoke(token=token))["revoked"]
    with pytest.raises(SlackApiError, match="invalid_auth"):
        await anyone.auth_test(token=token)


async def test_an_organisation_has_one_token_for_all_its_workspaces(
    slack: SlackSandbox, session: aiohttp.ClientSession, anyone: AsyncWebClient
) -> None:
    """The answer names the organisation and no team."""
    for team in ("T0ORGA", "T0ORGB"):
        slack.oauth.add_workspace(team, enterprise_id="E0ORG")
    slack.oauth.visit_as("T0ORGA", org_wide=True)
    grant = await granted(slack, session, anyone)

    assert (None, True) == (grant["team"], grant["is_enterprise_install"])
    assert {"id": "E0ORG", "name": "E0ORG Inc."} == grant["enterprise"]
    assert slack.oauth.team_token("T0ORGA") == slack.oauth.team_token("T0ORGB")
