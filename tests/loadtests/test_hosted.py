"""What all Python subjects share: handing messages in, and counting what was refused."""

from __future__ import annotations

import asyncio

from loadtests.messages import Key, Message, Plan
from loadtests.subjects.hosted import Host

PLAN = Plan("run", "http://127.0.0.1:1/0", ("acme",), lanes=3, count=3_000)


class Memory:
    """Takes everything but what it was told to refuse."""

    def __init__(self, refused: Key | None = None) -> None:
        self.taken: list[Key] = []
        self.most_at_once = 0
        self._at_once = 0
        self._refused = refused

    def made(self, _plan: Plan, message: Message) -> Message:
        """The message itself."""
        return message

    async def put(self, item: Message) -> None:
        """Take one message after a turn of the loop. Raises ValueError."""
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        self.taken.append(item.key)
        await asyncio.sleep(0)
        self._at_once -= 1
        if item.key == self._refused:
            raise ValueError("not this one")

    async def start(self) -> None:
        """Nothing to start."""

    async def stop(self) -> None:
        """Nothing to stop."""


async def planned(subject: Memory, in_flight: int = 8) -> Host:
    """A host that knows its plan."""
    host = Host(subject, in_flight)
    await host.plan({"plan": PLAN.as_json()})
    return host


async def test_a_fill_hands_everything_in_in_order_and_bounded() -> None:
    """So many at a time as the cap says, begun in the order of the plan."""
    memory = Memory()
    answer = await (await planned(memory)).fill({"limit_s": 30})
    assert list(PLAN.keys()) == memory.taken
    assert (3_000, [], 8) == (answer["count"], answer["refused"], memory.most_at_once)


async def test_a_fill_ends_in_time() -> None:
    """Without time nothing is handed in, and the answer says so."""
    memory = Memory()
    answer = await (await planned(memory)).fill({"limit_s": 0})
    assert (0, []) == (answer["count"], memory.taken)


async def test_what_is_refused_is_told() -> None:
    """It is not due at the receiver."""
    host = await planned(Memory(refused=PLAN.message(5).key))
    answer = await host.fill({"limit_s": 30})
    assert ([5], "ValueError: not this one") == (answer["refused"], answer["why"])


async def test_a_new_plan_forgets_what_was_refused() -> None:
    """Refusals belong to one run."""
    host = await planned(Memory(refused=PLAN.message(5).key))
    await host.fill({"limit_s": 30})
    await host.plan({"plan": PLAN.as_json()})
    assert [] == (await host.published({}))["refused"]


async def test_publishing_waits_for_nobody_and_published_waits_for_all() -> None:
    """The loop is open."""
    memory = Memory()
    host = await planned(memory)
    for number in range(4):
        await host.publish({"n": number, "due_ns": 7})
    assert [] == (await host.published({}))["refused"]
    assert [PLAN.message(number).key for number in range(4)] == memory.taken
