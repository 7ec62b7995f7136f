"""Runs an aiohttp application on one address."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from gateway.core.errors import ConfigError

log = structlog.get_logger()

IDLE_FOR_S = 60.0
"""Until a connection that asks nothing is closed, or one whose next request never gets complete:
aiohttp's own hour would let anybody hold them all.
"""

LINGER_FOR_S = 2.0
"""For how long the rest of a refused body is read, so that the refusal can be."""

MOST_CONNECTIONS = 4096
"""Of one listener, and at most a quarter of the files that the process may open: whoever connects
without end must leave some for the stores and the platforms.
"""


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
    app: web.Application,
    address: Address,
    *,
    most: int = MOST_CONNECTIONS,
    idle_for_s: float = IDLE_FOR_S,
) -> AsyncIterator[int]:
    """Serve until the block ends; gives the port (of interest when it is 0 in the address). Of more
    than `most` connections the newest are closed unheard.

    On leaving, running requests get 5 s to end. Raises ConfigError when it cannot listen.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=5.0,
        keepalive_timeout=idle_for_s,
        lingering_time=LINGER_FOR_S,
        logger=_logger(),
        # Half a megabyte can unpack into gigabytes; and platforms sign the bytes that they send.
        auto_decompress=False,
    )
    await runner.setup()
    door = _Door(runner, min(most, _open_files() // 4))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(runner.cleanup)
        try:
            servers = await _opened(door, address)
        except OSError as exc:
            raise _unusable(address, exc) from exc
        for each in servers:
            stack.callback(each.close)
        yield servers[0].sockets[0].getsockname()[1]


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


async def _opened(door: _Door, address: Address) -> list[asyncio.Server]:
    loop = asyncio.get_running_loop()
    if address.sockets:
        return [await loop.create_server(door, sock=each) for each in address.sockets]
    return [await loop.create_server(door, address.host, address.port, reuse_address=True)]


class _Door:
    """Makes the protocol of each connection."""

    def __init__(self, runner: web.AppRunner, most: int) -> None:
        self._runner = runner
        self._most = most
        self._is_full = False

    def __call__(self) -> asyncio.Protocol:
        """Serve a connection, or close it when there are too many."""
        server = self._runner.server
        is_full = server is None or len(server.connections) >= self._most
        if is_full and not self._is_full:
            log.warning("listener.full", connections=self._most)
        self._is_full = is_full
        return _Closed() if server is None or is_full else server()


class _Closed(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it; half a refusal would cost as much as a request."""
        transport.close()


def _logger() -> logging.Logger:
    logger = logging.getLogger(__name__)
    logger.addFilter(_without_what_was_said)
    return logger


def _without_what_was_said(record: logging.LogRecord) -> bool:
    """Shorten what aiohttp says of bytes that are no request: it quotes them, keys too, and anybody
    could fill the log with tracebacks.
    """
    fault = record.exc_info[1] if record.exc_info else None
    if isinstance(fault, HttpProcessingError):
        record.msg, record.args = "not a request: %s", (type(fault).__name__,)
        record.levelno, record.levelname = logging.INFO, "INFO"
        record.exc_info = record.exc_text = None
    return True


def _open_files() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 4 * MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else soft
