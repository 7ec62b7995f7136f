"""Events of one conversation are committed in the order in which they came."""

from __future__ import annotations

import asyncio

from gateway.core.ids import ConversationId
from gateway.ingress import Turns

C1, C2 = ConversationId("c1"), ConversationId("c2")


class Visits:
    """Who had a turn, in which order, each for as long as its gate is closed."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.seen: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}

    def start(self, name: str, conversation: ConversationId = C1) -> asyncio.Task[None]:
        """Ask for a turn."""
        self.gates[name] = asyncio.Event()
        return asyncio.create_task(self._visit(name, conversation))

    async def _visit(self, name: str, conversation: ConversationId) -> None:
        async with self.turns.of(conversation):
            self.seen.append(name)
            await self.gates[name].wait()


async def pause() -> None:
    """Let everybody who can go on go on."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_turns_are_given_in_the_order_of_arrival() -> None:
    """One after the other, and other conversations meanwhile."""
    visits = Visits()
    tasks = [visits.start(name) for name in ("a", "b", "c")]
    tasks.append(visits.start("elsewhere", C2))
    await pause()
    assert ["a", "elsewhere"] == visits.seen
    for name in ("c", "a", "b", "elsewhere"):
        visits.gates[name].set()
    await asyncio.gather(*tasks)

    assert ["a", "elsewhere", "b", "c"] == visits.seen


async def test_a_failed_turn_ends_like_any_other() -> None:
    """The next one must not wait for ever."""
    visits = Visits()
    first, second = visits.start("a"), visits.start("b")
    await pause()
    first.cancel()
    visits.gates["b"].set()
    await second

    assert ["a", "b"] == visits.seen


async def test_whoever_is_cancelled_while_waiting_lets_nobody_overtake() -> None:
    """Those behind it wait for those before it all the same, and nobody fails of it."""
    visits = Visits()
    first, second = visits.start("a"), visits.start("b")
    await pause()
    second.cancel()
    await pause()
    third = visits.start("c")
    await pause()
    assert ["a"] == visits.seen

    visits.gates["a"].set()
    visits.gates["c"].set()
    await asyncio.gather(first, third)
    assert ["a", "c"] == visits.seen


async def test_a_conversation_that_is_over_costs_nothing() -> None:
    """Or every conversation there ever was would stay in memory."""
    visits = Visits()
    for name in ("a", "b"):
        task = visits.start(name)
        visits.gates[name].set()
        await task

    assert {} == visits.turns._last
