"""Runs an aiohttp application on one address."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from gateway.core.errors import ConfigError

IDLE_FOR_S = 60.0
"""Until a connection that asks nothing is closed, or one whose first request never gets complete:
aiohttp's own hour would let anybody hold them all.
"""

LINGER_FOR_S = 2.0
"""For how long the rest of a refused body is read, so that the refusal can be."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the gateway can be reached; "" for a listener that it does not have."""

    agent_api: str
    ops: str = ""
    public: str = ""
    """Where platforms call."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen, and the setting that says so."""

    host: str
    port: int
    setting: str
    sockets: Sequence[socket.socket] = ()
    """Bound already (see `bound`), in place of host and port."""


Announce = Callable[[Listening], None]


@asynccontextmanager
async def listening(
    app: web.Application, host: str, port: int, *, setting: str
) -> AsyncIterator[int]:
    """Serve until the block ends; gives the port (of interest when `port` is 0).

    On leaving, running requests get 5 s to end. Raises ConfigError when it cannot listen.
    """
    async with serving(app, Address(host, port, setting)) as port_in_use:
        yield port_in_use


@asynccontextmanager
async def serving(app: web.Application, address: Address) -> AsyncIterator[int]:
    """Serve an address that may be bound already; as `listening` else."""
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=5.0,
        keepalive_timeout=IDLE_FOR_S,
        lingering_time=LINGER_FOR_S,
    )
    await runner.setup()
    try:
        given: list[web.BaseSite] = [web.SockSite(runner, each) for each in address.sockets]
        try:
            for site in given or [
                web.TCPSite(runner, address.host, address.port, reuse_address=True)
            ]:
                await site.start()
        except OSError as exc:
            raise _unusable(address, exc) from exc
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def bound(address: Address) -> list[socket.socket]:
    """Take an address without serving it, for processes that will. Raises ConfigError.

    Whoever keeps the sockets open keeps the port, and with it the calls that nobody has taken yet.
    """
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(
            asyncio.Protocol, address.host, address.port, reuse_address=True, start_serving=False
        )
    except OSError as exc:
        raise _unusable(address, exc) from exc
    try:
        return [socket.fromfd(each.fileno(), each.family, each.type) for each in server.sockets]
    finally:
        server.close()


def _unusable(address: Address, exc: OSError) -> ConfigError:
    where = f"{address.host}:{address.port}"
    return ConfigError(f"{address.setting}: cannot listen on {where}: {exc.strerror}")
