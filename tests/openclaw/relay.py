"""Stands between the container and the gateway: notes what passes, and can keep answers back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

_SESSION = web.AppKey("session", aiohttp.ClientSession)
_HOP = {"host", "content-length", "connection", "transfer-encoding", "content-encoding"}


@dataclass(frozen=True, slots=True)
class Passed:
    """One request: its method and path, when it came, and its idempotency key."""

    what: str
    at: float
    key: str


@dataclass(slots=True)
class Relay:
    """Passes requests on to `target`."""

    target: str = ""
    url: str = ""
    passed: list[Passed] = field(default_factory=list)
    keeps_back: str = ""
    """Of requests like this one, such as `POST /v1/messages`, nobody hears the answer."""

    async def pass_on(self, request: web.Request) -> web.Response:
        """Note it first: what follows is somebody else's time."""
        what = f"{request.method} {request.path}"
        self.passed.append(Passed(what, time.time(), request.headers.get("Idempotency-Key", "")))
        headers = {name: each for name, each in request.headers.items() if name.lower() not in _HOP}
        async with request.app[_SESSION].request(
            request.method,
            f"{self.target}{request.path_qs}",
            data=await request.read(),
            headers=headers,
        ) as response:
            kept = {n: each for n, each in response.headers.items() if n.lower() not in _HOP}
            body = await response.read()
        if what == self.keeps_back:
            await asyncio.Event().wait()  # until whoever asked is gone
        return web.Response(status=response.status, body=body, headers=kept)

    def since(self, what: str, at: float) -> float | None:
        """When the first of these came after `at`."""
        return next((each.at for each in self.passed if each.what == what and each.at >= at), None)

    def keys(self, what: str) -> list[str]:
        """The idempotency keys of these, in order."""
        return [each.key for each in self.passed if each.what == what]


@asynccontextmanager
async def open_relay(target: str) -> AsyncIterator[Relay]:
    """Listen on a free port of loopback."""
    relay = Relay(target)
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{rest:.*}", relay.pass_on)
    # Whoever is gone is not answered: else what was kept back would wait for ever.
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
    async with aiohttp.ClientSession() as session:
        app[_SESSION] = session
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            relay.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield relay
        finally:
            await runner.cleanup()
