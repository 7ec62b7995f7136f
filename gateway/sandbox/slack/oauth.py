"""How the app gets into workspaces: the consent page, oauth.v2.access, token rotation, auth.revoke.

https://docs.slack.dev/authentication/installing-with-oauth/
https://docs.slack.dev/authentication/using-token-rotation/
https://docs.slack.dev/reference/methods/oauth.v2.access
https://docs.slack.dev/reference/methods/auth.revoke
"""

from __future__ import annotations

import base64
import hmac
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from aiohttp import web
from yarl import URL

from gateway.sandbox.slack.calls import Call, SlackError
from gateway.sandbox.slack.directory import Directory, Team
from gateway.sandbox.slack.web_api import WebApi
from gateway.sandbox.wire import JsonObject

_ACCESS: Final = "oauth.v2.access"
_CODE_LASTS_S: Final = 600.0
_NOT_A_TOKEN: Final = "not-installed-"  # noqa: S105 - stands where there is no token


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is logged in at Slack, where, and what that person will say to the app."""

    team_id: str
    user_id: str
    org_wide: bool
    consents: bool


@dataclass(frozen=True, slots=True)
class _Code:
    visitor: Visitor
    scope: str
    redirect_uri: str
    until_s: float


class OAuthServer:
    """Slack as the app's authorization server.

    `redirect_urls` are those in the app's settings. With `rotates` tokens expire after
    `token_lasts_s` and come with refresh tokens, each of which works once. The documents do not say
    that a renewed token makes the old one invalid, so that one works until the next renewal.
    """

    def __init__(self, app_id: str, directory: Directory, revoke: Callable[[str], str]) -> None:
        self.client_id = "1000000000.2000000000"
        self.client_secret = "sandbox-client-secret"  # noqa: S105 - opens nothing but this stand-in
        self.redirect_urls: set[str] = set()
        self.rotates = False
        self.token_lasts_s = 43_200
        self._app_id = app_id
        self._directory = directory
        self._revoke = revoke
        self._visitor: Visitor | None = None
        self._codes: dict[str, _Code] = {}
        self._refreshes: dict[str, str] = {}

    def add_workspace(
        self, team_id: str, name: str = "", *, enterprise_id: str | None = None
    ) -> Team:
        """Declare a workspace that has not installed the app."""
        team = Team(
            team_id=team_id,
            name=name or team_id,
            bot_token=f"{_NOT_A_TOKEN}{uuid.uuid4().hex}",
            bot_user_id=f"U0BOT{team_id[1:]}",
            bot_id=f"B0BOT{team_id[1:]}",
            enterprise_id=enterprise_id,
        )
        self._directory.add_team(team)
        return team

    def visit_as(
        self,
        team_id: str,
        user_id: str = "U0ADMIN",
        *,
        org_wide: bool = False,
        consents: bool = True,
    ) -> None:
        """Log in at Slack, for the next visits of the consent page."""
        self._visitor = Visitor(team_id, user_id, org_wide, consents)

    def team_token(self, team_id: str) -> str:
        """The bot token that counts in a workspace now. Raises KeyError for no such workspace."""
        return self._directory.team(team_id).bot_token

    def forget_token(self, team_id: str) -> None:
        """Make the bot token of a workspace worthless, without telling the app."""
        team = self._directory.team(team_id)
        self._directory.add_team(replace(team, bot_token=f"{_NOT_A_TOKEN}{uuid.uuid4().hex}"))

    def add_routes(self, app: web.Application, api: WebApi) -> None:
        """The consent page, and the one method that needs no token."""

        async def access(request: web.Request) -> web.Response:
            return await api.handle_openly(
                request, _ACCESS, lambda args: self._access(request, args)
            )

        app.router.add_get("/oauth/v2/authorize", self._authorize)
        app.router.add_route("*", f"/api/{_ACCESS}", access)

    def table(self) -> Mapping[str, Callable[[Call], JsonObject]]:
        """Method name to what carries it out."""
        return {"auth.revoke": self._auth_revoke}

    async def _authorize(self, request: web.Request) -> web.Response:
        """The consent page. The person has made up their mind, so it leads on at once."""
        query, visitor = request.query, self._visitor
        if query.get("client_id") != self.client_id:
            return web.Response(status=400, text="Invalid client_id parameter")
        redirect_uri = query.get("redirect_uri", "")
        if redirect_uri not in self.redirect_urls:
            return web.Response(status=400, text="redirect_uri did not match any configured URIs")
        if not query.get("scope"):
            return web.Response(status=400, text="Invalid permissions requested")
        if visitor is None:
            return web.Response(text="Sign in to your workspace")
        answer = {"state": query.get("state", "")}
        if visitor.consents:
            code = uuid.uuid4().hex
            until_s = time.monotonic() + _CODE_LASTS_S
            self._codes[code] = _Code(visitor, query["scope"], redirect_uri, until_s)
            answer["code"] = code
        else:
            answer["error"] = "access_denied"
        location = str(URL(redirect_uri).update_query(answer))
        return web.Response(status=302, headers={"Location": location})

    def _access(self, request: web.Request, args: JsonObject) -> JsonObject:
        self._check_client(request, args)
        grant_type = args.get("grant_type") or "authorization_code"
        if grant_type == "refresh_token":
            return self._renewed(str(args.get("refresh_token") or ""))
        if grant_type != "authorization_code":
            raise SlackError("invalid_grant_type")
        return self._installed(str(args.get("code") or ""), str(args.get("redirect_uri") or ""))

    def _check_client(self, request: web.Request, args: JsonObject) -> None:
        scheme, _, pair = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Basic":
            client_id, _, secret = base64.b64decode(pair).decode().partition(":")
        else:
            client_id, secret = str(args.get("client_id")), str(args.get("client_secret"))
        if client_id != self.client_id:
            raise SlackError("invalid_client_id")
        if not hmac.compare_digest(secret.encode(), self.client_secret.encode()):
            raise SlackError("bad_client_secret")

    def _installed(self, code: str, redirect_uri: str) -> JsonObject:
        found = self._codes.pop(code, None)
        if found is None or found.until_s < time.monotonic():
            raise SlackError("invalid_code")
        if redirect_uri != found.redirect_uri:
            raise SlackError("bad_redirect_uri")
        visitor = found.visitor
        team = self._directory.team(visitor.team_id)
        # Of a bot whose tokens do not expire there is one, however often the app is installed.
        keeps = team.bot_token.startswith("xoxb-") and not self.rotates
        token = team.bot_token if keeps else self._new_token()
        for each in self._reached(team, visitor):
            self._directory.add_team(
                replace(each, bot_token=token, is_enterprise_install=visitor.org_wide)
            )
        return self._grant(self._directory.team(team.team_id)) | {
            "scope": found.scope,
            "authed_user": {"id": visitor.user_id},
        }

    def _reached(self, team: Team, visitor: Visitor) -> list[Team]:
        if not visitor.org_wide:
            return [team]
        return [
            each for each in self._directory.teams() if each.enterprise_id == team.enterprise_id
        ]

    def _renewed(self, refresh_token: str) -> JsonObject:
        old = self._refreshes.pop(refresh_token, None)
        team = None if old is None else self._directory.team_of(old, None)
        if old is None or team is None:
            raise SlackError("invalid_refresh_token")
        self._directory.renew_token(old, self._new_token())
        return self._grant(self._directory.team(team.team_id))

    def _grant(self, team: Team) -> JsonObject:
        """What an app is given. https://docs.slack.dev/enterprise/developing-for-enterprise-orgs/"""
        org_wide = team.is_enterprise_install
        enterprise = {"id": team.enterprise_id, "name": f"{team.enterprise_id} Inc."}
        grant: JsonObject = {
            "access_token": team.bot_token,
            "token_type": "bot",
            "bot_user_id": team.bot_user_id,
            "app_id": self._app_id,
            "team": None if org_wide else {"id": team.team_id, "name": team.name},
            "enterprise": enterprise if team.enterprise_id else None,
            "is_enterprise_install": org_wide,
        }
        if self.rotates:
            refresh_token = f"xoxe-1-{uuid.uuid4().hex}"
            self._refreshes[refresh_token] = team.bot_token
            grant |= {"refresh_token": refresh_token, "expires_in": self.token_lasts_s}
        return grant

    def _auth_revoke(self, call: Call) -> JsonObject:
        """Make the token that was used worth nothing."""
        if call.flag("test"):
            return {"revoked": False}
        self._revoke(call.team.team_id)
        return {"revoked": True}

    def _new_token(self) -> str:
        return f"{'xoxe.xoxb-1' if self.rotates else 'xoxb'}-{uuid.uuid4().hex}"
