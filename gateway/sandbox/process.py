"""The real gateway as a process of its own, started and stopped like an operator would."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import Mapping
from typing import Any

import orjson

_KEPT_LINES = 2000
_LONGEST_LINE_BYTES = 1 << 22


class GatewayProcess:
    """One `channel-gateway serve`. Logs are read as they come, or the pipe would fill up."""

    def __init__(self, env: Mapping[str, str]) -> None:
        """`env` is added to this process's environment."""
        self._env = {**os.environ, **env}
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._listening: asyncio.Future[tuple[str, str, str]] | None = None
        self.logs: deque[dict[str, Any]] = deque(maxlen=_KEPT_LINES)
        self.stray_lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self.agent_api = ""
        self.ops = ""
        self.public = ""

    @property
    def pid(self) -> int:
        """Process id, while it has been started."""
        return self._running().pid

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        return self._running().returncode

    async def start(self) -> None:
        """Start without waiting for anything."""
        self._listening = asyncio.get_running_loop().create_future()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "gateway", "serve",
            env=self._env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE_BYTES,
        )  # fmt: skip
        self._reader = asyncio.create_task(self._read())

    async def listening(self, timeout_s: float = 30.0) -> None:
        """Wait until both listeners are up. Raises RuntimeError when it ended instead."""
        assert self._listening is not None  # noqa: S101 - a wrong order of calls
        async with asyncio.timeout(timeout_s):
            self.agent_api, self.ops, self.public = await self._listening

    async def stop(self, timeout_s: float = 30.0) -> int:
        """Ask it to stop, wait for its end, give the exit code."""
        if self._running().returncode is None:
            self._running().terminate()
        return await self.ended(timeout_s)

    async def kill(self) -> None:
        """End it as a power cut would."""
        if self._running().returncode is None:
            self._running().kill()
        await self.ended(10.0)

    def interrupt(self) -> None:
        """Ask it to stop, and wait for nothing."""
        self._running().terminate()

    def pause(self) -> None:
        """Stop its clock: SIGSTOP."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._running().send_signal(signal.SIGCONT)

    async def ended(self, timeout_s: float) -> int:
        """Wait for its end, give the exit code."""
        async with asyncio.timeout(timeout_s):
            code = await self._running().wait()
            if self._reader is not None:
                await self._reader
        return code

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RuntimeError("the gateway has not been started")
        return self._process

    async def _read(self) -> None:
        stderr = self._running().stderr
        assert stderr is not None and self._listening is not None  # noqa: S101, PT018 - as started
        async for line in stderr:
            self._take(line.decode(errors="replace").rstrip())
        if not self._listening.done():
            said = "\n".join([*self.stray_lines][-20:])
            self._listening.set_exception(RuntimeError(f"the gateway ended at once: {said}"))
            # Nobody may be waiting for it; an unread exception would be a warning.
            with contextlib.suppress(RuntimeError):
                self._listening.exception()

    def _take(self, line: str) -> None:
        try:
            entry = orjson.loads(line)
        except orjson.JSONDecodeError:
            self.stray_lines.append(line)
            return
        self.logs.append(entry)
        if entry.get("event") == "gateway.listening" and self._listening is not None:
            self._listening.set_result((entry["agent_api"], entry["ops"], entry["public"]))
