"""What a container's answer means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.deliveries import Delivered, Permanent, Reason, Retryable
from plugin_bridge.classify import Answer, classify, retry_after_s
from tests.routing.factories import AT

DAY_S = 86_400.0


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_delivered(status: int) -> None:
    """The receipt is the status."""
    assert Delivered(receipt=str(status)) == classify(Answer(status=status), now=AT)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (408, Reason.AGENT_ERROR),
        (409, Reason.AGENT_ERROR),
        (425, Reason.AGENT_ERROR),
        (429, Reason.AGENT_BUSY),
        (500, Reason.AGENT_ERROR),
        (501, Reason.AGENT_ERROR),
        (502, Reason.AGENT_ERROR),
        (503, Reason.AGENT_BUSY),
        (504, Reason.AGENT_ERROR),
        (599, Reason.AGENT_ERROR),
    ],
)
def test_what_speaks_of_the_moment_is_tried_again(status: int, reason: Reason) -> None:
    """And after as long as the container asks for."""
    answer = Answer(status=status, retry_after="7")

    expected = Retryable(reason=reason, detail=f"HTTP {status}", after_s=7.0)
    assert expected == classify(answer, now=AT)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (410, Reason.ENDPOINT_GONE),
        (400, Reason.AGENT_REJECTED),
        (401, Reason.AGENT_REJECTED),
        (403, Reason.AGENT_REJECTED),
        (404, Reason.AGENT_REJECTED),
        (413, Reason.AGENT_REJECTED),
        (422, Reason.AGENT_REJECTED),
        (301, Reason.AGENT_REJECTED),
        (302, Reason.AGENT_REJECTED),
        (307, Reason.AGENT_REJECTED),
        (308, Reason.AGENT_REJECTED),
    ],
)
def test_what_speaks_of_the_message_is_permanent(status: int, reason: Reason) -> None:
    """A redirect too: a signed body goes to the registered address and to no other."""
    answer = Answer(status=status, retry_after="7")

    assert Permanent(reason=reason, detail=f"HTTP {status}") == classify(answer, now=AT)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        (" 5 ", 5.0),
        ("999999", DAY_S),
        ("9" * 400, DAY_S),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 13:00:30 +0100", 30.0),
        ("Sunday, 01-Mar-26 12:00:30 GMT", 30.0),
        ("Sun Mar  1 12:00:30 2026", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("Sun, 01 Mar 2099 12:00:00 GMT", DAY_S),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("1e3", None),
        ("\u0665", None),
        ("Sun, 31 Feb 2026 12:00:00 GMT", None),
        ("Sun, 01 Mar 99999999999999999999 12:00:00 GMT", None),
        ("Sun, 01 Mar 2026 12:00:00 +99999999999999999999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    """All three date forms of RFC 9110; a day at most; None for what says nothing."""
    assert seconds == retry_after_s(value, now=AT)


@given(
    value=st.text(max_size=40)
    | st.from_regex(r"[A-Z][a-z]{2}, \d+ Mar \d+ \d+:\d+:\d+ [+-]\d+", fullmatch=True)
)
def test_no_header_can_break_an_attempt(value: str) -> None:
    """It comes from a container: whatever it says, the answer is a number in range or None."""
    seconds = retry_after_s(value, now=AT)

    assert seconds is None or 0.0 <= seconds <= DAY_S
