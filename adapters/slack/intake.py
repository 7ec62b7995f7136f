"""Brings envelopes to the gateway's door and acknowledges them. Owns what is under way.

An event is acknowledged only once `accept` has returned. Where it failed Slack sends it again; a
slash command or a press of a button it does not, and the person who did it is told that it failed.
"""

from __future__ import annotations

import asyncio

from adapters.slack.connection import Ack
from adapters.slack.frames import Envelope
from adapters.slack.observer import SocketObserver
from adapters.slack.reception import Reception, why_unacked
from gateway.core.events import Ignored


class Intake:
    """All envelopes that were taken and are not done, of all connections together."""

    def __init__(
        self, reception: Reception, observer: SocketObserver, *, max_in_flight: int
    ) -> None:
        self._reception = reception
        self._observer = observer
        self._room = asyncio.Semaphore(max_in_flight)
        # The loop itself holds tasks only weakly: one that nobody holds may vanish with its event.
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, frame: Envelope | Ignored, ack: Ack) -> None:
        """Begin with a frame. Waits while too many are under way, which stops the reading.

        Tasks start in the order in which they were made, so events enter `accept` in the order of
        their frames, though none waits for the one before it.
        """
        await self._room.acquire()
        task = asyncio.create_task(self._run(frame, ack))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def drain(self, timeout_s: float) -> None:
        """Let what is under way come to its end, then cut off what is left."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)
        left = list(self._tasks)
        for task in left:
            task.cancel()
            self._observer.unacked("stopped")
        await asyncio.gather(*left, return_exceptions=True)

    async def _run(self, frame: Envelope | Ignored, ack: Ack) -> None:
        if isinstance(frame, Ignored):
            self._reception.ignore(frame)
            return
        try:
            answer = await self._reception.take(frame)
            if not await ack(frame.id, answer):
                self._observer.unacked("socket_closed")
        except Exception as exc:
            self._observer.unacked(why_unacked(exc))

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._room.release()
