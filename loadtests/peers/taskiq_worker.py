"""taskiq as a subject, in a virtual environment of its own (subjects/taskiq.py makes it).

Redis streams with acknowledgement, orjson, uvloop, one process that publishes and works, and
aiohttp with keep-alive for the POST.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import uvloop
from taskiq.receiver import Receiver  # type: ignore[import-not-found] # not of this project
from taskiq.serializers import ORJSONSerializer  # type: ignore[import-not-found]
from taskiq_redis import RedisStreamBroker  # type: ignore[import-not-found]

from loadtests.messages import Message, Plan
from loadtests.subjects.hosted import host


class GatedBroker(RedisStreamBroker):  # type: ignore[misc] # a class of an unknown module
    """Hands nothing out while its gate is closed.

    A receiver that is ended instead may take a last message with it, or keep a lock for ever.
    """

    gate: asyncio.Event

    async def listen(self) -> AsyncGenerator[Any, None]:
        """Pass messages on while the gate is open."""
        async for message in super().listen():
            await self.gate.wait()
            yield message


class Taskiq:
    """One broker and one receiver for the life of the process."""

    def __init__(self, session: aiohttp.ClientSession, in_flight: int, redis_url: str) -> None:
        self._session = session
        self._broker = GatedBroker(redis_url, consumer_id="0").with_serializer(ORJSONSerializer())
        self._broker.gate = asyncio.Event()

        # A function, for taskiq renames what it registers.
        async def deliver(url: str, body: str) -> None:
            await self._deliver(url, body)

        self._task = self._broker.register_task(deliver, task_name="deliver")
        self._receiver = Receiver(
            self._broker,
            validate_params=False,
            max_async_tasks=in_flight,
            max_prefetch=in_flight,
            run_startup=False,
        )

    async def open(self) -> asyncio.Task[None]:
        """Make the consumer group and begin to listen."""
        await self._broker.startup()
        return asyncio.create_task(self._receiver.listen(asyncio.Event()))

    def made(self, plan: Plan, message: Message) -> tuple[str, str]:
        """URL and body."""
        return plan.url(message.key.tenant), plan.body(message).decode()

    async def put(self, item: tuple[str, str]) -> None:
        """Queue one task."""
        await self._task.kiq(*item)

    async def start(self) -> None:
        """Work."""
        self._broker.gate.set()

    async def stop(self) -> None:
        """Work no more."""
        self._broker.gate.clear()

    async def _deliver(self, url: str, body: str) -> None:
        headers = {"Content-Type": "application/json"}
        async with self._session.post(url, data=body.encode(), headers=headers) as response:
            await response.read()
            response.raise_for_status()


async def main(in_flight: int, redis_url: str) -> None:
    """Obey until stdin ends."""
    connector = aiohttp.TCPConnector(limit=in_flight)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        peer = Taskiq(session, in_flight, redis_url)
        listening = await peer.open()
        await host(peer, in_flight)
        # Nothing is queued any more, and a receiver does not always end when it is cancelled.
        os._exit(0 if not listening.done() else 1)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2]))
