"""One worker as the process above it sees it: its start, what it says, its end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from gateway.workers import frames

EXIT_SETTINGS = 2
"""With it a worker ends that cannot work with these settings: to start it again is of no use."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a worker is started: its number, its environment, and the sockets that it serves."""

    number: int
    env: Mapping[str, str]
    agents: Sequence[socket.socket] = ()
    public: Sequence[socket.socket] = ()

    @property
    def name(self) -> str:
        """What it is called in health and logs."""
        return f"worker {self.number}"


class WorkerProcess:
    """One life of a worker."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        changed: Callable[[], None],
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._changed = changed
        self._asked = False
        self._answered = asyncio.Event()
        self._asked_at_s = asyncio.get_running_loop().time()
        self._gone_on = 0
        self.listening: frames.Listening | None = None
        self.report: frames.Report | None = None
        self.stages_ended = 0

    @classmethod
    async def start(cls, plan: Plan, changed: Callable[[], None]) -> WorkerProcess:
        """Start it; `changed` is called when it is up and after each stage that it stops."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = await _spawn(plan, theirs)
                reader, writer = await asyncio.open_unix_connection(sock=ours)
            except BaseException:
                # Whatever has been started by then ends with its line.
                ours.close()
                raise
        return cls(process, reader, writer, changed)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def silent_s(self) -> float:
        """For how long it owes an answer."""
        return asyncio.get_running_loop().time() - self._asked_at_s if self._asked else 0.0

    async def ended(self) -> int:
        """Hear it to its end; return the exit code, negative for a signal."""
        async for frame in frames.frames(self._reader):
            self._take(frame)
        code = await self._process.wait()
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()
        return code

    async def ask(self) -> None:
        """Wait for its next report."""
        if not self._asked:
            self._asked = True
            self._answered.clear()
            self._asked_at_s = asyncio.get_running_loop().time()
            self._writer.write(frames.ASK)
        await self._answered.wait()

    def go_on(self, stages: int) -> None:
        """Let it go on, if it waits, once all have stopped so many stages."""
        if self._gone_on < self.stages_ended <= stages:
            self._gone_on = self.stages_ended
            self._writer.write(frames.GO_ON)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it is still there."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def _take(self, frame: frames.Frame) -> None:
        match frame:
            case frames.Report():
                self.report = frame
                self._asked = False
                self._answered.set()
                return
            case frames.Listening():
                self.listening = frame
            case frames.StageEnded():
                self.stages_ended += 1
        self._changed()


async def _spawn(plan: Plan, line: socket.socket) -> asyncio.subprocess.Process:
    arguments = ["--number", str(plan.number), "--line", str(line.fileno())]
    for option, sockets in (("--agents", plan.agents), ("--public", plan.public)):
        for each in sockets:
            arguments += [option, str(each.fileno())]
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "gateway", "worker", *arguments),
        env={**os.environ, **plan.env},
        stdin=asyncio.subprocess.DEVNULL,
        pass_fds=[each.fileno() for each in (line, *plan.agents, *plan.public)],
        # Ctrl-C in a terminal goes to the whole group: the one above tells when to stop, and how.
        start_new_session=True,
    )


def manner(code: int) -> str:
    """Say how a process ended."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
