"""One table: what a container's answer means for the delivery. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from gateway.core.deliveries import Delivered, Outcome, Permanent, Reason, Retryable

# 4xx that speak of the moment and not of the message (RFC 9110, RFC 6585, RFC 8470).
_MOMENTARY: Final = frozenset({408, 409, 425, 429})
_BUSY: Final = frozenset({429, 503})
_MAX_RETRY_AFTER_S: Final = 86_400.0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a container answered."""

    status: int
    body: bytes = b""
    retry_after: str | None = None


def classify(answer: Answer, *, now: datetime) -> Outcome:
    """Turn an HTTP answer into an outcome. Redirects count as failures (Standard Webhooks)."""
    status = answer.status
    if 200 <= status < 300:
        return Delivered(receipt=str(status))
    detail = f"HTTP {status}"
    if status == 410:
        return Permanent(reason=Reason.ENDPOINT_GONE, detail=detail)
    if status in _MOMENTARY or status >= 500:
        return Retryable(
            reason=Reason.AGENT_BUSY if status in _BUSY else Reason.AGENT_ERROR,
            detail=detail,
            after_s=retry_after_s(answer.retry_after, now=now),
        )
    return Permanent(reason=Reason.AGENT_REJECTED, detail=detail)


def retry_after_s(value: str | None, *, now: datetime) -> float | None:
    """Read Retry-After, seconds or a date (RFC 9110 section 10.2.3); None when it says nothing."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _MAX_RETRY_AFTER_S)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter for a year or a zone of twenty digits
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), _MAX_RETRY_AFTER_S)
