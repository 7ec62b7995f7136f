"""Reads again what was said while nobody listened. Decides nothing, and keeps below the limits.

https://docs.slack.dev/reference/methods/conversations.history/ and
https://docs.slack.dev/reference/methods/conversations.replies/ : both are Tier 3, except that apps
which are distributed outside of the Marketplace get one call a minute, of 15 messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from adapters.slack.fields import Fields
from adapters.slack.inbound import parse_envelope
from adapters.slack.web_api import WebApi
from gateway.core.clock import utc_now
from gateway.core.conversations import ConversationKind
from gateway.core.errors import SendError
from gateway.core.events import RECOVERED, EventKind, Ignored, InboundEvent
from gateway.core.ports import Spot
from gateway.core.tenants import Credential

CALL_EVERY_S: Final = 2.0
"""Per token: thirty calls a minute, of the fifty that Slack allows, which others want some of."""

MAX_PAGES: Final = 5
MAX_THREADS: Final = 10
"""Read for one channel, of those whose root stands in what was missed."""

_PAGE_SIZE: Final = 200
_MOST_TRIES: Final = 3
_LONGEST_REST_S: Final = 61.0
_MAX_TOKENS: Final = 1024
_NOTHING_THERE: Final = frozenset(
    {"channel_not_found", "missing_scope", "not_in_channel", "thread_not_found"}
)
_CHANNEL_TYPES: Final[Mapping[ConversationKind, str]] = {
    ConversationKind.DIRECT: "im",
    ConversationKind.GROUP: "mpim",
    ConversationKind.CHANNEL: "channel",
}


class SlackRecall:
    """Histories and threads as the events that they would have been."""

    def __init__(self, api: WebApi, *, call_every_s: float = CALL_EVERY_S) -> None:
        self._api = api
        self._call_every_s = call_every_s
        self._next_at_s: dict[str, float] = {}

    async def said_since(
        self, spot: Spot, since: datetime, credential: Credential
    ) -> list[InboundEvent]:
        """Read what others said there after `since`, oldest first. Raises SendError."""
        token = credential.bot_token
        bot = credential.bot_user or (await self._read("auth.test", token, {})).id("user_id")
        if not bot:
            # Without a name the bot's own words would look like somebody's.
            return []
        found = await self._messages(spot, f"{since.timestamp():.6f}", token)
        events = [_event(message, spot, bot) for _, message in sorted(found.items())]
        return [
            event
            for event in events
            if event is not None
            and not event.sender.is_self
            and event.sent_at is not None
            and event.sent_at > since
        ]

    async def _messages(self, spot: Spot, oldest: str, token: str) -> dict[str, Fields]:
        """By their timestamps, which are as long as each other and so in order of their letters."""
        place = {"channel": spot.ref.channel, "oldest": oldest}
        if spot.ref.thread is not None:
            return await self._replies(place, spot.ref.thread, token)
        found = await self._pages("conversations.history", place, token)
        begun = [ts for ts, each in found.items() if each.id("latest_reply") > oldest]
        for thread in sorted(begun)[-MAX_THREADS:]:
            found |= await self._replies(place, thread, token)
        return found

    async def _replies(
        self, place: Mapping[str, str], thread: str, token: str
    ) -> dict[str, Fields]:
        found = await self._pages("conversations.replies", {**place, "ts": thread}, token)
        # Slack gives the root with every page, however old it is.
        return {ts: each for ts, each in found.items() if ts > place["oldest"]}

    async def _pages(self, method: str, place: Mapping[str, str], token: str) -> dict[str, Fields]:
        query = {**place, "limit": str(_PAGE_SIZE)}
        found: dict[str, Fields] = {}
        for _ in range(MAX_PAGES):
            page = await self._read(method, token, query)
            for message in page.children("messages"):
                if ts := message.id("ts"):
                    found[ts] = message
            cursor = page.child("response_metadata").text("next_cursor")
            if not cursor:
                break
            query["cursor"] = cursor
        return found

    async def _read(self, method: str, token: str, query: Mapping[str, str]) -> Fields:
        for _ in range(_MOST_TRIES - 1):
            await self._turn(token)
            try:
                return await self._api.read(method, token, query, excused=_NOTHING_THERE)
            except SendError as exc:
                rest_s = exc.retry_after_s
                if rest_s is None or rest_s > _LONGEST_REST_S:
                    raise
                self._next_at_s[token] = asyncio.get_running_loop().time() + rest_s
        await self._turn(token)
        return await self._api.read(method, token, query, excused=_NOTHING_THERE)

    async def _turn(self, token: str) -> None:
        now_s = asyncio.get_running_loop().time()
        at_s = max(now_s, self._next_at_s.pop(token, 0.0))
        if len(self._next_at_s) >= _MAX_TOKENS:
            del self._next_at_s[next(iter(self._next_at_s))]
        self._next_at_s[token] = at_s + self._call_every_s
        await asyncio.sleep(at_s - now_s)


def _event(message: Fields, spot: Spot, bot: str) -> InboundEvent | None:
    """Parse a message as if it had come; None when it would have been nothing that was said."""
    ts, channel = message.id("ts"), spot.ref.channel
    org_wide = spot.enterprise is not None
    inner = message.document() | {
        "type": "message",
        "channel": channel,
        "channel_type": _CHANNEL_TYPES[spot.kind],
        "event_ts": ts,
    }
    payload = {
        "event_id": f"{RECOVERED}.{channel}.{ts}",
        "context_team_id": spot.ref.workspace,
        "authorizations": [
            {
                "team_id": None if org_wide else spot.ref.workspace,
                "enterprise_id": spot.enterprise,
                "is_enterprise_install": org_wide,
                "user_id": bot,
                "is_bot": True,
            }
        ],
        "event": inner,
    }
    parsed = parse_envelope(payload, received_at=utc_now())
    if isinstance(parsed, Ignored) or parsed[0].kind is not EventKind.MESSAGE_CREATED:
        return None
    [heard] = parsed
    return msgspec.structs.replace(heard, platform_kind=f"{RECOVERED}.{heard.platform_kind}")
