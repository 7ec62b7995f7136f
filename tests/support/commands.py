"""`channel-gateway` as a program of its own, which a test can interrupt."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from typing import Any

import msgspec


class Command:
    """One run of the command line."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def interrupt(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    async def json(self) -> Any:
        """Wait for its end, which must be a good one, and read what it printed."""
        out, err = await self._process.communicate()
        assert 0 == self._process.returncode, err.decode()
        return msgspec.json.decode(out)


async def start_command(env: Mapping[str, str], *args: str) -> Command:
    """Start a command in this environment."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "gateway", *args,
        env={**os.environ, **env},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
    )  # fmt: skip
    return Command(process)


async def run_command(env: Mapping[str, str], *args: str) -> Any:
    """Run a command that prints JSON to its good end."""
    return await (await start_command(env, *args, "--json")).json()
