"""What the end of an attempt says of the endpoint's health."""

from __future__ import annotations

import pytest

from gateway.core.breaker import Sign, sign_of
from gateway.core.deliveries import Deferred, Delivered, Outcome, Permanent, Reason, Retryable


@pytest.mark.parametrize(
    ("outcome", "sign"),
    [
        (Delivered(receipt="202"), Sign.WELL),
        (Permanent(reason=Reason.AGENT_REJECTED), Sign.WELL),
        (Permanent(reason=Reason.ENDPOINT_GONE), Sign.GONE),
        (Retryable(reason=Reason.AGENT_ERROR), Sign.ILL),
        (Retryable(reason=Reason.AGENT_TIMEOUT, uncertain=True), Sign.ILL),
        (Retryable(reason=Reason.AGENT_UNREACHABLE), Sign.ILL),
        (Retryable(reason=Reason.AGENT_BUSY), Sign.NONE),
        (Retryable(reason=Reason.INTERRUPTED, uncertain=True), Sign.NONE),
        (Retryable(reason=Reason.GATEWAY_FAULT, uncertain=True), Sign.NONE),
        (Permanent(reason=Reason.ENDPOINT_MISSING), Sign.NONE),
        (Deferred(reason=Reason.TENANT_SUSPENDED, after_s=1.0), Sign.NONE),
    ],
)
def test_what_an_outcome_says_of_the_endpoint(outcome: Outcome, sign: Sign) -> None:
    """Who answers is well, whatever the answer; being busy, and our own faults, say nothing."""
    assert sign is sign_of(outcome)
