"""Who else hears an event of a shared channel: every installation of the app that it is visible to.

Slack sends such an event once, with one of the installations. Two tenants may share the channel,
and each must hear it as its own: under its own workspace, as its own bot. Knows no tenants.
https://docs.slack.dev/apis/events-api/#authorizations
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from adapters.slack.fields import Fields
from adapters.slack.web_api import WebApi
from gateway.core.errors import SendError

_log = logging.getLogger(__name__)

Payload = dict[str, object]

BUDGET_S: Final = 1.0
"""Slack waits three seconds for the acknowledgement, and the commits come after this."""

_REST_S: Final = 5.0
_MAX_CONTEXT_CHARS: Final = 4_096
_PAGE_SIZE: Final = 100
_MAX_PAGES: Final = 3


class Authorizations:
    """Asks apps.event.authorizations.list, which wants the app's token with `authorizations:read`.

    Nothing is remembered: whether an installation may know of an event can change with every event.
    """

    def __init__(self, api: WebApi, app_token: str, *, budget_s: float = BUDGET_S) -> None:
        self._api = api
        self._app_token = app_token
        self._budget_s = budget_s
        self._rest_until_s = 0.0
        self._last: dict[str, asyncio.Future[None]] = {}

    async def copies(self, payload: object) -> tuple[object, ...]:
        """Return the payload of an event once for each installation that hears it. Never raises.

        An event of one workspace comes back alone, at once; so does any when Slack cannot be asked.
        Those of one channel come back in the order in which they were brought.
        """
        if not isinstance(payload, dict) or payload.get("is_ext_shared_channel") is not True:
            return (payload,)
        context = Fields(payload).text("event_context")
        if not 0 < len(context) <= _MAX_CONTEXT_CHARS:
            return (payload,)
        async with self._turn(_channel(payload)):
            listed = await self._listed(context)
        return _copies(payload, listed)

    @asynccontextmanager
    async def _turn(self, channel: str) -> AsyncIterator[None]:
        """All ask at once, and go on one after the other: an answer may overtake another, but an
        edit must not overtake its message.
        """
        before, mine = self._last.get(channel), asyncio.get_running_loop().create_future()
        self._last[channel] = mine
        try:
            yield
            if before is not None:
                await asyncio.wait({before})
        finally:
            mine.set_result(None)
            if self._last.get(channel) is mine:
                del self._last[channel]

    async def _listed(self, context: str) -> list[Fields]:
        loop = asyncio.get_running_loop()
        if loop.time() < self._rest_until_s:
            return []
        try:
            async with asyncio.timeout(self._budget_s):
                return await self._pages(context)
        except (SendError, TimeoutError) as exc:
            wait_s = (exc.retry_after_s or _REST_S) if isinstance(exc, SendError) else _REST_S
            # Each event of a busy channel would wait in vain, and a limit would never pass.
            self._rest_until_s = loop.time() + wait_s
            _log.warning("who shares a channel is not known for %.0f s: %s", wait_s, _why(exc))
            return []

    async def _pages(self, context: str) -> list[Fields]:
        """https://docs.slack.dev/reference/methods/apps.event.authorizations.list/"""
        listed: list[Fields] = []
        body: dict[str, object] = {"event_context": context, "limit": _PAGE_SIZE}
        for _ in range(_MAX_PAGES):
            page = await self._api.repeat("apps.event.authorizations.list", self._app_token, body)
            listed += page.children("authorizations")
            cursor = page.child("response_metadata").text("next_cursor")
            if not cursor:
                break
            body["cursor"] = cursor
        return listed


def _channel(payload: Payload) -> str:
    event = Fields(payload).child("event")
    return event.id("channel") or event.child("item").id("channel")


def _copies(payload: Payload, listed: list[Fields]) -> tuple[object, ...]:
    fields = Fields(payload)
    own = _key(next(iter(fields.children("authorizations")), Fields(None)))
    event = fields.child("event")
    if event.text("type") == "app_mention":
        # Told to the installation whose bot is named; to the others it would look like a mention.
        listed = [each for each in listed if _is_named(event.text("text"), each.id("user_id"))]
        copies = {_key(each): _heard_by(payload, each, own) for each in listed}
        return tuple(copies.values()) or (payload,)
    copies = {own: payload}
    for each in listed:
        copies.setdefault(_key(each), _heard_by(payload, each, own))
    return tuple(copies.values())


def _heard_by(payload: Payload, authorization: Fields, own: str) -> Payload:
    if _key(authorization) == own:
        return payload
    return payload | {
        "authorizations": [authorization.document()],
        # An organisation's install names no workspace, and what stands here is the other side's.
        "context_team_id": _key(authorization),
        "context_enterprise_id": authorization.id("enterprise_id") or None,
    }


def _key(authorization: Fields) -> str:
    return authorization.id("team_id") or authorization.id("enterprise_id")


def _is_named(text: str, user: str) -> bool:
    return bool(user) and (f"<@{user}>" in text or f"<@{user}|" in text)


def _why(exc: SendError | TimeoutError) -> str:
    return exc.detail if isinstance(exc, SendError) else "no answer in time"
