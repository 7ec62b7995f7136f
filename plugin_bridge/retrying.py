"""Layer one of three: connection faults inside the lease. Never repeats what may have arrived."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, stop_after_delay
from tenacity.wait import wait_random_exponential

from plugin_bridge.classify import Answer
from plugin_bridge.transport import NotConnectedError

MAX_TRIES = 3
BUDGET_S = 2.0


async def with_retries(post_once: Callable[[], Awaitable[Answer]]) -> Answer:
    """Post; again only after a NotConnectedError, 3 tries and 2 s at most.

    The machinery of retries is built for the first failure: on the good road it would cost as
    much as the post itself.
    """
    started = time.monotonic()
    try:
        return await post_once()
    except NotConnectedError as exc:
        first = exc
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(NotConnectedError),
        stop=stop_after_attempt(MAX_TRIES)
        | stop_after_delay(BUDGET_S - (time.monotonic() - started)),
        wait=wait_random_exponential(multiplier=0.05, max=0.5),
        reraise=True,
    ):
        with attempt:
            if attempt.retry_state.attempt_number == 1:
                raise first  # the try that was made before, so that it is counted and waited for
            return await post_once()
    raise AssertionError("tenacity ends by returning or raising")
