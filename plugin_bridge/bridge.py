"""One attempt to bring a delivery to its tenant's container: sign, post, classify."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import lru_cache

import msgspec

from gateway.core.clock import utc_now
from gateway.core.deliveries import (
    Deferred,
    Delivered,
    Delivery,
    Outcome,
    Permanent,
    Reason,
    Retryable,
)
from gateway.core.errors import QueueFullError, StoreError
from gateway.core.ids import ConversationId, TenantId
from gateway.core.tenants import Endpoint, TenantStatus
from plugin_bridge.classify import Answer, classify
from plugin_bridge.transport import (
    ConnectionLostError,
    NoAnswerError,
    NotConnectedError,
    Transport,
)
from plugin_bridge.wire import PROTOCOL_VERSION, decode_replies, with_attempt

SUSPENDED_WAIT_S = 30.0

Open = Callable[[str], str]
"""Opens a sealed signing secret."""

Direct = Callable[[Delivery, Endpoint], Awaitable[Outcome]]
"""Attempts a delivery without the container's plugin."""

TakeReplies = Callable[[Delivery, Sequence[str]], Awaitable[str | None]]
"""Queue inline answers into the delivery's conversation, once per delivery id. Gives None, or why
the answers are refused. Raises StoreError, QueueFullError.
"""

ReplyToken = Callable[[TenantId, ConversationId, datetime], str]
"""Makes the token that allows to answer a delivery; it needs no escape in JSON. Empty is none."""


def no_reply_token(_tenant: TenantId, _conversation: ConversationId, _now: datetime) -> str:
    """Leave the token out."""
    return ""


async def no_direct_mode(_delivery: Delivery, _endpoint: Endpoint) -> Outcome:
    """Know no way but the plugin's."""
    return Permanent(reason=Reason.ENDPOINT_MISSING, detail="there is no direct mode here")


class Bridge:
    """Attempts inbound deliveries. The worker settles what comes out of it."""

    def __init__(
        self,
        transport: Transport,
        open_secret: Open,
        take_replies: TakeReplies,
        reply_token: ReplyToken = no_reply_token,
        direct: Direct = no_direct_mode,
    ) -> None:
        self._transport = transport
        self._open_secret = open_secret
        self._take_replies = take_replies
        self._reply_token = reply_token
        self._direct = direct

    async def attempt(self, delivery: Delivery, endpoint: Endpoint | None) -> Outcome:
        """Post one delivery to `endpoint`. Never raises for what the container does."""
        if endpoint is None or not endpoint.sealed_secrets:
            # Unsigned, it could be anybody's: a container that checks would refuse it anyway.
            lacking = "endpoint" if endpoint is None else "valid signing secret"
            return Permanent(reason=Reason.ENDPOINT_MISSING, detail=f"the tenant has no {lacking}")
        if endpoint.status is not TenantStatus.ACTIVE:
            return Deferred(reason=Reason.TENANT_SUSPENDED, after_s=SUSPENDED_WAIT_S)
        if endpoint.goes_direct:
            return await self._direct(delivery, endpoint)
        now = utc_now()
        # Made now and not at the commit: it must still be good after hours in the queue.
        token = self._reply_token(delivery.tenant, delivery.conversation, now)
        body = with_attempt(delivery.payload, delivery.attempt, token)
        headers = self._headers(delivery, endpoint, body, now)
        try:
            answer = await self._transport.post(
                endpoint.url, body, headers, timeout_s=endpoint.timeout_s
            )
        except NotConnectedError as exc:
            # What an earlier attempt left in doubt stays so: without its plugin nobody could tell.
            return Retryable(
                reason=Reason.AGENT_UNREACHABLE, detail=str(exc), uncertain=delivery.uncertain
            )
        except ConnectionLostError as exc:
            return Retryable(reason=Reason.AGENT_UNREACHABLE, detail=str(exc), uncertain=True)
        except NoAnswerError as exc:
            return Retryable(reason=Reason.AGENT_TIMEOUT, detail=str(exc), uncertain=True)
        outcome = classify(answer, now=now)
        if not isinstance(outcome, Delivered):
            return _not_delivered(outcome, delivery, endpoint, answer)
        return (
            await self._inline(delivery, answer.body, outcome) if answer.status == 200 else outcome
        )

    async def _inline(self, delivery: Delivery, body: bytes, outcome: Delivered) -> Outcome:
        try:
            texts = [reply.text for reply in decode_replies(body)]
            refused = await self._take_replies(delivery, texts) if texts else None
        except ValueError as exc:
            # The agent has the message; a second delivery would only repeat its work.
            return Delivered(receipt=f"{outcome.receipt}; answer unreadable: {exc}")
        except (StoreError, QueueFullError) as exc:
            # Not settled as delivered, or the answers would be lost. The delivery id makes the
            # agent answer the same again, and makes us store it once.
            return Retryable(reason=Reason.GATEWAY_FAULT, detail=str(exc), uncertain=True)
        if refused is not None:
            return Delivered(receipt=f"{outcome.receipt}; answers refused: {refused}")
        return outcome

    def _headers(
        self, delivery: Delivery, endpoint: Endpoint, body: bytes, now: datetime
    ) -> dict[str, str]:
        secrets = [self._open_secret(sealed) for sealed in endpoint.sealed_secrets]
        return {
            "Content-Type": "application/json",
            "User-Agent": "channel-gateway/1",
            "webhook-id": delivery.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": sign(secrets, delivery.id, now, body),
        }


def _not_delivered(
    outcome: Outcome, delivery: Delivery, endpoint: Endpoint, answer: Answer
) -> Outcome:
    if answer.status == 404 and endpoint.may_fall_back:
        # No plugin: what has another way to go must not die of it before that is found out.
        outcome = Retryable(reason=Reason.AGENT_ERROR, detail="HTTP 404: no plugin is there")
    if answer.status == 501 and isinstance(outcome, Retryable):
        detail = f"HTTP 501: it does not know version {PROTOCOL_VERSION} of the agent protocol"
        outcome = msgspec.structs.replace(outcome, detail=detail)
    if delivery.uncertain and isinstance(outcome, Retryable):
        return msgspec.structs.replace(outcome, uncertain=True)
    return outcome


def sign(secrets: Sequence[str], delivery_id: str, now: datetime, body: bytes) -> str:
    """Sign by Standard Webhooks; during a rotation with both secrets, joined by a space.

    Over the bytes as they leave: their library signs texts, and costs every attempt twice as much.
    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    head = f"{delivery_id}.{int(now.timestamp())}.".encode()
    return " ".join([_signature(secret, head, body) for secret in secrets])


def _signature(secret: str, head: bytes, body: bytes) -> str:
    mac = _keyed(secret).copy()
    mac.update(head)
    mac.update(body)
    return f"v1,{b64encode(mac.digest()).decode()}"


@lru_cache(maxsize=4096)
def _keyed(secret: str) -> hmac.HMAC:
    # Padding beyond what is needed is skipped; too little would be refused.
    return hmac.new(b64decode(secret.removeprefix("whsec_") + "=="), digestmod="sha256")
