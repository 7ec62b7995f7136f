"""What Slack says of tokens: hands them out for a code, renews them, tells whose they are.

Keeps none and logs none. https://docs.slack.dev/authentication/installing-with-oauth/ and
https://docs.slack.dev/authentication/using-token-rotation/
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

import aiohttp
import msgspec
import orjson

from adapters.slack.config import SlackConfig
from adapters.slack.errors import (
    WIRE_ERRORS,
    api_error,
    http_error,
    rejected,
    unreadable_answer,
    wire_error,
)
from adapters.slack.fields import Fields
from adapters.slack.homes import is_organisation
from adapters.slack.web_api import WebApi
from gateway.core.clock import utc_now
from gateway.core.errors import SendError
from gateway.core.ids import Platform, WorkspaceId
from gateway.core.installs import NewInstallation, Renewed, Standing
from gateway.core.tenants import Credential

_METHOD: Final = "oauth.v2.access"
_QUESTION_S: Final = 2.0
"""Within the three seconds in which an event has to be acknowledged."""

_MAX_NAME_CHARS: Final = 200
_MAX_SCOPES: Final = 255
_VOID: Final = frozenset({"account_inactive", "invalid_auth", "token_revoked"})
"""https://docs.slack.dev/reference/methods/auth.test#errors . Not `token_expired`: that one can
still be renewed.
"""


class AppKeys(msgspec.Struct, frozen=True, kw_only=True):
    """Who the app is to Slack, from its settings under Basic Information."""

    client_id: str
    client_secret: str

    @property
    def basic(self) -> str:
        """The header that Slack prefers to parameters. RFC 7617."""
        pair = f"{self.client_id}:{self.client_secret}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"

    def __repr__(self) -> str:
        """Keep the secret out of logs and tracebacks."""
        return f"AppKeys(client_id={self.client_id!r})"


class SlackTokens:
    """A TokenAuthority. Repeats nothing: a code and a refresh token work once."""

    def __init__(
        self,
        config: SlackConfig,
        session: aiohttp.ClientSession,
        keys: AppKeys | None = None,
        *,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """Without `keys` nothing can be exchanged or renewed."""
        self._config = config
        self._session = session
        self.keys = keys
        quick_s = min(config.call_timeout_s, _QUESTION_S)
        self._quick = WebApi(msgspec.structs.replace(config, call_timeout_s=quick_s), session)
        self._api = WebApi(config, session)
        self._timeout = aiohttp.ClientTimeout(total=config.call_timeout_s)
        self._now = now

    async def exchange(self, code: str, redirect_uri: str) -> NewInstallation:
        """Get the installation that a person has just agreed to. Raises SendError.

        https://docs.slack.dev/reference/methods/oauth.v2.access
        """
        answer = await self._ask({"code": code, "redirect_uri": redirect_uri})
        org_wide = answer.flag("is_enterprise_install")
        place = answer.child("enterprise" if org_wide else "team")
        token = answer.text("access_token")
        workspace = place.id("id")
        if not token or not workspace:
            raise rejected(f"{_METHOD}: no bot token was given, or for no workspace")
        refresh = answer.text("refresh_token") or None
        return NewInstallation(
            platform=Platform.SLACK,
            workspace=WorkspaceId(workspace),
            credential=Credential(bot_token=token, bot_user=answer.id("bot_user_id") or None),
            name=_printable(place.text("name")),
            org_wide=org_wide,
            scopes=tuple(answer.text("scope").split(",")[:_MAX_SCOPES]),
            installed_by=answer.child("authed_user").id("id"),
            refresh_token=refresh,
            expires_at=self._end(answer) if refresh else None,
        )

    async def renew(self, refresh_token: str) -> Renewed:
        """Spend a refresh token. Raises SendError; ambiguous when it may be spent all the same."""
        answer = await self._ask({"grant_type": "refresh_token", "refresh_token": refresh_token})
        token, refresh = answer.text("access_token"), answer.text("refresh_token")
        if not token or not refresh:
            raise unreadable_answer(f"{_METHOD}: no token came back")
        return Renewed(bot_token=token, refresh_token=refresh, expires_at=self._end(answer))

    async def standing(self, credential: Credential, workspace: WorkspaceId) -> Standing:
        """Ask whether a token still counts there: that of an organisation does in the workspaces
        that its app has been given.
        """
        try:
            async with asyncio.timeout(_QUESTION_S):
                answer = await self._quick.read("auth.test", credential.bot_token, {})
                if not answer.flag("is_enterprise_install") or is_organisation(workspace):
                    return Standing.VALID
                return await self._reaching(credential, workspace)
        except SendError as exc:
            return Standing.VOID if exc.detail in _VOID else Standing.UNKNOWN
        except TimeoutError:
            return Standing.UNKNOWN

    async def _reaching(self, credential: Credential, workspace: WorkspaceId) -> Standing:
        """https://docs.slack.dev/reference/methods/auth.teams.list/"""
        query = {"limit": "1000"}
        while True:
            page = await self._quick.read("auth.teams.list", credential.bot_token, query)
            if workspace in {team.id("id") for team in page.children("teams")}:
                return Standing.VALID
            query["cursor"] = page.child("response_metadata").text("next_cursor")
            if not query["cursor"]:
                return Standing.VOID if "teams" in page else Standing.UNKNOWN

    async def whose(self, bot_token: str) -> NewInstallation:
        """Find the workspace and the bot of a token that somebody brought. Raises SendError.

        https://docs.slack.dev/reference/methods/auth.test
        """
        answer = await self._api.read("auth.test", bot_token, {})
        org_wide = answer.flag("is_enterprise_install")
        workspace = answer.id("enterprise_id") if org_wide else answer.id("team_id")
        if not workspace or not answer.id("bot_id"):
            raise rejected("this is not a bot's token")
        return NewInstallation(
            platform=Platform.SLACK,
            workspace=WorkspaceId(workspace),
            credential=Credential(bot_token=bot_token, bot_user=answer.id("user_id") or None),
            name=_printable(answer.text("team")),
            org_wide=org_wide,
        )

    async def _ask(self, form: Mapping[str, str]) -> Fields:
        if self.keys is None:
            raise rejected("SLACK_CLIENT_ID and SLACK_CLIENT_SECRET are not set")
        try:
            async with self._session.post(
                self._config.method_url(_METHOD),
                data=form,
                headers={"Authorization": self.keys.basic},
                timeout=self._timeout,
                # A redirect would carry the secrets to a host nobody chose.
                allow_redirects=False,
            ) as response:
                if response.status != 200:
                    raise http_error(response.status, response.headers.get("Retry-After"))
                return _answer(await response.read())
        except WIRE_ERRORS as exc:
            raise wire_error(exc) from exc

    def _end(self, answer: Fields) -> datetime:
        # Without a number it is taken to end now, so that it is renewed at the first turn.
        return self._now() + timedelta(seconds=min(answer.count("expires_in"), 10**8))


def _answer(body: bytes) -> Fields:
    try:
        answer = Fields(orjson.loads(body))
    except orjson.JSONDecodeError as exc:
        raise unreadable_answer("the answer is no JSON") from exc
    if answer.flag("ok"):
        return answer
    raise api_error(answer.id("error")[:64] or "unknown_error")


def _printable(text: str) -> str:
    return "".join(char for char in text if char.isprintable())[:_MAX_NAME_CHARS]
