"""Containers that a transport posts to: good ones, and ones below HTTP that say anything."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.core.clock import utc_now
from gateway.web.server import Address, listening
from plugin_bridge.classify import Answer
from plugin_bridge.transport import Transport

BODY = b'{"id":"Ev1"}'
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def post(
    transport: Transport, url: str, *, body: bytes = BODY, timeout_s: float = 5.0
) -> Answer:
    """Post as the bridge does."""
    headers = {"Content-Type": "application/json", "webhook-id": "dlv_1"}
    return await transport.post(url, body, headers, timeout_s=timeout_s)


@asynccontextmanager
async def agent(handler: Handler) -> AsyncIterator[str]:
    """An aiohttp server with one page; gives its URL."""
    app = web.Application()
    app.router.add_post("/events", handler)
    async with listening(app, Address("127.0.0.1", 0, "test")) as port:
        yield f"http://127.0.0.1:{port}/events"


@dataclass(eq=False)
class Caller:
    """One connection, as the container sees it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def request(self) -> bytes:
        """Read one whole request."""
        head = await self.head()
        length = next(
            int(line.partition(b":")[2])
            for line in head.lower().splitlines()
            if line.startswith(b"content-length:")
        )
        return head + await self.reader.readexactly(length)

    async def head(self) -> bytes:
        """Read up to the body."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def say(self, data: bytes) -> None:
        """Write."""
        self.writer.write(data)
        await self.writer.drain()

    async def hung_up(self) -> None:
        """Wait until the client has closed."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65_536):
                pass


Serve = Callable[[Caller], Awaitable[None]]


@dataclass(eq=False)
class RawContainer:
    """A server below HTTP. A connection is closed when `serve` returns."""

    serve: Serve
    url: str = ""
    connections: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            # A cancelled one, too: the callback of asyncio.streams would complain about it.
            with contextlib.suppress(
                ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError
            ):
                await self.serve(Caller(reader, writer))
        finally:
            self._tasks.discard(task)
            writer.close()

    async def close(self) -> None:
        """End the connections that are still served."""
        for task in (tasks := list(self._tasks)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def raw_container(
    serve: Serve, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[RawContainer]:
    """Listen until the block ends; `host` is the name in the URL."""
    container = RawContainer(serve)
    server = await asyncio.start_server(container.accept, "127.0.0.1", port, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    container.url = f"{'https' if tls else 'http'}://{host}:{port}/events"
    try:
        yield container
    finally:
        server.close()
        await container.close()


def answering(*answers: bytes) -> Serve:
    """Answer the requests of each connection with these, then close."""

    async def serve(caller: Caller) -> None:
        for answer in answers:
            await caller.request()
            await caller.say(answer)

    return serve


def certified(name: str, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for `name` that it signed itself, and a client's that
    trusts it.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(utc_now() - datetime.timedelta(days=1))
        .not_valid_after(utc_now() + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([_alternative(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    public = folder / "certificate.pem"
    private = folder / "key.pem"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(public, private)
    return server, ssl.create_default_context(cafile=str(public))


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
