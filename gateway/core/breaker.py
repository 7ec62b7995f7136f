"""When an endpoint is left alone for a while. Pure: the store counts, and all replicas agree."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from gateway.core.deliveries import Delivered, Outcome, Permanent, Reason, Retryable

_TROUBLE: Final = frozenset({Reason.AGENT_ERROR, Reason.AGENT_TIMEOUT, Reason.AGENT_UNREACHABLE})


class Sign(StrEnum):
    """What one attempt says about the endpoint. NONE: it says nothing."""

    WELL = "well"
    ILL = "ill"
    GONE = "gone"
    NONE = ""


class BreakerPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Opens when at least `least` attempts ended within `window_s` and `percent` of them were ill.

    An open breaker hands nothing out: what waits is not tried, so it counts no attempt. It closes
    when the endpoint's health page answers.
    """

    window_s: float = 30.0
    least: int = 10
    percent: int = 50


class BreakerState(StrEnum):
    """OPEN closes by itself when the endpoint is well again; GONE is for an operator to end."""

    OPEN = "open"
    GONE = "gone"


class Breaker(msgspec.Struct, frozen=True, kw_only=True):
    """A breaker that is not closed."""

    state: BreakerState
    since_ms: int


def sign_of(outcome: Outcome) -> Sign:
    """Read an outcome as a sign of the endpoint's health. Being busy is no illness."""
    match outcome:
        case Permanent(reason=Reason.ENDPOINT_GONE):
            return Sign.GONE
        case Retryable(reason=reason) if reason in _TROUBLE:
            return Sign.ILL
        case Delivered() | Permanent(reason=Reason.AGENT_REJECTED):
            return Sign.WELL
        case _:
            return Sign.NONE


class HealthReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the last health check of an endpoint found."""

    well: bool
    detail: str
    took_ms: int
    checked_at_ms: int
