"""Attempts begin when there is room, tenant by tenant, and a hog keeps to its share."""

from __future__ import annotations

import asyncio

from gateway.core.ids import TenantId
from gateway.engine.turnstile import Turnstile
from tests.support.queues import ACME, GLOBEX, INITECH
from tests.support.waiting import eventually


class Entered:
    """Who has begun, in order."""

    def __init__(self, *, limit: int, share: int) -> None:
        self.turnstile = Turnstile(limit, share)
        self.begun: list[str] = []

    def enter(self, tenant: TenantId, count: int = 1) -> None:
        """Let so many of a tenant come."""
        for _ in range(count):
            self.turnstile.enter(tenant, lambda: self.begun.append(tenant))

    async def have_begun(self, count: int) -> None:
        """Wait for so many."""
        await eventually(lambda: len(self.begun) == count)


async def test_who_is_alone_begins_at_once_up_to_the_limit() -> None:
    """There is nobody to whom it could be unfair; the rest begins as others end."""
    entered = Entered(limit=10, share=2)
    entered.turnstile._others_until = -1.0
    entered.turnstile._last = ACME
    entered.enter(ACME, 12)
    assert 10 == len(entered.begun)

    entered.turnstile.leave()
    await entered.have_begun(11)


async def test_a_hog_keeps_to_its_share_while_others_are_there() -> None:
    """Within a tick; the others begin at once, and the hog goes on in the next."""
    entered = Entered(limit=100, share=2)
    entered.enter(GLOBEX)
    entered.enter(ACME, 7)
    entered.enter(INITECH)
    assert [GLOBEX, ACME, ACME, INITECH] == entered.begun

    await entered.have_begun(9)


async def test_those_that_wait_for_room_take_turns() -> None:
    """One lane per tenant and turn, whoever has how many."""
    entered = Entered(limit=1, share=100)
    entered.enter(ACME, 3)
    entered.enter(GLOBEX, 2)
    for count in range(2, 6):
        entered.turnstile.leave()
        await entered.have_begun(count)

    assert [ACME, ACME, GLOBEX, ACME, GLOBEX] == entered.begun


async def test_nothing_ticks_when_nobody_comes() -> None:
    """An idle process sleeps."""
    entered = Entered(limit=1, share=1)
    entered.enter(ACME)
    await eventually(lambda: entered.turnstile._tick is None)
    await asyncio.sleep(0)

    assert [ACME] == entered.begun
