"""What every Python subject's process has in common: the commands plan, fill, publish, start, stop.

Standard library only, since a peer in a virtual environment of its own imports it too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any, Protocol

from loadtests.commands import Fields, Handler, obey
from loadtests.messages import Message, Plan

_PORTION = 1024
"""Messages made at once before the clock runs: making them is not the subject's work."""


class Hosted(Protocol):
    """What a subject can do."""

    def made(self, plan: Plan, message: Message) -> Any:
        """Turn a message into what `put` takes; not on the clock."""

    async def put(self, item: Any) -> None:
        """Hand one message in. An exception means that it was refused."""

    async def start(self) -> None:
        """Begin to deliver what is queued."""

    async def stop(self) -> None:
        """Deliver nothing more until the next start."""


class Host:
    """Turns commands into calls. Counts what is refused: only the rest is due at the receiver."""

    def __init__(self, subject: Hosted, in_flight: int) -> None:
        self._subject = subject
        self._in_flight = in_flight
        self._plan: Plan | None = None
        self._refused: list[int] = []
        self._why = ""
        self._publishing: set[asyncio.Task[None]] = set()

    def handlers(self) -> dict[str, Handler]:
        """The commands, by name."""
        return {
            "plan": self.plan,
            "fill": self.fill,
            "publish": self.publish,
            "published": self.published,
            "start": self.start,
            "stop": self.stop,
        }

    async def plan(self, fields: Fields) -> Fields:
        """Say what the next fill or publish is about."""
        self._plan = Plan.from_json(fields["plan"])
        self._refused = []
        return {}

    async def fill(self, fields: Fields) -> Fields:
        """Hand in the whole plan, so many at a time as the in-flight cap says, `limit_s` at most.

        Answers how many, the seconds and the CPU seconds that it took.
        """
        plan = self._known()
        deadline = time.monotonic() + float(fields["limit_s"])
        numbers = iter(range(plan.count))
        count, took_s, cpu_s = 0, 0.0, 0.0
        while time.monotonic() < deadline and (portion := list(islice(numbers, _PORTION))):
            items = [(n, self._subject.made(plan, plan.message(n))) for n in portion]
            began, cpu_began = time.perf_counter(), time.process_time()
            await self._put_all(items)
            took_s += time.perf_counter() - began
            cpu_s += time.process_time() - cpu_began
            count += len(items)
        return {"count": count, "took_s": took_s, "cpu_s": cpu_s, **self._fate()}

    async def publish(self, fields: Fields) -> None:
        """Hand in message `n`, due at `due_ns`, and do not wait for it: the loop is open."""
        plan = self._known()
        item = self._subject.made(plan, plan.message(fields["n"], fields["due_ns"]))
        task = asyncio.create_task(self._put(fields["n"], item))
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    async def published(self, _: Fields) -> Fields:
        """Wait until everything published is handed in; answers what was refused, and why."""
        if self._publishing:
            await asyncio.wait(self._publishing)
        return self._fate()

    async def start(self, _: Fields) -> Fields:
        """Begin to deliver."""
        await self._subject.start()
        return {}

    async def stop(self, _: Fields) -> Fields:
        """End delivering."""
        await self._subject.stop()
        return {}

    async def _put_all(self, items: Iterable[tuple[int, Any]]) -> None:
        # All take from one iterator and none waits between taking and handing in, so what
        # belongs to one conversation is handed in in its order.
        source = iter(items)
        await asyncio.gather(*(self._put_from(source) for _ in range(self._in_flight)))

    async def _put_from(self, source: Iterator[tuple[int, Any]]) -> None:
        for number, item in source:
            await self._put(number, item)

    async def _put(self, number: int, item: Any) -> None:
        try:
            await self._subject.put(item)
        except Exception as exc:  # whatever it is, the message was not taken
            self._refused.append(number)
            self._why = f"{type(exc).__name__}: {exc}"

    def _fate(self) -> Fields:
        return {"refused": self._refused, "why": self._why}

    def _known(self) -> Plan:
        if self._plan is None:
            raise RuntimeError("no plan yet")
        return self._plan


async def host(subject: Hosted, in_flight: int, more: Mapping[str, Handler] | None = None) -> None:
    """Obey until stdin ends, then stop the subject."""
    commands = Host(subject, in_flight).handlers()
    try:
        await obey({**commands, **(more or {})})
    finally:
        await subject.stop()


@asynccontextmanager
async def background(work: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run `work` beside the block and cancel it at the end."""
    task = asyncio.create_task(work())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()
