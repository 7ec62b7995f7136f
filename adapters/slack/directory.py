"""Finds conversations to speak into unasked: a user's direct messages, a channel by id or name."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Final

import msgspec

from adapters.slack.errors import rejected, repeatable, unreadable_answer
from adapters.slack.fields import Fields
from adapters.slack.homes import is_organisation
from adapters.slack.web_api import WebApi
from gateway.core.conversations import ConversationRef
from gateway.core.ids import Platform, WorkspaceId
from gateway.core.messages import Target
from gateway.core.tenants import Credential

LISTING_LASTS_S: Final = 600.0
MISS_LASTS_S: Final = 60.0
"""A channel made a moment ago has to be found soon, but not by a listing for each guess."""

_MAX_LISTINGS = 32
_MAX_PAGES = 10
# "Must be an integer under 1000": https://docs.slack.dev/reference/methods/conversations.list
_PAGE_SIZE = 999

_NOBODY: Final = frozenset({"user_disabled", "user_not_found", "user_not_visible"})
_USER = re.compile(r"[UW][A-Z0-9]{1,63}")
_CHANNEL = re.compile(r"[CDG][A-Z0-9]{1,63}")


class _Listing(msgspec.Struct, frozen=True, kw_only=True):
    """Channel ids by name; `is_whole` when there were no more pages than are looked through."""

    channels: dict[str, str]
    is_whole: bool
    read_at_s: float

    def knows(self, name: str, now_s: float) -> bool:
        lasts_s = LISTING_LASTS_S if name in self.channels else MISS_LASTS_S
        return now_s - self.read_at_s < lasts_s


class SlackDirectory:
    """Addresses. Listings of channels are remembered, those of a few workspaces at a time."""

    def __init__(self, api: WebApi, now_s: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._now_s = now_s
        self._listings: dict[WorkspaceId, _Listing] = {}

    async def address(
        self, workspace: WorkspaceId, target: Target, credential: Credential
    ) -> ConversationRef | None:
        """Find the conversation; None when there is no such user or channel. Raises SendError.

        A public channel is found although the bot is not in it: with `chat:write.public` it may
        post there all the same, and without it Slack refuses the message by name (not_in_channel).
        """
        channel = await self._find(workspace, target, credential)
        if not channel:
            return None
        return ConversationRef(platform=Platform.SLACK, workspace=workspace, channel=channel)

    async def _find(self, workspace: WorkspaceId, target: Target, credential: Credential) -> str:
        if target.user is not None:
            return await self._direct(target.user, credential)
        named = target.channel or ""
        if named.startswith("#"):
            return await self._named(workspace, named[1:].lower(), credential)
        return await self._existing(workspace, named, credential)

    async def _direct(self, user: str, credential: Credential) -> str:
        """https://docs.slack.dev/reference/methods/conversations.open"""
        # A list of users would open a group, so nothing but one id may pass.
        if not _USER.fullmatch(user):
            return ""
        answer = await self._api.repeat(
            "conversations.open", credential, {"users": user}, excused=_NOBODY
        )
        return _channel_of(answer).id("id")

    async def _existing(self, workspace: WorkspaceId, channel: str, credential: Credential) -> str:
        """https://docs.slack.dev/reference/methods/conversations.info"""
        if not _CHANNEL.fullmatch(channel):
            return ""
        if is_organisation(workspace):
            # Whether it is there, and in whose workspace, is asked before anything is said there.
            return channel
        answer = await self._api.read(
            "conversations.info", credential, {"channel": channel}, excused={"channel_not_found"}
        )
        found = _channel_of(answer)
        return found.id("id") if _is_of(found, workspace) else ""

    async def _named(self, workspace: WorkspaceId, name: str, credential: Credential) -> str:
        if is_organisation(workspace):
            raise rejected("channel: an organisation may have many of one name; give its id")
        listing = self._listings.get(workspace)
        if listing is None or not listing.knows(name, self._now_s()):
            listing = await self._list(workspace, credential)
            self._remember(workspace, listing)
        if name not in listing.channels and not listing.is_whole:
            raise rejected("channel: the workspace has too many to look through; give its id")
        return listing.channels.get(name, "")

    async def _list(self, workspace: WorkspaceId, credential: Credential) -> _Listing:
        """https://docs.slack.dev/reference/methods/conversations.list"""
        query = {
            "types": "public_channel,private_channel",
            "exclude_archived": "true",
            "limit": str(_PAGE_SIZE),
            # The token of an organisation would list other tenants' workspaces.
            "team_id": workspace,
        }
        channels: dict[str, str] = {}
        for _ in range(_MAX_PAGES):
            page = await self._api.read("conversations.list", credential, query)
            for channel in page.children("channels"):
                if channel.id("id") and _is_of(channel, workspace):
                    channels[channel.text("name")] = channel.id("id")
            cursor = page.child("response_metadata").text("next_cursor")
            if not cursor:
                return _Listing(channels=channels, is_whole=True, read_at_s=self._now_s())
            query["cursor"] = cursor
        return _Listing(channels=channels, is_whole=False, read_at_s=self._now_s())

    def _remember(self, workspace: WorkspaceId, listing: _Listing) -> None:
        self._listings.pop(workspace, None)
        if len(self._listings) >= _MAX_LISTINGS:
            del self._listings[next(iter(self._listings))]
        self._listings[workspace] = listing


def _channel_of(answer: Fields) -> Fields:
    channel = answer.child("channel")
    if answer.flag("ok") and not channel.id("id"):
        raise repeatable(unreadable_answer("the answer names no channel"))
    return channel


def _is_of(channel: Fields, workspace: WorkspaceId) -> bool:
    """Whether the channel is the workspace's, be it with others.

    The token of an organisation reaches the channels of all its workspaces, which may be those of
    other tenants. https://docs.slack.dev/reference/objects/conversation-object
    """
    if channel.flag("is_org_shared"):
        return True
    teams = {channel.id("context_team_id"), *channel.texts("shared_team_ids")}
    workspaces = {team for team in teams if team.startswith("T")}
    return not workspaces or workspace in workspaces
