"""Sends dead letters again: those that match, oldest first, no faster than asked, until stopped.

Oldest first keeps the order inside a conversation: its letters died one after the other.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import msgspec

from gateway.core.clock import unix_ms
from gateway.core.deliveries import DeadLetter, Direction, Fault, Reason, fault_of
from gateway.core.ids import TenantId

if TYPE_CHECKING:
    # The client of the store takes longer to load than a command line that only asks for help.
    from gateway.store.deadletters import DeadLetterStore

_PAGE = 200


class LetterFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which letters: all that is set must hold. Moments are Unix ms of the death."""

    direction: Direction | None = None
    reason: Reason | None = None
    fault: Fault | None = None
    conversation: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def matches(self, letter: DeadLetter) -> bool:
        """Tell whether the letter is meant."""
        return (
            self.direction in {None, letter.direction}
            and self.reason in {None, letter.reason}
            and self.fault in {None, fault_of(letter.reason)}
            and self.conversation in {None, letter.conversation}
            and (self.since_ms is None or letter.died_at_ms >= self.since_ms)
            and (self.until_ms is None or letter.died_at_ms < self.until_ms)
        )


class Redriven(msgspec.Struct, frozen=True, kw_only=True):
    """How a redrive ended. `gone` were replayed or discarded by somebody else meanwhile."""

    replayed: int
    gone: int
    stopped: bool


class Redrive:
    """Walks over a tenant's dead letters."""

    def __init__(self, letters: DeadLetterStore) -> None:
        self._letters = letters

    async def matching(self, tenant: TenantId, wanted: LetterFilter) -> AsyncIterator[DeadLetter]:
        """Yield what is dead by now and matches, oldest first. Raises StoreError."""
        # What dies again while we walk must not be walked over for ever.
        until_ms = unix_ms()
        after: str | None = None
        while page := await self._letters.page(tenant, after=after, limit=_PAGE):
            for letter in page:
                if letter.died_at_ms > until_ms:
                    return
                if wanted.matches(letter):
                    yield letter
            after = page[-1].cursor

    async def count(self, tenant: TenantId, wanted: LetterFilter) -> int:
        """Count what would be sent again. Raises StoreError."""
        return sum([1 async for _ in self.matching(tenant, wanted)])

    async def replay(
        self,
        tenant: TenantId,
        wanted: LetterFilter,
        *,
        actor: str,
        per_s: float,
        stop: asyncio.Event,
        progress: Callable[[int], None],
    ) -> Redriven:
        """Send again what matches, until `stop` is set. Raises StoreError."""
        done = {True: 0, False: 0}
        async for letter in self.matching(tenant, wanted):
            if stop.is_set():
                break
            done[await self._letters.replay(letter, actor=actor)] += 1
            progress(done[True])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1 / per_s):
                    await stop.wait()
        return Redriven(replayed=done[True], gone=done[False], stopped=stop.is_set())
