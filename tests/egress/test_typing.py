"""What people are shown of an agent at work: renewed, bounded, and never worth a fault."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.core.conversations import parse_conversation_id
from gateway.core.ids import Platform
from gateway.core.tenants import TenantStatus
from gateway.egress.access import Access
from gateway.egress.reach import Reach
from gateway.egress.requests import Refusal
from gateway.egress.typing import TypingLeases
from gateway.store.places import PlaceNotes
from tests.egress.conftest import (
    ACME,
    ACME_TEAM,
    GLOBEX,
    GLOBEX_TEAM,
    HERE,
    SHARDS,
    THERE,
    Egress,
)
from tests.egress.stage import REJECTED, Plain, Typist
from tests.support.waiting import eventually

ON, OFF = "typing on C0AAAA", "typing off C0AAAA"
ELSEWHERE = f"slack:{ACME_TEAM}:C0BBBB"


@asynccontextmanager
async def _leases(
    egress: Egress, stage: Plain, *, most: int = 10, of_tenant: int = 10
) -> AsyncIterator[TypingLeases]:
    outlets = {Platform.SLACK: stage.outlet()}
    reach = Reach(egress.lookup, PlaceNotes(egress.redis, SHARDS))
    access = Access(egress.lookup, reach, egress.seal, egress.store, outlets, egress.metrics)
    leases = TypingLeases(access, most=most, of_tenant=of_tenant)
    worker = asyncio.create_task(leases.run())
    try:
        yield leases
    finally:
        worker.cancel()
        await asyncio.wait([worker])


async def test_it_is_shown_at_once_and_taken_back_when_the_lease_ends(egress: Egress) -> None:
    """A short lease of a platform that would show it for longer."""
    stage = Typist()
    async with _leases(egress, stage) as leases:
        assert None is await leases.hold(ACME, HERE, for_s=0.05)
        await eventually(lambda: OFF in stage.calls)

    assert [ON, OFF] == stage.calls


async def test_it_is_renewed_before_the_platform_forgets_it(egress: Egress) -> None:
    """For as long as the lease lasts, and a second hold makes it longer."""
    stage = Typist()
    stage.typing_lasts_s = 0.02
    async with _leases(egress, stage) as leases:
        await leases.hold(ACME, HERE, for_s=0.01)
        await leases.hold(ACME, HERE, for_s=60)
        await eventually(lambda: stage.calls.count(ON) >= 3)
        assert None is await leases.release(ACME, HERE)
        await eventually(lambda: OFF in stage.calls)

    assert OFF == stage.calls[-1]


async def test_a_post_ends_it(egress: Egress) -> None:
    """Platforms hide it by themselves then; another conversation's goes on."""
    stage = Typist()
    stage.typing_lasts_s = 0.02
    async with _leases(egress, stage) as leases:
        await leases.hold(ACME, HERE, for_s=60)
        await leases.hold(ACME, ELSEWHERE, for_s=60)
        await eventually(lambda: {ON, "typing on C0BBBB"} <= set(stage.calls))
        leases.posted(ACME, parse_conversation_id(HERE))
        shown = stage.calls.count("typing on C0BBBB")
        await eventually(lambda: stage.calls.count("typing on C0BBBB") >= shown + 2)
        seen = stage.calls.count(ON)
        await eventually(lambda: stage.calls.count("typing on C0BBBB") >= shown + 4)

    assert seen == stage.calls.count(ON)
    assert OFF not in stage.calls


async def test_the_outbox_tells_of_every_post(egress: Egress) -> None:
    """So that the lease of its conversation ends with the answer."""
    stage = Typist()
    desk = egress.desk(stage.outlet())
    worker = asyncio.create_task(desk.typing.run())
    await desk.typing.hold(ACME, HERE, for_s=60)
    await eventually(lambda: ON in stage.calls)
    await egress.say("the answer")
    await egress.work(egress.outbox(desk=desk))

    # Held anew it is shown anew, for the first lease is over.
    await eventually(lambda: _held_anew(desk.typing, stage))
    worker.cancel()
    await asyncio.wait([worker])


async def _held_anew(leases: TypingLeases, stage: Typist) -> bool:
    await leases.hold(ACME, HERE, for_s=60)
    return stage.calls.count(ON) >= 2


async def test_nobody_types_in_conversations_of_others(egress: Egress) -> None:
    """Law 8, for both verbs."""
    stage = Typist()
    async with _leases(egress, stage) as leases:
        assert Refusal.UNKNOWN_CONVERSATION is await leases.hold(ACME, THERE)
        assert Refusal.UNKNOWN_CONVERSATION is await leases.release(ACME, THERE)
        assert Refusal.UNKNOWN_CONVERSATION is await leases.hold(ACME, "nowhere")

    assert [] == stage.calls


async def test_a_platform_that_cannot_is_left_in_peace(egress: Egress) -> None:
    """No error for the agent: it is an ornament."""
    stage = Plain()
    async with _leases(egress, stage) as leases:
        assert None is await leases.hold(ACME, HERE)
        assert None is await leases.release(ACME, HERE)

    assert [] == stage.calls


async def test_a_fault_of_the_platform_is_nobody_elses(egress: Egress) -> None:
    """Its lease ends, the others and the worker go on."""
    stage = Typist(faults=[REJECTED])
    async with _leases(egress, stage) as leases:
        await leases.hold(ACME, HERE, for_s=60)
        await eventually(lambda: [ON] == stage.calls)
        await leases.hold(ACME, ELSEWHERE, for_s=60)
        await eventually(lambda: "typing on C0BBBB" in stage.calls)
        await eventually(lambda: _held_anew(leases, stage))


async def test_a_suspended_tenant_shows_nothing(egress: Egress) -> None:
    """Its messages wait too."""
    stage = Typist()
    await egress.bind(ACME, ACME_TEAM, token="xoxb-placeholder", status=TenantStatus.SUSPENDED)
    async with _leases(egress, stage) as leases:
        await leases.hold(ACME, HERE, for_s=60)
        await leases.hold(GLOBEX, f"slack:{GLOBEX_TEAM}:C0BBBB", for_s=60)
        await eventually(lambda: "typing on C0BBBB" in stage.calls)

    assert ON not in stage.calls


async def test_there_are_so_many_leases(egress: Egress) -> None:
    """More are not an error: they are not shown."""
    stage = Typist()
    async with _leases(egress, stage, most=1) as leases:
        await leases.hold(ACME, HERE, for_s=60)
        await eventually(lambda: [ON] == stage.calls)

        assert None is await leases.hold(ACME, ELSEWHERE, for_s=60)
        await leases.release(ACME, HERE)
        await eventually(lambda: OFF in stage.calls)

    assert [ON, OFF] == stage.calls


async def test_a_tenant_leaves_room_for_the_others(egress: Egress) -> None:
    """And has it again when one of its leases has ended."""
    stage = Typist()
    async with _leases(egress, stage, of_tenant=1) as leases:
        await leases.hold(ACME, HERE, for_s=60)
        await leases.hold(ACME, ELSEWHERE, for_s=60)
        await leases.hold(GLOBEX, THERE, for_s=60)
        await eventually(lambda: [ON, ON] == stage.calls)
        await leases.release(ACME, HERE)
        await eventually(lambda: OFF in stage.calls)

        async def room() -> bool:
            await leases.hold(ACME, ELSEWHERE, for_s=60)
            return "typing on C0BBBB" in stage.calls

        assert await eventually(room)
