"""One call of Slack's Web API, with its faults translated. Retries nothing.

The SDK's client is not used: its default handler repeats a POST whose answer was lost, and then a
message stands twice.
"""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp
import orjson

from adapters.slack.config import SlackConfig
from adapters.slack.errors import (
    WIRE_ERRORS,
    api_error,
    http_error,
    unreadable_answer,
    wire_error,
)
from adapters.slack.fields import Fields


class WebApi:
    """Calls methods over one shared session."""

    def __init__(self, config: SlackConfig, session: aiohttp.ClientSession) -> None:
        self._config = config
        self._session = session
        # Apart, for a connection that never stood is the one failure known to be harmless.
        connect_s = config.call_timeout_s / 3
        self._timeout = aiohttp.ClientTimeout(total=config.call_timeout_s, connect=connect_s)

    async def write(self, method: str, token: str, body: Mapping[str, object]) -> Fields:
        """POST a JSON body. Raises SendError."""
        headers = {"Content-Type": "application/json; charset=utf-8"}
        return await self._call("POST", method, token, data=orjson.dumps(body), headers=headers)

    async def read(self, method: str, token: str, query: Mapping[str, str]) -> Fields:
        """GET: several reading methods take no JSON. Raises SendError."""
        return await self._call("GET", method, token, params=query)

    async def _call(
        self,
        verb: str,
        method: str,
        token: str,
        *,
        data: bytes | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Fields:
        try:
            async with self._session.request(
                verb,
                self._config.method_url(method),
                data=data,
                params=params,
                headers={"Authorization": f"Bearer {token}", **(headers or {})},
                timeout=self._timeout,
                # A redirect would carry the token to a host nobody chose.
                allow_redirects=False,
            ) as response:
                if response.status != 200:
                    raise http_error(response.status, response.headers.get("Retry-After"))
                return _answer(await response.read())
        except WIRE_ERRORS as exc:
            raise wire_error(exc) from exc


def _answer(body: bytes) -> Fields:
    try:
        answer = Fields(orjson.loads(body))
    except orjson.JSONDecodeError as exc:
        raise unreadable_answer("the answer is no JSON") from exc
    if answer.flag("ok"):
        return answer
    code = answer.text("error")
    raise api_error(code[:64]) if code else unreadable_answer("the answer names no error")
