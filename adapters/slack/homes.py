"""Whose a token is. https://docs.slack.dev/reference/methods/auth.test"""

from __future__ import annotations

from typing import Final

import msgspec

from adapters.slack.web_api import WebApi
from gateway.core.ids import WorkspaceId
from gateway.core.tenants import Credential

_MAX_HOMES: Final = 50_000
"""More than there will be workspaces: who falls out is asked for again before the next message."""


class Home(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace, or with `enterprise` set a whole organisation."""

    team: str
    enterprise: str


def is_organisation(workspace: WorkspaceId) -> bool:
    """Whether a bound id is that of an organisation. https://docs.slack.dev/enterprise"""
    return workspace.startswith("E")


class SlackHomes:
    """Remembers whose a token is, which never changes."""

    def __init__(self, api: WebApi) -> None:
        self._api = api
        self._homes: dict[str, Home] = {}

    async def of(self, credential: Credential) -> Home:
        """Tell whose the token is, asking Slack the first time. Raises SendError."""
        token = credential.bot_token
        home = self._homes.get(token)
        if home is None:
            answer = await self._api.read("auth.test", credential, {})
            enterprise = answer.id("enterprise_id") if answer.flag("is_enterprise_install") else ""
            home = Home(team=answer.id("team_id"), enterprise=enterprise)
            if len(self._homes) >= _MAX_HOMES:
                del self._homes[next(iter(self._homes))]
            self._homes[token] = home
        return home
