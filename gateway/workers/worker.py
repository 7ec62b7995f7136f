"""One worker: a gateway process whose listeners, metrics and stop are looked after by another."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

from gateway import app
from gateway.settings import Settings
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.totals import snapshot
from gateway.workers import frames


@dataclass(frozen=True, slots=True)
class Inherited:
    """File descriptors that came with the process."""

    line: int
    agents: tuple[int, ...] = ()
    public: tuple[int, ...] = ()


async def work(settings: Settings, inherited: Inherited, stop: asyncio.Event) -> None:
    """Be a worker until `stop` is set, or nobody is left at the other end of the line.

    Raises ConfigError.
    """
    metrics, health = Metrics(), app.Health()
    async with AsyncExitStack() as stack:
        line = await Line.open(
            inherited.line,
            lambda: frames.Report(health.gathered(), snapshot(metrics.registry)),
            stop,
        )
        listener = asyncio.create_task(line.listen())
        stack.push_async_callback(line.close, listener)
        around = app.Surroundings(
            stop=stop,
            announce=lambda here: line.say(frames.Listening(here.agent_api, here.public)),
            metrics=metrics,
            health=health,
            doors=app.Doors(
                agents=tuple(_socket(each) for each in inherited.agents),
                public=tuple(_socket(each) for each in inherited.public),
            ),
            stage_ended=line.stage_ended,
        )
        await app.run(settings, around)


class Line:
    """The worker's end of the line."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        report: Callable[[], frames.Report],
        stop: asyncio.Event,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._report = report
        self._stop = stop
        self._may_go_on = asyncio.Event()
        self._is_alone = False

    @classmethod
    async def open(
        cls, descriptor: int, report: Callable[[], frames.Report], stop: asyncio.Event
    ) -> Line:
        """Take the end that came with the process."""
        reader, writer = await asyncio.open_unix_connection(sock=_socket(descriptor))
        return cls(reader, writer, report, stop)

    async def listen(self) -> None:
        """Do as told. When nobody is left who could tell, stop: what is embedded has ended too, and
        no one would start this worker again.
        """
        with suppress(ConnectionError):
            while commands := await self._reader.read(64):
                if frames.ASK in commands:
                    self.say(self._report())
                if frames.GO_ON in commands:
                    self._may_go_on.set()
        self._is_alone = True
        self._may_go_on.set()
        self._stop.set()

    def say(self, frame: frames.Frame) -> None:
        """Send a frame."""
        self._writer.write(frames.encode(frame))

    async def stage_ended(self) -> None:
        """Wait until all workers have stopped this stage: what another still takes in, this one may
        have to deliver.
        """
        if self._is_alone:
            return
        self._may_go_on.clear()
        self.say(frames.StageEnded())
        await self._may_go_on.wait()

    async def close(self, listener: asyncio.Task[None]) -> None:
        """Say for a last time what was counted."""
        listener.cancel()
        await asyncio.wait([listener])
        self.say(self._report())
        with suppress(ConnectionError):
            await self._writer.drain()
            self._writer.close()
            await self._writer.wait_closed()


def _socket(descriptor: int) -> socket.socket:
    # Ours alone: no child of this process may keep a port or the line open.
    os.set_inheritable(descriptor, False)
    return socket.socket(fileno=descriptor)
