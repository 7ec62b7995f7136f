"""The two addresses of the consent flow, for the listener that platforms and browsers call.

Everything that can go wrong ends in a page that a person can read, and nothing of a request is
logged: its address holds the link, the state and the code.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from aiohttp import web
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from adapters.slack.oauth import pages
from adapters.slack.oauth.flow import Attempt, LinkGoneError, Place
from adapters.slack.oauth.manifest import INSTALL_PATH, REDIRECT_PATH
from adapters.slack.oauth.tokens import SlackTokens
from gateway.core.errors import SendError, StoreError
from gateway.core.installs import Invitations

_log = logging.getLogger(__name__)

_MAX_QUERY_CHARS: Final = 4_096
_MAX_UNDER_WAY: Final = 16
"""Anybody may ask for these pages, and each asks the stores."""

_Handler = Callable[[web.Request], Awaitable[web.Response]]


class InstallPages:
    """The pages over an operator's invitations."""

    def __init__(self, invitations: Invitations, tokens: SlackTokens, place: Place) -> None:
        self._invitations = invitations
        self._tokens = tokens
        self._place = place

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Name the paths. Without HEAD, which previews send and which would begin an attempt."""
        guard = _Guard()
        yield web.get(INSTALL_PATH, guard(self.install), allow_head=False)
        yield web.get(REDIRECT_PATH, guard(self.redirected), allow_head=False)

    async def install(self, request: web.Request) -> web.Response:
        """Begin, with a link that an operator has made."""
        link = request.query.get("link", "")
        if not link:
            return pages.problem("no_link")
        offer = await self._invitations.offer(link)
        if offer is None:
            return pages.problem("link_gone")
        attempt = Attempt(self._invitations, self._tokens, self._place, link=link, offer=offer)
        answer = await attempt.handle_installation(_for_bolt(request))
        page = web.Response(text=answer.body, content_type="text/html", headers=pages.HEADERS)
        return _with_cookies(page, answer)

    async def redirected(self, request: web.Request) -> web.Response:
        """Come back from Slack, with a code or without."""
        attempt = Attempt(self._invitations, self._tokens, self._place)
        answer = await attempt.handle_callback(_for_bolt(request))
        page = pages.problem(answer.body) if answer.body else pages.done(*attempt.what())
        return _with_cookies(page, answer)


class _Guard:
    """Lets so many requests in at once, and makes a page of whatever goes wrong."""

    def __init__(self) -> None:
        self._under_way = 0

    def __call__(self, handle: _Handler) -> _Handler:
        """Wrap a handler."""

        async def handler(request: web.Request) -> web.Response:
            if len(request.query_string) > _MAX_QUERY_CHARS:
                return pages.problem("missing_code")
            if self._under_way >= _MAX_UNDER_WAY:
                return pages.problem("busy")
            self._under_way += 1
            try:
                return await _answered(handle, request)
            finally:
                self._under_way -= 1

        return handler


async def _answered(handle: _Handler, request: web.Request) -> web.Response:
    try:
        return await handle(request)
    except LinkGoneError:
        return pages.problem("link_gone")
    except SendError as exc:
        _log.warning("an installation could not be finished: %s", exc)
        return pages.problem("slack_away")
    except StoreError as exc:
        _log.warning("an installation could not be stored: %s", exc)
        return pages.problem("store_away")


def _for_bolt(request: web.Request) -> AsyncBoltRequest:
    # Nothing but what the flow looks at: the rest of a request is not bolt's business.
    cookies = request.headers.getall("Cookie", [])
    return AsyncBoltRequest(
        body="", query=request.query_string, headers={"cookie": "; ".join(cookies)}
    )


def _with_cookies(page: web.Response, answer: BoltResponse) -> web.Response:
    for cookie in answer.headers.get("set-cookie", []):
        page.headers.add("Set-Cookie", cookie)
    return page
