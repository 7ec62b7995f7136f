"""The one table from what Slack or the wire says to SendError.

Whether a message may have been posted decides everything here: a failed call that never left is
tried again, one that may have arrived is looked up first. Slack has no idempotency key.
https://docs.slack.dev/reference/methods/chat.postMessage#errors
"""

from __future__ import annotations

import aiohttp

from gateway.core.deliveries import Reason
from gateway.core.errors import BudgetSpentError, SendError

_REVOKED = frozenset(
    {
        "access_denied",
        "account_inactive",
        "invalid_auth",
        "not_allowed_token_type",
        "not_authed",
        "team_access_not_granted",
        "token_revoked",
    }
)
_RATE_LIMITED = frozenset({"message_limit_exceeded", "rate_limited", "ratelimited"})
_TEMPORARY = frozenset(
    {
        "external_channel_migrating",
        "org_login_required",
        "request_timeout",
        "service_unavailable",
        # A message that is still growing can be edited as soon as it stands.
        "streaming_state_conflict",
        "team_added_to_org",
        # A rotated token is looked up anew for the next attempt.
        "token_expired",
        "update_failed",
    }
)
# "It's possible some aspect of the operation succeeded before the error was raised", says Slack.
_AMBIGUOUS = frozenset({"fatal_error", "internal_error"})

_NEVER_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
)

Wire = aiohttp.ClientError | TimeoutError | OSError
WIRE_ERRORS = (aiohttp.ClientError, TimeoutError, OSError)
"""All that a call over the wire may raise."""


def rejected(detail: str) -> SendError:
    """What cannot be asked of Slack; `detail` names the field."""
    return SendError(Reason.PLATFORM_REJECTED, detail, permanent=True)


def api_error(code: str, where: str = "") -> SendError:
    """Translate the `error` of an answer with `ok: false`. An unknown code is a refusal.

    `where` is the place in the call that Slack points at, as a JSON pointer.
    """
    if code in _REVOKED:
        return SendError(Reason.NOT_INSTALLED, code, permanent=True)
    if code in _RATE_LIMITED:
        return SendError(Reason.PLATFORM_RATE_LIMITED, code)
    if code in _TEMPORARY:
        return SendError(Reason.PLATFORM_ERROR, code)
    if code in _AMBIGUOUS:
        return SendError(Reason.PLATFORM_ERROR, code, ambiguous=True)
    return rejected(f"{code} at {where}" if where else code)


def http_error(status: int, retry_after: str | None) -> SendError:
    """Translate an answer that is not HTTP 200. https://docs.slack.dev/apis/web-api/rate-limits"""
    detail = f"HTTP {status}"
    if status == 429:
        return SendError(
            Reason.PLATFORM_RATE_LIMITED, detail, retry_after_s=_seconds(retry_after, 1.0)
        )
    if status >= 500:
        # The load balancer's word; what stands behind it may have done the work.
        retry_after_s = _seconds(retry_after, None)
        return SendError(Reason.PLATFORM_ERROR, detail, ambiguous=True, retry_after_s=retry_after_s)
    return SendError(Reason.PLATFORM_REJECTED, detail, permanent=True)


def unreadable_answer(detail: str) -> SendError:
    """An HTTP 200 that says nothing we understand: the call may have been carried out."""
    return SendError(Reason.PLATFORM_ERROR, detail, ambiguous=True)


def wire_error(exc: Wire) -> SendError:
    """Translate a failure below HTTP. Only where no connection ever stood, nothing was posted."""
    ambiguous = not isinstance(exc, _NEVER_SENT)
    return SendError(Reason.PLATFORM_UNREACHABLE, type(exc).__name__, ambiguous=ambiguous)


def repeatable(error: SendError) -> SendError:
    """Translate the failure of a call that may be carried out twice: no doubt has to be cleared."""
    if isinstance(error, BudgetSpentError):
        return error
    return SendError(
        error.reason,
        error.detail,
        permanent=error.permanent,
        retry_after_s=error.retry_after_s,
        holds_lane=error.holds_lane,
    )


def lookup_error(error: SendError) -> SendError:
    """Translate the failure of looking a message up: it may still have been posted."""
    if error.permanent:
        return SendError(Reason.OUTCOME_UNKNOWN, error.detail, permanent=True)
    error.ambiguous = True
    return error


def _seconds(retry_after: str | None, default: float | None) -> float | None:
    try:
        seconds = float(retry_after or "")
    except ValueError:
        return default
    return seconds if 0 <= seconds < float("inf") else default
