"""The real OpenClaw as a process: configured, started and killed like a tenant's container."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.openclaw.install import Installed
from tests.support.waiting import eventually

PLUGIN = Path(__file__).parents[2] / "plugin_bridge" / "openclaw"
TOKEN = "sandbox-operator-token"
HOOKS_TOKEN = "sandbox-hooks-token"
EVENTS = "/aegis/v1/events"
_SURFACES = ("responses", "chatCompletions")
READY = "takes deliveries at"

PATIENCE_S = 240.0
"""Until what has to come true must have: no figure, only the end of hope on a slow machine."""

STOP_S = 15.0
"""Until a container that does not stop is ended."""


@dataclass(slots=True)
class OpenClaw:
    """One container. `section` is its `channels.aegis`, which may refer to `variables`."""

    installed: Installed
    folder: Path
    model_url: str
    section: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    port: int = 0
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def workspace(self) -> Path:
        """Where its agent may read files to send."""
        return self.folder / "workspace"

    def log(self) -> str:
        """What it has printed."""
        path = self.folder / "openclaw.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def configure(self, **section: object) -> None:
        """Write its configuration; what is given changes `channels.aegis`."""
        self.section |= section
        self.port = self.port or free_port()
        self.workspace.mkdir(parents=True, exist_ok=True)
        (self.folder / "openclaw.json").write_text(json.dumps(self._config(), indent=2))

    async def start(self) -> None:
        """Start it, without waiting for anything."""
        with (self.folder / "openclaw.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(self.installed.node, self.installed.openclaw),
                *("gateway", "run", "--port", str(self.port)),
                cwd=self.folder,
                env=self.environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Its launcher has children: they must end with it.
                start_new_session=True,
            )

    async def ready(self) -> None:
        """Wait until the channel takes deliveries."""
        await eventually(self._takes_deliveries, timeout_s=PATIENCE_S)

    async def closed(self) -> None:
        """Wait until the channel takes no deliveries, while OpenClaw runs on."""

        async def is_closed() -> bool:
            return not await self._takes_deliveries()

        await eventually(is_closed, timeout_s=PATIENCE_S)

    async def is_idle(self) -> bool:
        """Tell whether no delivery waits for its turn's end."""
        async with (
            aiohttp.ClientSession(self.url) as session,
            session.get("/aegis/v1/health") as response,
        ):
            return bool((await response.json())["pending"] == 0)

    def received(self) -> int:
        """How many deliveries its inbox knows, those that are done included."""
        inbox = self.folder / "state" / "aegis" / "aegis.sqlite"
        with contextlib.closing(sqlite3.connect(f"file:{inbox}?mode=ro", uri=True)) as opened:
            count: int = opened.execute("SELECT count(*) FROM inbox").fetchone()[0]
            return count

    async def reloaded(self) -> None:
        """Wait until it has taken up what `configure` has changed, without a restart."""
        before = self.log().count(READY)
        await eventually(lambda: self.log().count(READY) > before, timeout_s=PATIENCE_S)
        await self.ready()

    async def kill(self) -> None:
        """End it as a power cut would."""
        await self._signal(signal.SIGKILL)

    async def stop(self) -> None:
        """Ask it to stop; after a while insist."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await self.process.wait()
        except TimeoutError:
            pass
        await self._signal(signal.SIGKILL)

    async def call(self, path: str, body: object, *, token: str = TOKEN) -> dict[str, Any]:
        """POST to one of its own endpoints, as its operator may."""
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            aiohttp.ClientSession(self.url, headers=headers) as session,
            session.post(path, json=body) as response,
        ):
            said: dict[str, Any] = await response.json()
            assert 200 == response.status, said
            return said

    async def cli(self, *arguments: str) -> str:
        """Run one of its commands and give what it printed."""
        process = await asyncio.create_subprocess_exec(
            self.installed.node,
            self.installed.openclaw,
            *arguments,
            cwd=self.folder,
            env=self.environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        assert 0 == process.returncode, said.decode()[-3000:]
        return said.decode()

    def environment(self) -> dict[str, str]:
        """The environment of the container."""
        return {
            "PATH": f"{self.installed.node.parent}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "OPENCLAW_HOME": str(self.folder),
            "OPENCLAW_STATE_DIR": str(self.folder / "state"),
            "OPENCLAW_CONFIG_PATH": str(self.folder / "openclaw.json"),
            "OPENCLAW_NO_RESPAWN": "1",
            "NODE_COMPILE_CACHE": str(self.installed.openclaw.parents[3] / "compiled"),
            **self.variables,
        }

    async def _takes_deliveries(self) -> bool:
        if self.process is None or self.process.returncode is not None:
            raise AssertionError(f"OpenClaw ended:\n{self.log()[-3000:]}")
        try:
            async with (
                aiohttp.ClientSession(self.url) as session,
                session.get("/aegis/v1/health") as response,
            ):
                return response.status == 200 and "protocol" in await response.text()
        except (aiohttp.ClientError, OSError):
            return False

    async def _signal(self, which: signal.Signals) -> None:
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, which)
        await self.process.wait()

    def _config(self) -> dict[str, Any]:
        stub = {"id": "stub-1", "name": "Stub", "reasoning": False, "input": ["text", "image"]}
        stub |= {"contextWindow": 128_000, "maxTokens": 4096}
        stub |= {"cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}}
        provider = {"baseUrl": self.model_url, "apiKey": "sk-stub", "api": "openai-completions"}
        return {
            "gateway": {
                "mode": "local",
                "bind": "loopback",
                "port": self.port,
                "auth": {"mode": "token", "token": TOKEN},
                "controlUi": {"enabled": False},
                "http": {"endpoints": {name: {"enabled": True} for name in _SURFACES}},
            },
            # Every command that the agent runs asks somebody first, in the chat it came from.
            "tools": {"exec": {"ask": "always", "security": "allowlist", "host": "gateway"}},
            "approvals": {"exec": {"enabled": True, "mode": "session"}},
            "hooks": {"enabled": True, "token": HOOKS_TOKEN, "path": "/hooks"},
            "logging": {"file": str(self.folder / "openclaw.jsonl"), "level": "debug"},
            "models": {"mode": "replace", "providers": {"stub": {**provider, "models": [stub]}}},
            "agents": {
                "defaults": {
                    "workspace": str(self.workspace),
                    "model": {"primary": "stub/stub-1"},
                    "skipBootstrap": True,
                }
            },
            "plugins": {
                "load": {"paths": [str(PLUGIN)]},
                "allow": ["aegis"],
                "entries": {"aegis": {"enabled": True}},
            },
            "channels": {"aegis": {"enabled": True, **self.section}},
        }


def free_port() -> int:
    """A port for a server that comes later, and again after it was killed: none of those that the
    system lends to connections (https://docs.kernel.org/networking/ip-sysctl.html, from 32768 on).
    """
    for port in random.sample(range(20_000, 32_000), 100):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("there is no free port")
