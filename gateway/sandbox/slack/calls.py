"""A Web API call, taken apart: where its arguments and its token are. Carries nothing out.

https://docs.slack.dev/apis/web-api/ : GET or POST; form or JSON; the token in the Authorization
header or among the arguments; structures inside a form are JSON strings; errors are HTTP 200 with
`ok: false`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import orjson
from aiohttp import web

from gateway.sandbox.slack.directory import Team
from gateway.sandbox.wire import JsonObject

_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


class SlackError(Exception):
    """Answered as `{"ok": false, "error": code}`."""

    def __init__(self, code: str, **details: object) -> None:
        super().__init__(code)
        self.code = code
        self.details = details


@dataclass(frozen=True, slots=True)
class Call:
    """The arguments of one call and the team whose bot makes it."""

    args: Mapping[str, object]
    team: Team

    def text(self, name: str) -> str | None:
        """A string argument; an empty one counts as missing."""
        value = self.args.get(name)
        return None if value in (None, "") else str(value)

    def required(self, name: str) -> str:
        """Raises SlackError invalid_arguments when the argument is missing."""
        value = self.text(name)
        if value is None:
            problem = f"[ERROR] missing required field: {name}"
            raise SlackError("invalid_arguments", response_metadata={"messages": [problem]})
        return value

    def flag(self, name: str) -> bool:
        """A boolean argument, which a form can only carry as a word or a digit."""
        return self.args.get(name) in (True, 1, "1", "true", "True")

    def number(self, name: str, default: int, at_most: int) -> int:
        """A count. Raises SlackError invalid_limit when it is none."""
        value = self.text(name)
        if value is None:
            return default
        if not value.isdecimal() or int(value) == 0:
            raise SlackError("invalid_limit")
        return min(int(value), at_most)

    def structure(self, name: str) -> object:
        """A JSON argument. Raises SlackError invalid_arguments when it is no JSON."""
        value = self.args.get(name)
        if not isinstance(value, str):
            return value
        try:
            return orjson.loads(value) if value else None
        except orjson.JSONDecodeError:
            raise SlackError("invalid_arguments") from None


async def read_args(request: web.Request) -> JsonObject:
    """Query, form or JSON arguments. Raises SlackError as Slack does for an unreadable body."""
    args: JsonObject = dict(request.query)
    if request.method == "GET":
        return args
    if request.content_type == "application/json":
        return args | _json_args(await request.read())
    if request.content_type in _FORMS or not request.can_read_body:
        return args | dict(await request.post())
    raise SlackError("invalid_post_type")


def _json_args(body: bytes) -> JsonObject:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise SlackError("invalid_json") from None
    if not isinstance(parsed, dict):
        raise SlackError("json_not_object")
    return parsed


def read_token(request: web.Request, args: JsonObject) -> str:
    """Raises SlackError not_authed when there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip() if scheme.lower() == "bearer" else str(args.get("token") or "")
    if not token:
        raise SlackError("not_authed")
    return token
