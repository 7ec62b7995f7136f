"""Lets a test wait for a state of a stand-in. Owns the wake-up; never polls and never sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Changes:
    """A condition whose `announce` may be called from plain (not async) code.

    asyncio.Condition notifies only under its lock, which would make every driving call a coroutine.
    """

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def announce(self) -> None:
        """Wake everybody who waits, so that they look again."""
        self._next.set()
        self._next = asyncio.Event()

    async def until(
        self, reached: Callable[[], bool], timeout_s: float, describe: Callable[[], str]
    ) -> None:
        """Wait until `reached()`. Raises TimeoutError that carries `describe()`."""
        try:
            async with asyncio.timeout(timeout_s):
                while not reached():
                    await self._next.wait()
        except TimeoutError:
            raise TimeoutError(f"not reached within {timeout_s} s: {describe()}") from None
