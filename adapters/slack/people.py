"""Asks Slack who somebody is. https://docs.slack.dev/reference/methods/users.info"""

from __future__ import annotations

from typing import Final

import msgspec

from adapters.slack.fields import Fields
from adapters.slack.web_api import WebApi
from gateway.core.events import Sender, SenderRole
from gateway.core.tenants import Credential

_MAX_HOMES = 1024
_MAX_NAME_CHARS = 200
_UNKNOWN: Final = frozenset({"user_not_found", "user_not_visible"})


class _Home(msgspec.Struct, frozen=True, kw_only=True):
    """Whose a token is: a workspace's, or with `enterprise` set a whole organisation's."""

    team: str
    enterprise: str


class SlackPeople:
    """People. Remembers whose a token is, and nothing of people: their roles change."""

    def __init__(self, api: WebApi) -> None:
        self._api = api
        self._homes: dict[str, _Home] = {}

    async def person(self, sender: Sender, credential: Credential) -> Sender:
        """Fill in name, locale and roles; somebody who cannot be seen stays as they are.

        Raises SendError.
        """
        query = {"user": sender.id, "include_locale": "true"}
        answer = await self._api.read("users.info", credential.bot_token, query, excused=_UNKNOWN)
        user = answer.child("user")
        if not user.id("id"):
            return sender
        home = await self._home(credential.bot_token)
        return msgspec.structs.replace(
            sender,
            name=_name(user) or sender.name,
            locale=user.id("locale") or sender.locale,
            roles=_roles(user) if _is_at_home(user, home) else (SenderRole.GUEST,),
            is_bot=sender.is_bot or user.flag("is_bot"),
        )

    async def _home(self, token: str) -> _Home:
        """https://docs.slack.dev/reference/methods/auth.test"""
        home = self._homes.get(token)
        if home is None:
            answer = await self._api.read("auth.test", token, {})
            enterprise = answer.id("enterprise_id") if answer.flag("is_enterprise_install") else ""
            home = _Home(team=answer.id("team_id"), enterprise=enterprise)
            if len(self._homes) >= _MAX_HOMES:
                del self._homes[next(iter(self._homes))]
            self._homes[token] = home
        return home


def _name(user: Fields) -> str:
    profile = user.child("profile")
    names = (
        profile.text("display_name"),
        profile.text("real_name"),
        user.text("real_name"),
        user.text("name"),
    )
    return next((name for name in names if name.strip()), "")[:_MAX_NAME_CHARS]


def _is_at_home(user: Fields, home: _Home) -> bool:
    """Whether somebody's roles are roles here. In a shared channel the owner of another company's
    workspace is a guest, and must not command as an owner.
    """
    membership = user.child("enterprise_user")
    if home.enterprise:
        return membership.id("enterprise_id") == home.enterprise
    return bool(home.team) and home.team in {user.id("team_id"), *membership.texts("teams")}


def _roles(user: Fields) -> tuple[SenderRole, ...]:
    held = (
        (SenderRole.OWNER, user.flag("is_owner") or user.flag("is_primary_owner")),
        (SenderRole.ADMIN, user.flag("is_admin")),
        (SenderRole.GUEST, user.flag("is_restricted") or user.flag("is_ultra_restricted")),
    )
    return tuple(role for role, is_held in held if is_held) or (SenderRole.MEMBER,)
