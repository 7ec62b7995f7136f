"""Wait for a condition with a deadline, so that no test sleeps and hopes."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")

# Another process sends no event to wait for, so this is the one place that polls.
_POLL_S = 0.01


@overload
async def eventually(
    condition: Callable[[], Awaitable[T | None]], *, timeout_s: float = 10
) -> T: ...
@overload
async def eventually(condition: Callable[[], T | None], *, timeout_s: float = 10) -> T: ...
async def eventually(condition: Callable[[], object], *, timeout_s: float = 10) -> object:
    """Return the first true answer of `condition`, asked again and again.

    Raises AssertionError, which names the condition and its last answer, after `timeout_s`.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while not (answer := await _ask(condition)):
        if loop.time() > deadline:
            name = getattr(condition, "__qualname__", repr(condition))
            raise AssertionError(f"{name} did not come true in {timeout_s:g} s, last: {answer!r}")
        await asyncio.sleep(_POLL_S)
    return answer


async def _ask(condition: Callable[[], object]) -> object:
    answer = condition()
    return await answer if inspect.isawaitable(answer) else answer
