"""One call of Slack's Web API, with its faults translated. Retries nothing.

The SDK's client is not used: its default handler repeats a POST whose answer was lost, and then a
message stands twice.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import aiohttp
import orjson

from adapters.slack.config import SlackConfig
from adapters.slack.errors import (
    WIRE_ERRORS,
    api_error,
    http_error,
    rejected,
    repeatable,
    unreadable_answer,
    wire_error,
)
from adapters.slack.fields import Fields
from gateway.core.errors import SendError

_POINTER = re.compile(r"\[json-pointer:(/[\w/-]{0,100})\]")


class WebApi:
    """Calls methods over one shared session."""

    def __init__(self, config: SlackConfig, session: aiohttp.ClientSession) -> None:
        self._config = config
        self._session = session
        # Apart, for a connection that never stood is the one failure known to be harmless.
        connect_s = config.call_timeout_s / 3
        self._timeout = aiohttp.ClientTimeout(total=config.call_timeout_s, connect=connect_s)

    async def write(self, method: str, token: str, body: Mapping[str, object]) -> Fields:
        """POST a JSON body. Raises SendError, ambiguous when it may have been carried out."""
        headers = {"Content-Type": "application/json; charset=utf-8"}
        return await self._call("POST", method, token, data=_encoded(body), headers=headers)

    async def repeat(
        self,
        method: str,
        token: str,
        body: Mapping[str, object],
        *,
        excused: Collection[str] = (),
    ) -> Fields:
        """POST what does no harm when it is carried out twice. Raises SendError, never ambiguous.

        `excused` are codes of errors that are none to the caller, who gets an empty answer then.
        """
        try:
            return await self.write(method, token, body)
        except SendError as exc:
            return _excused(exc, excused)

    async def read(
        self,
        method: str,
        token: str,
        query: Mapping[str, str],
        *,
        excused: Collection[str] = (),
    ) -> Fields:
        """GET: several reading methods take no JSON. Else as `repeat`."""
        try:
            return await self._call("GET", method, token, params=query)
        except SendError as exc:
            return _excused(exc, excused)

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


def _encoded(body: Mapping[str, object]) -> bytes:
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError as exc:
        # An agent's own payload: nested too deeply, or with a number beyond 64 bits.
        raise rejected("the call cannot be written as JSON") from exc


def _excused(error: SendError, excused: Collection[str]) -> Fields:
    if error.detail in excused:
        return Fields(None)
    raise repeatable(error) from error


def _answer(body: bytes) -> Fields:
    try:
        answer = Fields(orjson.loads(body))
    except orjson.JSONDecodeError as exc:
        raise unreadable_answer("the answer is no JSON") from exc
    if answer.flag("ok"):
        return answer
    code = answer.text("error")
    if not code:
        raise unreadable_answer("the answer names no error")
    raise api_error(code[:64], _place(answer))


def _place(answer: Fields) -> str:
    """Where in the call Slack found fault; its words about it might quote what people wrote."""
    notes = answer.child("response_metadata").texts("messages")
    pointer = _POINTER.search(notes[0]) if notes else None
    return pointer[1] if pointer else ""
