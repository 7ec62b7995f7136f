"""When to try a delivery again. Pure: the store keeps the schedule, not this process."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec

from gateway.core.deliveries import Deferred, Delivered, Outcome, Permanent, Reason, Retryable

Jitter = Callable[[float, float], float]


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Exponential ceilings with full jitter, ended by attempts or by age."""

    base_s: float = 1.0
    cap_s: float = 900.0
    max_attempts: int = 20
    max_age_s: float = 86_400.0

    def ceiling_s(self, attempt: int) -> float:
        """Longest wait after the attempt of that number (1 is the first)."""
        # The exponent is bounded so that a large attempt number cannot overflow a float.
        return min(self.cap_s, self.base_s * 2.0 ** min(attempt - 1, 32))


class Done(msgspec.Struct, frozen=True):
    """Remove the delivery from its queue. `degraded` and `quiet` are those of the outcome."""

    receipt: str
    degraded: str = ""
    quiet: bool = False


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """Put the delivery back at the head of its lane after a delay. One that does not count leaves
    open whether the other side may have it.
    """

    delay_s: float
    counts: bool
    uncertain: bool
    reason: Reason
    detail: str


class Dead(msgspec.Struct, frozen=True, kw_only=True):
    """Move the delivery to the dead letters. `uncertain`: the other side may have it all the same,
    so whoever replays it must look first.
    """

    reason: Reason
    detail: str
    uncertain: bool = False


Settlement = Done | Again | Dead


def settle(
    outcome: Outcome,
    policy: RetryPolicy,
    *,
    attempt: int,
    age_s: float,
    jitter: Jitter = random.uniform,
) -> Settlement:
    """Turn the outcome of an attempt into what happens to the delivery next."""
    match outcome:
        case Delivered(receipt=receipt, degraded=degraded, quiet=quiet):
            return Done(receipt, degraded, quiet)
        case Permanent(reason=reason, detail=detail):
            return Dead(reason=reason, detail=detail, uncertain=reason is Reason.OUTCOME_UNKNOWN)
        case Deferred(reason=reason, after_s=after_s):
            if age_s + after_s > policy.max_age_s:
                return Dead(reason=reason, detail="given up: too old")
            return Again(
                delay_s=after_s, counts=False, uncertain=False, reason=reason, detail="deferred"
            )
        case Retryable():
            return _retry(outcome, policy, attempt=attempt, age_s=age_s, jitter=jitter)


def _retry(
    outcome: Retryable, policy: RetryPolicy, *, attempt: int, age_s: float, jitter: Jitter
) -> Again | Dead:
    ceiling_s = policy.ceiling_s(attempt)
    delay_s = jitter(0.0, ceiling_s)
    if outcome.after_s is not None:
        # Clamped from both sides: an agent must not be hammered, nor park its queue for a week.
        delay_s = min(max(outcome.after_s, delay_s), 2 * ceiling_s)
    if attempt >= policy.max_attempts or age_s + delay_s > policy.max_age_s:
        why = f"given up after {attempt} attempts: {outcome.detail}"
        return Dead(reason=outcome.reason, detail=why, uncertain=outcome.uncertain)
    return Again(
        delay_s=delay_s,
        counts=True,
        uncertain=outcome.uncertain,
        reason=outcome.reason,
        detail=outcome.detail,
    )
