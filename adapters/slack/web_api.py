"""One call of Slack's Web API, within its budget and with its faults translated. Retries nothing.

The SDK's client is not used: its default handler repeats a POST whose answer was lost, and then a
message stands twice.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TypeAlias

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
from adapters.slack.tiers import LANES, RATES
from gateway.core.budgets import Budget
from gateway.core.deliveries import Reason
from gateway.core.errors import BudgetSpentError, SendError
from gateway.core.tenants import Credential

Caller: TypeAlias = Credential | str
"""A workspace's credential, whose calls are counted; or a bare token, such as that of the app."""

_POINTER = re.compile(r"\[json-pointer:(/[\w/-]{0,100})\]")


class WebApi:
    """Calls methods over one shared session. Each may raise BudgetSpentError: then Slack was not
    asked.
    """

    def __init__(
        self, config: SlackConfig, session: aiohttp.ClientSession, budget: Budget | None = None
    ) -> None:
        self._config = config
        self._session = session
        self._budget = budget
        # Apart, for a connection that never stood is the one failure known to be harmless.
        connect_s = config.call_timeout_s / 3
        self._timeout = aiohttp.ClientTimeout(total=config.call_timeout_s, connect=connect_s)

    async def write(
        self, method: str, caller: Caller, body: Mapping[str, object], *, keep: int = 0
    ) -> Fields:
        """POST a JSON body. Raises SendError, ambiguous when it may have been carried out.

        `keep` is how much of the method's burst is left to others.
        """
        data = _encoded(body)
        await self.reserve(method, caller, keep=keep)
        headers = {"Content-Type": "application/json; charset=utf-8"}
        return await self._call("POST", method, caller, data=data, headers=headers)

    async def repeat(
        self,
        method: str,
        caller: Caller,
        body: Mapping[str, object],
        *,
        excused: Collection[str] = (),
        keep: int = 0,
    ) -> Fields:
        """POST what does no harm when it is carried out twice. Raises SendError, never ambiguous.

        `excused` are codes of errors that are none to the caller, who gets an empty answer then.
        """
        try:
            return await self.write(method, caller, body, keep=keep)
        except SendError as exc:
            return _excused(exc, excused)

    async def read(
        self,
        method: str,
        caller: Caller,
        query: Mapping[str, str],
        *,
        excused: Collection[str] = (),
    ) -> Fields:
        """GET: several reading methods take no JSON. Else as `repeat`."""
        try:
            await self.reserve(method, caller)
            return await self._call("GET", method, caller, params=query)
        except SendError as exc:
            return _excused(exc, excused)

    async def reserve(self, method: str, caller: Caller, *, keep: int = 0) -> None:
        """Take one call of the workspace's budget. Raises BudgetSpentError when there is none."""
        rate = RATES.get(method)
        if rate is None or self._budget is None or isinstance(caller, str) or not caller.account:
            return
        wait_s = await self._budget.take(caller.account, method, rate, keep=keep)
        if wait_s > 0:
            raise BudgetSpentError(method, wait_s)

    async def _call(
        self,
        verb: str,
        method: str,
        caller: Caller,
        *,
        data: bytes | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Fields:
        token = caller if isinstance(caller, str) else caller.bot_token
        try:
            return await self._asked(verb, method, token, data=data, params=params, headers=headers)
        except SendError as exc:
            if exc.reason is Reason.PLATFORM_RATE_LIMITED:
                exc.holds_lane = method in LANES
                await self._hold(method, caller, exc.retry_after_s or 1.0)
            raise

    async def _hold(self, method: str, caller: Caller, for_s: float) -> None:
        """Ask this of this workspace no more for a while, and go on with all else."""
        rate = RATES.get(method)
        if rate is None or self._budget is None or isinstance(caller, str) or not caller.account:
            return
        await self._budget.hold(caller.account, method, rate, for_s)

    async def _asked(
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
