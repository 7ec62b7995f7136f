"""What becomes of a delivery after an attempt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.deliveries import Deferred, Delivered, Permanent, Reason, Retryable
from gateway.core.retry import Again, Dead, Done, Jitter, RetryPolicy, settle

POLICY = RetryPolicy(base_s=1.0, cap_s=60.0, max_attempts=5, max_age_s=3600.0)
BUSY = Retryable(reason=Reason.AGENT_BUSY, detail="HTTP 503")


def _longest(_low: float, high: float) -> float:
    return high


def _shortest(low: float, _high: float) -> float:
    return low


def test_delivered_is_done_with_its_receipt() -> None:
    """Also at the last attempt and at any age: it arrived."""
    assert Done("202") == settle(Delivered(receipt="202"), POLICY, attempt=99, age_s=1e9)


def test_permanent_is_dead_at_once() -> None:
    """No attempt is wasted on what can never work."""
    outcome = Permanent(reason=Reason.ENDPOINT_GONE, detail="HTTP 410")

    settled = settle(outcome, POLICY, attempt=1, age_s=0.0)

    assert Dead(reason=Reason.ENDPOINT_GONE, detail="HTTP 410") == settled


def test_a_deferral_is_no_attempt() -> None:
    """It waits exactly as long as it was told, even when no attempt would be left."""
    outcome = Deferred(reason=Reason.PLATFORM_RATE_LIMITED, after_s=7.0)

    settled = settle(outcome, POLICY, attempt=99, age_s=0.0)

    expected = Again(
        delay_s=7.0,
        counts=False,
        uncertain=False,
        reason=Reason.PLATFORM_RATE_LIMITED,
        detail="deferred",
    )
    assert expected == settled


def test_a_deferral_ends_with_the_age() -> None:
    """A tenant that stays suspended does not keep its queue for ever."""
    outcome = Deferred(reason=Reason.TENANT_SUSPENDED, after_s=30.0)

    settled = settle(outcome, POLICY, attempt=1, age_s=3571.0)

    assert Dead(reason=Reason.TENANT_SUSPENDED, detail="given up: too old") == settled


@pytest.mark.parametrize(
    ("attempt", "ceiling_s"),
    [(1, 1.0), (2, 2.0), (3, 4.0), (6, 32.0), (7, 60.0), (1000, 60.0), (10**9, 60.0)],
)
def test_ceilings_double_up_to_the_cap(attempt: int, ceiling_s: float) -> None:
    """Also for attempt numbers that would overflow a float."""
    assert ceiling_s == POLICY.ceiling_s(attempt)


@given(attempt=st.integers(1, 4), jitter=st.floats(0, 1))
def test_a_retry_waits_anything_between_nothing_and_its_ceiling(
    attempt: int, jitter: float
) -> None:
    """Full jitter: the whole range, so that what failed together does not come back together."""
    settled = settle(
        BUSY,
        POLICY,
        attempt=attempt,
        age_s=0.0,
        jitter=lambda low, high: low + jitter * (high - low),
    )

    assert isinstance(settled, Again)
    assert (True, False, Reason.AGENT_BUSY) == (settled.counts, settled.uncertain, settled.reason)
    assert jitter * POLICY.ceiling_s(attempt) == settled.delay_s


@pytest.mark.parametrize(
    ("after_s", "jitter", "delay_s"),
    [
        (None, _shortest, 0.0),
        (None, _longest, 4.0),
        (0.0, _longest, 4.0),
        (3.0, _longest, 4.0),
        (3.0, _shortest, 3.0),
        (6.0, _longest, 6.0),
        (8.0, _longest, 8.0),
        (9.0, _shortest, 8.0),
        (86_400.0, _longest, 8.0),
        (-5.0, _shortest, 0.0),
    ],
)
def test_what_the_other_side_asks_for_is_clamped(
    after_s: float | None, jitter: Jitter, delay_s: float
) -> None:
    """Never sooner than the jittered delay, never later than twice the ceiling (4 s here)."""
    outcome = Retryable(reason=Reason.AGENT_BUSY, after_s=after_s)

    settled = settle(outcome, POLICY, attempt=3, age_s=0.0, jitter=jitter)

    assert isinstance(settled, Again)
    assert delay_s == settled.delay_s


@pytest.mark.parametrize(("attempt", "ends"), [(4, False), (5, True), (6, True)])
def test_attempts_end(attempt: int, ends: bool) -> None:
    """The policy's last attempt is the last."""
    settled = settle(BUSY, POLICY, attempt=attempt, age_s=0.0)

    assert ends == isinstance(settled, Dead)


@pytest.mark.parametrize(("age_s", "ends"), [(3599.0, False), (3599.1, True), (9999.0, True)])
def test_age_ends_what_could_not_be_tried_in_time(age_s: float, ends: bool) -> None:
    """A delivery whose next attempt would come too late is dead now, not then."""
    settled = settle(BUSY, POLICY, attempt=1, age_s=age_s, jitter=_longest)

    assert ends == isinstance(settled, Dead)


def test_a_dead_letter_says_what_failed_last() -> None:
    """The operator reads the reason of the last attempt, not only that it was the last."""
    settled = settle(BUSY, POLICY, attempt=5, age_s=0.0)

    expected = "given up after 5 attempts: HTTP 503"
    assert Dead(reason=Reason.AGENT_BUSY, detail=expected) == settled


@pytest.mark.parametrize("uncertain", [True, False])
def test_a_dead_letter_keeps_the_doubt(uncertain: bool) -> None:
    """Its replay must look before it posts."""
    outcome = Retryable(reason=Reason.AGENT_TIMEOUT, uncertain=uncertain)

    settled = settle(outcome, POLICY, attempt=5, age_s=0.0)

    assert isinstance(settled, Dead)
    assert uncertain == settled.uncertain


def test_uncertainty_is_carried_to_the_next_attempt() -> None:
    """Only so can the next one look before it posts a second time."""
    outcome = Retryable(reason=Reason.AGENT_TIMEOUT, uncertain=True)

    settled = settle(outcome, POLICY, attempt=1, age_s=0.0)

    assert isinstance(settled, Again)
    assert settled.uncertain
