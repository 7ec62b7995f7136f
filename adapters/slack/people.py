"""Asks Slack who somebody is. https://docs.slack.dev/reference/methods/users.info"""

from __future__ import annotations

from typing import Final

import msgspec

from adapters.slack.fields import Fields
from adapters.slack.homes import Home, SlackHomes
from adapters.slack.web_api import WebApi
from gateway.core.events import Sender, SenderRole
from gateway.core.tenants import Credential

_MAX_NAME_CHARS = 200
_UNKNOWN: Final = frozenset({"user_not_found", "user_not_visible"})


class SlackPeople:
    """People. Remembers nothing of them: their roles change."""

    def __init__(self, api: WebApi, homes: SlackHomes) -> None:
        self._api = api
        self._homes = homes

    async def person(self, sender: Sender, credential: Credential) -> Sender:
        """Fill in name, locale and roles; somebody who cannot be seen stays as they are.

        Raises SendError.
        """
        query = {"user": sender.id, "include_locale": "true"}
        answer = await self._api.read("users.info", credential, query, excused=_UNKNOWN)
        user = answer.child("user")
        if not user.id("id"):
            return sender
        home = await self._homes.of(credential)
        return msgspec.structs.replace(
            sender,
            name=_name(user) or sender.name,
            locale=user.id("locale") or sender.locale,
            roles=_roles(user) if _is_at_home(user, home) else (SenderRole.GUEST,),
            is_bot=sender.is_bot or user.flag("is_bot"),
        )


def _name(user: Fields) -> str:
    profile = user.child("profile")
    names = (
        profile.text("display_name"),
        profile.text("real_name"),
        user.text("real_name"),
        user.text("name"),
    )
    return next((name for name in names if name.strip()), "")[:_MAX_NAME_CHARS]


def _is_at_home(user: Fields, home: Home) -> bool:
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
