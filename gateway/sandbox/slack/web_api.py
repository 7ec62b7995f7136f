"""POST /api/<method>: who calls, how often they may, what goes wrong on the way, and the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import orjson
from aiohttp import web

from gateway.sandbox.slack.calls import Call, SlackError, read_args, read_token
from gateway.sandbox.slack.directory import Directory, Team
from gateway.sandbox.slack.faults import (
    ApiError,
    Fault,
    FaultPlan,
    HttpStatus,
    RateLimited,
    ResetAfter,
    ResetBefore,
    Slow,
)
from gateway.sandbox.slack.rules import RateLimiter, SlackRules
from gateway.sandbox.wire import JsonObject, reset_connection

_AUTHORIZATIONS: Final = "apps.event.authorizations.list"
_OF_THE_APP: Final = frozenset({"apps.connections.open", _AUTHORIZATIONS})

Method = Callable[[Call], JsonObject]


@dataclass(frozen=True, slots=True)
class Request:
    """One call that reached the API and named a known token, whatever came of it."""

    method: str
    team_id: str | None
    channel_id: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Opening:
    """Methods of the app itself, not of a team's bot: apps.connections.open, and who may know of
    an event.
    """

    app_token: str
    url: Callable[[], str]
    authorizations: Callable[[Mapping[str, object]], JsonObject]


class WebApi:
    """The dispatcher. Knows no method but the one that opens sockets."""

    def __init__(
        self,
        rules: SlackRules,
        directory: Directory,
        methods: Mapping[str, Method],
        opening: Opening,
    ) -> None:
        self.requests: list[Request] = []
        self.faults = FaultPlan()
        self._rules = rules
        self._directory = directory
        self._methods = methods
        self._opening = opening
        self._limiter = RateLimiter()

    async def handle(self, request: web.Request) -> web.Response:
        """Any call. https://docs.slack.dev/apis/web-api/#responses"""
        method = request.match_info["method"]
        try:
            args = await read_args(request)
            team = self._caller(request, method, args)
            return await self._carry_out(request, method, team, args)
        except SlackError as error:
            return _json({"ok": False, "error": error.code} | error.details)

    async def handle_openly(
        self, request: web.Request, method: str, run: Callable[[JsonObject], JsonObject]
    ) -> web.Response:
        """A call that needs no token: its arguments say who asks."""
        try:
            args = await read_args(request)
            self.requests.append(Request(method, None, None, datetime.now(UTC)))
            return await _answer(request, lambda: run(args), self.faults.take(method, None))
        except SlackError as error:
            return _json({"ok": False, "error": error.code} | error.details)

    async def _carry_out(
        self, request: web.Request, method: str, team: Team | None, args: JsonObject
    ) -> web.Response:
        team_id = team.team_id if team is not None else None
        channel_id = _channel_id(args)
        self.requests.append(Request(method, team_id, channel_id, datetime.now(UTC)))
        fault = self.faults.take(method, team_id)
        if fault is None:
            wait_s = self._wait_s(method, team_id, channel_id)
            fault = RateLimited(wait_s) if wait_s else None

        def run() -> JsonObject:
            if method == _AUTHORIZATIONS:
                return self._opening.authorizations(args)
            if team is None:
                return {"url": self._opening.url()}
            return self._methods[method](Call(args, team))

        return await _answer(request, run, fault)

    def _caller(self, request: web.Request, method: str, args: JsonObject) -> Team | None:
        """The team whose bot calls; None when the app itself does."""
        if method in _OF_THE_APP:
            self._check_app_token(request)
            return None
        if method not in self._methods:
            raise SlackError("unknown_method")
        return self._team_of(read_token(request, args), args)

    def _team_of(self, token: str, args: JsonObject) -> Team:
        team_id = str(args["team_id"]) if args.get("team_id") else None
        team = self._directory.team_of(token, _channel_id(args), team_id)
        if team is None:
            raise SlackError("invalid_auth")
        return team

    def _check_app_token(self, request: web.Request) -> None:
        # "You will need to pass this token in the HTTP Authorization header of your request":
        # https://docs.slack.dev/reference/methods/apps.connections.open/
        token = read_token(request, {})
        if self._directory.team_of(token, None) is not None:
            raise SlackError("not_allowed_token_type")
        if token != self._opening.app_token:
            raise SlackError("invalid_auth")

    def _wait_s(self, method: str, team_id: str | None, channel_id: str | None) -> int:
        """Seconds until this call is allowed. https://docs.slack.dev/apis/web-api/rate-limits/"""
        now_s = asyncio.get_running_loop().time()
        rate = self._rules.method_rates.get(method)
        wait_s = self._limiter.wait_s((method, team_id or ""), rate, now_s) if rate else 0
        post_rate = self._rules.post_rate
        if wait_s or method != "chat.postMessage" or post_rate is None:
            return wait_s
        return self._limiter.wait_s((method, team_id or "", channel_id or ""), post_rate, now_s)


def _channel_id(args: JsonObject) -> str | None:
    # The assistant.* methods call it otherwise than all the others.
    channel_id = args.get("channel") or args.get("channel_id")
    return str(channel_id) if channel_id else None


async def _answer(
    request: web.Request, run: Callable[[], JsonObject], fault: Fault | None
) -> web.Response:
    match fault:
        case RateLimited(retry_after_s):
            return _rate_limited(retry_after_s)
        case HttpStatus(status):
            return web.Response(status=status, text="sandbox fault")
        case ApiError(code):
            raise SlackError(code)
        case ResetBefore(after_s):
            await asyncio.sleep(after_s)
            return reset_connection(request)
        case ResetAfter(after_s):
            run()
            await asyncio.sleep(after_s)
            return reset_connection(request)
        case Slow(seconds):
            await asyncio.sleep(seconds)
    return _json({"ok": True} | run())


def _rate_limited(retry_after_s: int) -> web.Response:
    response = _json({"ok": False, "error": "ratelimited"}, status=429)
    response.headers["Retry-After"] = str(retry_after_s)
    return response


def _json(body: JsonObject, status: int = 200) -> web.Response:
    return web.Response(
        body=orjson.dumps(body), status=status, content_type="application/json", charset="utf-8"
    )
