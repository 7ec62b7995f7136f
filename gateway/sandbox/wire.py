"""The HTTP server under every stand-in, and the faults that live below HTTP. Knows no platform."""

from __future__ import annotations

import socket
import struct
from typing import Final

from aiohttp import web

JsonObject = dict[str, object]

MAX_BODY_BYTES: Final = 16 * 1024 * 1024
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class LoopbackServer:
    """One aiohttp application on one address."""

    def __init__(self, app: web.Application) -> None:
        # Short: a client that never closes its end must not hold up the end of a test.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, chosen by the system when `port` is 0."""
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop listening and end every connection."""
        await self._runner.cleanup()


def reset_connection(request: web.BaseRequest) -> web.Response:
    """Cut the connection with a TCP RST. The response returned is never seen by anybody."""
    transport = request.transport
    if transport is not None:
        # Without this a close looks orderly (FIN) and the client reports another error.
        raw: socket.socket = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
    return web.Response()
