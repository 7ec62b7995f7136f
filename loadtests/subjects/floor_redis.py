"""What Redis alone costs: one stream, XADD, XREADGROUP and XACK + XDEL in pipelines of 100.

Posts nothing: it shows what the store could do if nothing else had to be done.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

import uvloop
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from loadtests.commands import Fields
from loadtests.messages import Message, Plan
from loadtests.rig import Launch
from loadtests.subjects.hosted import host

NAME = "redis streams"

_STREAM, _GROUP, _ME = "floor", "group", "me"
_BATCH = 100


def launch(in_flight: int) -> Launch:
    """Start; batches take the place of an in-flight cap."""
    argv = [sys.executable, "-m", "loadtests.subjects.floor_redis", str(in_flight)]
    return Launch(NAME, argv, posts=False)


class FloorRedis:
    """One consumer of one stream."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._waiting: list[bytes] = []
        self._reading: asyncio.Task[float] | None = None

    def made(self, plan: Plan, message: Message) -> bytes:
        """Only a body."""
        return plan.body(message)

    async def put(self, item: bytes) -> None:
        """Add, a hundred at a time."""
        self._waiting.append(item)
        if len(self._waiting) >= _BATCH:
            await self._flush()

    async def start(self) -> None:
        """Read until the stream is empty."""
        await self._flush()
        try:
            await self._client.xgroup_create(_STREAM, _GROUP, id="0")
        except ResponseError:
            await asyncio.sleep(0)  # it is there from the run before
        self._reading = asyncio.create_task(self._read())

    async def drained(self, _: Fields) -> Fields:
        """Wait until all is read and acknowledged; answers the seconds it took."""
        return {"took_s": await self._reading if self._reading else 0.0}

    async def stop(self) -> None:
        """Nothing runs when all has been read."""
        self._reading = None

    async def _flush(self) -> None:
        items, self._waiting = self._waiting, []
        async with self._client.pipeline(transaction=False) as pipe:
            for item in items:
                pipe.execute_command("XADD", _STREAM, "*", "p", item)
            await pipe.execute()

    async def _read(self) -> float:
        began = time.perf_counter()
        while ids := await self._next():
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.execute_command("XACK", _STREAM, _GROUP, *ids)
                pipe.execute_command("XDEL", _STREAM, *ids)
                await pipe.execute()
        return time.perf_counter() - began

    async def _next(self) -> list[bytes]:
        found: Any = await self._client.xreadgroup(_GROUP, _ME, {_STREAM: ">"}, count=_BATCH)
        return [entry for entry, _ in found[0][1]] if found else []


async def main(in_flight: int, redis_url: str) -> None:
    """Obey until stdin ends."""
    async with Redis.from_url(redis_url, protocol=2) as client:
        floor = FloorRedis(client)
        await host(floor, in_flight, {"drained": floor.drained})


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2]))
