"""Where conversations stand, for tokens of organisations, which speak into all their workspaces.

https://docs.slack.dev/enterprise/organization-ready-apps
"""

from __future__ import annotations

import re
from typing import Final

from adapters.slack.errors import repeatable, unreadable_answer
from adapters.slack.fields import Fields
from adapters.slack.homes import SlackHomes, is_organisation
from adapters.slack.web_api import WebApi
from gateway.core.conversations import ConversationRef
from gateway.core.ids import WorkspaceId
from gateway.core.tenants import Credential

_CHANNEL = re.compile(r"[CDG][A-Z0-9]{1,63}")
_NO_CHANNEL: Final = frozenset({"channel_not_found"})
_NO_USER: Final = frozenset({"user_not_found", "user_not_visible"})
# "Up to 8 users may be included" besides the bot: https://docs.slack.dev/reference/methods/conversations.open
_MAX_MEMBERS: Final = 20
_TEAM_LISTS: Final = ("shared_team_ids", "internal_team_ids", "connected_team_ids")


class SlackPlaces:
    """Places. Remembers nothing of conversations: the gateway does."""

    def __init__(self, api: WebApi, homes: SlackHomes) -> None:
        self._api = api
        self._homes = homes

    async def reaches_further(self, workspace: WorkspaceId, credential: Credential) -> bool:
        """An organisation's token does, also where a single workspace is bound with it."""
        if is_organisation(workspace):
            return True
        return bool((await self._homes.of(credential)).enterprise)

    async def workspaces_of(
        self, ref: ConversationRef, credential: Credential
    ) -> frozenset[WorkspaceId]:
        """Of a channel, those that see it; of direct messages, those of the people in them.

        https://docs.slack.dev/reference/methods/conversations.info
        https://docs.slack.dev/reference/objects/conversation-object
        """
        if not _CHANNEL.fullmatch(ref.channel):
            return frozenset()
        query = {"channel": ref.channel}
        answer = await self._api.read("conversations.info", credential, query, excused=_NO_CHANNEL)
        if not answer.flag("ok"):
            return frozenset()
        channel = answer.child("channel")
        if channel.flag("is_im"):
            teams = await self._teams_of(channel.id("user"), credential)
        elif channel.flag("is_mpim"):
            teams = await self._teams_of_members(ref.channel, credential)
        else:
            teams = _teams_of_channel(channel)
        return _named(ref.workspace, teams)

    async def _teams_of_members(self, channel: str, credential: Credential) -> set[str]:
        """https://docs.slack.dev/reference/methods/conversations.members"""
        query = {"channel": channel, "limit": str(_MAX_MEMBERS)}
        answer = await self._api.read("conversations.members", credential, query)
        teams: set[str] = set()
        for member in answer.texts("members")[:_MAX_MEMBERS]:
            teams |= await self._teams_of(member, credential)
        return teams

    async def _teams_of(self, user: str, credential: Credential) -> set[str]:
        """https://docs.slack.dev/reference/methods/users.info"""
        answer = await self._api.read("users.info", credential, {"user": user}, excused=_NO_USER)
        person = answer.child("user")
        if person.flag("is_bot"):
            # An organisation's bot has a home that says nothing of who is listening.
            return set()
        return {person.id("team_id"), *person.child("enterprise_user").texts("teams")}


def _teams_of_channel(channel: Fields) -> set[str]:
    named = {channel.id("context_team_id")}
    return named.union(*(channel.texts(each) for each in _TEAM_LISTS))


def _named(workspace: WorkspaceId, teams: set[str]) -> frozenset[WorkspaceId]:
    found = {WorkspaceId(team) for team in teams if team}
    if not found:
        # Not "nobody's": whatever it is, it was found, and may be anybody's.
        raise repeatable(unreadable_answer("the answer names no workspace of the conversation"))
    if is_organisation(workspace):
        return frozenset(found | {workspace})
    # It lives there, whoever else does.
    return frozenset({workspace} if workspace in found else found)
