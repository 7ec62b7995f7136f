"""What HTTP alone costs: a bare aiohttp POST loop over messages that lie ready in memory.

Keep-alive, as many tasks as the gateway's in-flight cap. No queue, no order, no retry.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque

import aiohttp
import uvloop

from loadtests.messages import Message, Plan
from loadtests.rig import Launch
from loadtests.subjects.hosted import host

NAME = "aiohttp loop"

_HEADERS = {"Content-Type": "application/json"}


def launch(in_flight: int) -> Launch:
    """Start with so many tasks."""
    return Launch(NAME, [sys.executable, "-m", "loadtests.subjects.floor_http", str(in_flight)])


class FloorHttp:
    """Keeps what is put while stopped; posts it when started, and at once from then on."""

    def __init__(self, session: aiohttp.ClientSession, in_flight: int) -> None:
        self._session = session
        self._in_flight = in_flight
        self._queue: deque[tuple[str, bytes]] = deque()
        self._loops: list[asyncio.Task[None]] = []
        self._started = False

    def made(self, plan: Plan, message: Message) -> tuple[str, bytes]:
        """URL and body."""
        return plan.url(message.key.tenant), plan.body(message)

    async def put(self, item: tuple[str, bytes]) -> None:
        """Post, or keep for the start."""
        if self._started:
            await self._post(*item)
        else:
            self._queue.append(item)

    async def start(self) -> None:
        """Post what waits."""
        self._started = True
        self._loops = [asyncio.create_task(self._loop()) for _ in range(self._in_flight)]

    async def stop(self) -> None:
        """Wait for what is on its way."""
        self._started = False
        if self._loops:
            await asyncio.wait(self._loops)

    async def _loop(self) -> None:
        while self._queue:
            await self._post(*self._queue.popleft())

    async def _post(self, url: str, body: bytes) -> None:
        async with self._session.post(url, data=body, headers=_HEADERS) as response:
            await response.read()


async def main(in_flight: int) -> None:
    """Obey until stdin ends."""
    connector = aiohttp.TCPConnector(limit=in_flight)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    ) as session:
        await host(FloorHttp(session, in_flight), in_flight)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
