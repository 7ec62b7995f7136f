"""One attempt without a plugin: a turn through OpenClaw's own HTTP surface, its answer inline.

A turn must never run twice. OpenClaw takes no idempotency key here (/hooks/agent does, but never
tells what the agent said), so an attempt is repeated only when it certainly was not begun. Where
that cannot be known the delivery becomes a dead letter, and an operator who replays it decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay
from tenacity.wait import wait_random_exponential

from gateway.core.clock import utc_now
from gateway.core.deliveries import Delivered, Delivery, Outcome, Permanent, Reason, Retryable
from gateway.core.errors import QueueFullError, StoreError
from gateway.core.tenants import DirectRoad, Endpoint, Surface
from plugin_bridge.bridge import Open, TakeReplies
from plugin_bridge.classify import Answer, retry_after_s
from plugin_bridge.direct.chat import ChatCompletions
from plugin_bridge.direct.dialect import Dialect, trouble
from plugin_bridge.direct.responses import Responses
from plugin_bridge.direct.turns import Turn, turn_of
from plugin_bridge.transport import (
    ConnectionLostError,
    NoAnswerError,
    NotConnectedError,
    Transport,
)

STORE_PATIENCE_S: Final = 10.0
"""How long an answer is held while it cannot be stored: it cannot be asked for again."""

NO_TURN: Final = "not passed on: without its plugin OpenClaw takes messages and commands only"

_DIALECTS: Final[Mapping[Surface, Dialect]] = {
    Surface.RESPONSES: Responses(),
    Surface.CHAT: ChatCompletions(),
}
_BUSY: Final = frozenset({429, 503})
# Not for this message but for how it was asked: mended by settings, and then it can be tried again.
_NOT_LET_IN: Final = frozenset({401, 403, 404, 405, 408})


class DirectMode:
    """Attempts deliveries of tenants whose container has no plugin, or none that is well."""

    def __init__(
        self,
        transport: Transport,
        open_token: Open,
        take_replies: TakeReplies,
        *,
        store_patience_s: float = STORE_PATIENCE_S,
    ) -> None:
        self._transport = transport
        self._open_token = open_token
        self._take_replies = take_replies
        self._store_patience_s = store_patience_s

    async def attempt(self, delivery: Delivery, endpoint: Endpoint) -> Outcome:
        """Run one turn. Never raises for what the container does. Raises StoreError for a token
        that cannot be opened.
        """
        road = endpoint.direct
        if road is None:
            return Permanent(reason=Reason.ENDPOINT_MISSING, detail="the tenant has no direct URL")
        turn = turn_of(delivery.payload, road.agent)
        if turn is None:
            return Delivered(receipt=NO_TURN)
        # One that is in doubt before its first attempt was replayed by somebody who knows.
        if delivery.uncertain and delivery.attempt > 1:
            return _unknown("an earlier attempt may have begun the turn")
        dialect = _DIALECTS[road.surface]
        answer = await self._post(dialect, road, turn, self._headers(endpoint, turn))
        if not isinstance(answer, Answer):
            return answer
        if answer.status != 200:
            return refusal(answer, dialect, now=utc_now())
        return await self._pass_on(delivery, dialect, answer)

    async def _post(
        self, dialect: Dialect, road: DirectRoad, turn: Turn, headers: Mapping[str, str]
    ) -> Answer | Outcome:
        url = f"{road.url.rstrip('/')}{dialect.path}"
        body = dialect.question(turn)
        try:
            return await self._transport.post(url, body, headers, timeout_s=road.timeout_s)
        except NotConnectedError as exc:
            return Retryable(reason=Reason.AGENT_UNREACHABLE, detail=str(exc))
        except (ConnectionLostError, NoAnswerError) as exc:
            # OpenClaw ends a turn whose caller is gone, but what it did until then is done.
            return _unknown(str(exc))

    async def _pass_on(self, delivery: Delivery, dialect: Dialect, answer: Answer) -> Outcome:
        try:
            text = dialect.answer(answer.body)
        except (ValueError, RecursionError, msgspec.MsgspecError) as exc:
            return Delivered(receipt=f"direct 200; answer unreadable: {exc}")
        if not text:
            return Delivered(receipt="direct 200; the agent said nothing")
        try:
            refused = await self._stored(delivery, text)
        except (StoreError, QueueFullError) as exc:
            return _unknown(f"the turn was run, but its answer could not be stored: {exc}")
        if refused is not None:
            return Delivered(receipt=f"direct 200; answers refused: {refused}")
        return Delivered(receipt="direct 200")

    async def _stored(self, delivery: Delivery, text: str) -> str | None:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type((StoreError, QueueFullError)),
            stop=stop_after_delay(self._store_patience_s),
            wait=wait_random_exponential(multiplier=0.05, max=1.0),
            reraise=True,
        ):
            with attempt:
                return await self._take_replies(delivery, [text])
        raise AssertionError("tenacity ends by returning or raising")

    def _headers(self, endpoint: Endpoint, turn: Turn) -> dict[str, str]:
        return {
            "Content-Type": "application/json",
            "x-openclaw-session-key": turn.session,
            # Of use where OpenClaw lets callers in without a shared secret; one has all scopes.
            "x-openclaw-scopes": "operator.write",
            **authorization(endpoint, self._open_token),
        }


def authorization(endpoint: Endpoint, open_token: Open) -> dict[str, str]:
    """Make the headers that let the gateway in. Raises StoreError."""
    headers = {"User-Agent": "channel-gateway/1"}
    if endpoint.sealed_direct_token is not None:
        headers["Authorization"] = f"Bearer {open_token(endpoint.sealed_direct_token)}"
    return headers


def refusal(answer: Answer, dialect: Dialect, *, now: datetime) -> Outcome:
    """Turn a status that is no 200 into an outcome. Pure."""
    status, said = answer.status, trouble(answer.body)
    detail = (
        f"HTTP {status}" if said is None or not said.message else f"HTTP {status}: {said.message}"
    )
    if said is not None and said.began:
        return Permanent(reason=Reason.AGENT_ERROR, detail=f"{detail} (the turn failed)")
    if status in _BUSY:
        after_s = retry_after_s(answer.retry_after, now=now)
        return Retryable(reason=Reason.AGENT_BUSY, detail=detail, after_s=after_s)
    if status in _NOT_LET_IN:
        return Retryable(reason=Reason.AGENT_ERROR, detail=f"{detail}{_hint(status, dialect)}")
    if status >= 500 or status < 300:
        return _unknown(detail)
    return Permanent(reason=Reason.AGENT_REJECTED, detail=detail)


def _hint(status: int, dialect: Dialect) -> str:
    if status in {401, 403}:
        return " (is the direct token OpenClaw's gateway.auth.token?)"
    return f" (is {dialect.setting} set?)" if status in {404, 405} else ""


def _unknown(detail: str) -> Permanent:
    return Permanent(reason=Reason.OUTCOME_UNKNOWN, detail=detail)
