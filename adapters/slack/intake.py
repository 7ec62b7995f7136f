"""Brings envelopes to the gateway's door and acknowledges them. Owns what is under way.

An event is acknowledged only once `accept` has returned; where it failed Slack sends it again.
"""

from __future__ import annotations

import asyncio
import logging

from adapters.slack.connection import Ack
from adapters.slack.frames import EVENTS_API, Envelope
from adapters.slack.inbound import parse_envelope
from adapters.slack.observer import SocketObserver
from gateway.core.clock import utc_now
from gateway.core.errors import QueueFullError, StoreError
from gateway.core.events import Ignored, IgnoredReason, InboundEvent
from gateway.core.ports import Accept, Ignore

_log = logging.getLogger(__name__)


class Intake:
    """All envelopes that were taken and are not done, of all connections together."""

    def __init__(
        self, accept: Accept, ignore: Ignore, observer: SocketObserver, *, max_in_flight: int
    ) -> None:
        self._accept = accept
        self._ignore = ignore
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
        try:
            await self._dispose(frame)
            if isinstance(frame, Envelope) and not await ack(frame.id):
                self._observer.unacked("socket_closed")
        except StoreError:
            self._observer.unacked("store_error")
        except QueueFullError:
            self._observer.unacked("queue_full")
        except Exception:
            _log.exception("an envelope could not be taken in; Slack will send it again")
            self._observer.unacked("fault")

    async def _dispose(self, frame: Envelope | Ignored) -> None:
        event = _read(frame)
        if isinstance(event, Ignored):
            self._ignore(event)
        else:
            await self._accept(event)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._room.release()


def _read(frame: Envelope | Ignored) -> InboundEvent | Ignored:
    if isinstance(frame, Ignored):
        return frame
    if frame.type != EVENTS_API:
        return Ignored(IgnoredReason.NOT_AN_EVENT, f"envelope type {frame.type}")
    return parse_envelope(frame.payload, received_at=utc_now(), retry=frame.retry)
