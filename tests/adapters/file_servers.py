"""File servers, honest and hostile, and a DNS whose answers are chosen."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from adapters.fetching import Fetcher, Patience
from adapters.file_hosts import HostRules
from gateway.core.deliveries import Reason
from gateway.core.errors import SendError

LIMIT = 1024 * 1024
RULES = HostRules(hosts=("files.example.com", ".cdn.example.com"))
HASTY = Patience(total_s=0.6, connect_s=0.5, silence_s=0.3)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
RawHandler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Names(AbstractResolver):
    """A DNS whose answers are chosen here."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[tuple[str, int]] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Give the same addresses for every name."""
        self.asked.append((host, port))
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in self.addresses
        ]

    async def close(self) -> None:
        """Hold nothing."""


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """A web server on loopback; gives its origin."""
    app = web.Application(client_max_size=LIMIT * 8)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_serving(handler: RawHandler) -> AsyncIterator[str]:
    """A server that says what it likes once a request's head has come."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            await handler(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


def fetcher_of(*origins: str, patience: Patience | None = None) -> Fetcher:
    """A fetcher that trusts these origins, with the token too."""
    return Fetcher(HostRules(hosts=origins, token_hosts=origins), patience=patience)


async def fetched(
    fetcher: Fetcher, url: str, *, max_bytes: int = LIMIT, token: str | None = None
) -> bytes:
    """All bytes of a file."""
    async with fetcher.get(url, max_bytes=max_bytes, token=token) as file:
        return b"".join([piece async for piece in file.content])


async def refusal(
    fetcher: Fetcher, url: str, *, max_bytes: int = LIMIT
) -> tuple[Reason, bool, bool]:
    """Why a file does not come: the reason, whether for good, whether in doubt."""
    with pytest.raises(SendError) as caught:
        await fetched(fetcher, url, max_bytes=max_bytes)
    return caught.value.reason, caught.value.permanent, caught.value.ambiguous


REFUSED = (Reason.PLATFORM_REJECTED, True, False)
UNREACHABLE = (Reason.PLATFORM_UNREACHABLE, False, False)


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    """The bytes of an upload."""
    for part in parts:
        yield part
