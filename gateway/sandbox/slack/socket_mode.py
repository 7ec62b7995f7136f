"""The WebSocket side: tickets, greeting, pings, disconnect frames. Carries text, reads no events.

https://docs.slack.dev/apis/events-api/using-socket-mode/ says: a URL from apps.connections.open,
`hello` first, at most ten connections, each payload on any one of them, and a `disconnect` frame
before Slack closes. Assumed, for the documents are silent: a dead ticket is refused with HTTP 403,
and connections take turns (Slack's choice looks random).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Final

import orjson
from aiohttp import WSMsgType, web

from gateway.sandbox.changes import Changes
from gateway.sandbox.slack.rules import SlackRules
from gateway.sandbox.wire import JsonObject, reset_connection

_PING: Final = object()
_CLOSE: Final = object()
_DEBUG_HOST: Final = "applink-sandbox"
_UNENDING: Final = b"\x81\x7f" + (1 << 20).to_bytes(8, "big") + b'{"type":'
"""The head of a text frame of one MiB, and a few bytes of it: RFC 6455, section 5.2."""


class Connection:
    """One open WebSocket. Owns the order of its frames."""

    def __init__(self, number: int, request: web.Request, ws: web.WebSocketResponse) -> None:
        self.number = number
        self.frozen = False
        self.deaf = False
        self.closing = False
        self._request = request
        self._ws = ws
        self._frames: asyncio.Queue[object] = asyncio.Queue()

    def send(self, text: str) -> None:
        """Queue a text frame. To a deaf connection it is as good as sent."""
        if not self.deaf:
            self._frames.put_nowait(text)

    def ping(self) -> None:
        """Queue a ping."""
        self._frames.put_nowait(_PING)

    def close(self) -> None:
        """Close in an orderly way once the frames before this are out."""
        self.closing = True
        self._frames.put_nowait(_CLOSE)

    def reset(self) -> None:
        """Cut the TCP connection: no close frame, nothing flushed."""
        reset_connection(self._request)

    def freeze(self) -> None:
        """Stay open and do nothing more: what a lost route looks like from the other end."""
        self.frozen = True
        if self._request.transport is not None:
            self._request.transport.pause_reading()

    async def stall(self, drip_every_s: float | None) -> None:
        """Begin a frame that never ends; with `drip_every_s` a byte of it comes now and then."""
        self.frozen = True
        transport = self._request.transport
        if transport is None:
            return
        transport.write(_UNENDING)
        while drip_every_s is not None and not transport.is_closing():
            await asyncio.sleep(drip_every_s)
            transport.write(b"x")

    async def write(self) -> None:
        """Send what is queued until the connection ends."""
        with contextlib.suppress(ConnectionError):
            while (frame := await self._frames.get()) is not _CLOSE:
                if self.frozen:
                    continue
                if isinstance(frame, str):
                    await self._ws.send_str(frame)
                else:
                    await self._ws.ping(b"Ping from " + _DEBUG_HOST.encode())
            await self._ws.close()


class SocketMode:
    """All connections of the one app."""

    def __init__(self, app_id: str, rules: SlackRules, changes: Changes) -> None:
        self.opened = 0
        self._app_id = app_id
        self._rules = rules
        self._changes = changes
        self._tickets: dict[str, float] = {}
        self._open: list[Connection] = []
        self._turn = 0
        self._refusals = 0
        self._spoilt = 0
        self._mute = 0
        self._storm: tuple[str, int] = ("", 0)
        self._forgotten = 0
        self._drips: set[asyncio.Task[None]] = set()
        self._closings: dict[Connection, asyncio.TimerHandle] = {}
        self.on_frame: Callable[[str, int], None] = lambda _text, _socket: None

    @property
    def open_count(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def issue_ticket(self) -> str:
        """A ticket for one connection within `ticket_ttl_s`."""
        ticket = secrets.token_urlsafe(16)
        if self._spoilt > 0:
            self._spoilt -= 1
            return ticket
        self._tickets[ticket] = asyncio.get_running_loop().time() + self._rules.ticket_ttl_s
        return ticket

    def next_line(self) -> Connection | None:
        """The connection whose turn it is, None when there is none."""
        lines = [connection for connection in self._open if not connection.closing]
        self._turn += 1
        return lines[self._turn % len(lines)] if lines else None

    def refuse(self, times: int) -> None:
        """Answer the next `times` WebSocket handshakes with HTTP 503."""
        self._refusals = times

    def spoil_tickets(self, times: int) -> None:
        """Let the next `times` tickets be too old by the time they are used."""
        self._spoilt = times

    def greet_nobody(self, times: int) -> None:
        """Open the next `times` connections, and never say a word on them."""
        self._mute = times

    def hang_up_on(self, times: int, reason: str) -> None:
        """Greet the next `times` connections, and send them away at once."""
        self._storm = (reason, times)

    def deafen(self, numbers: Collection[int]) -> None:
        """Send nothing but pings through these connections, and all others' share all the same."""
        for connection in self._open:
            connection.deaf = connection.deaf or not numbers or connection.number in numbers

    def forget(self, count: int) -> None:
        """Count so many connections less from now on than are open."""
        self._forgotten = count

    def stall_all(self, drip_every_s: float | None) -> None:
        """Stop every connection in the middle of a frame."""
        for connection in list(self._open):
            self._drips.add(asyncio.create_task(connection.stall(drip_every_s)))

    def disconnect_all(self, reason: str, grace_s: float | None = None) -> None:
        """Announce the end of every open connection, and close each after `grace_s`."""
        if grace_s is None:
            grace_s = self._rules.disconnect_grace_s
        for connection in list(self._open):
            connection.send(_disconnect_frame(reason))
            self._close_later(connection, grace_s)

    def close_announced(self) -> None:
        """Close every connection whose end was announced, without waiting for its grace to pass."""
        for connection, closing in self._closings.items():
            closing.cancel()
            connection.close()
        self._closings.clear()

    def reset_all(self) -> None:
        """Cut every connection below the WebSocket protocol."""
        for connection in list(self._open):
            connection.reset()

    def freeze_all(self) -> None:
        """Let every open connection go silent without closing it; it gets no more events' acks."""
        for connection in list(self._open):
            connection.freeze()

    def stop(self) -> None:
        """Begin the end of every connection; frozen clients cannot be asked to close."""
        for closing in self._closings.values():
            closing.cancel()
        for drip in self._drips:
            drip.cancel()
        for connection in list(self._open):
            if connection.frozen:
                connection.reset()
            else:
                connection.close()

    async def accept(self, request: web.Request) -> web.WebSocketResponse:
        """GET /link/?ticket=...: one connection, from its handshake to its end."""
        self._admit(request)
        # `timeout`: how long a client may take to answer our close frame.
        ws = web.WebSocketResponse(compress=False, timeout=0.5)
        await ws.prepare(request)
        if len(self._open) >= self._rules.max_sockets:
            await ws.send_str(_disconnect_frame("too_many_websockets"))
            await ws.close()
            return ws
        self.opened += 1
        await self._serve(Connection(self.opened, request, ws), ws)
        return ws

    async def _serve(self, connection: Connection, ws: web.WebSocketResponse) -> None:
        self._open.append(connection)
        self._greet(connection)
        writer = asyncio.create_task(connection.write())
        pinger = asyncio.create_task(self._ping(connection))
        self._changes.announce()
        try:
            async for frame in ws:
                if frame.type is WSMsgType.TEXT:
                    self.on_frame(frame.data, connection.number)
        finally:
            self._open.remove(connection)
            self._changes.announce()
            writer.cancel()
            pinger.cancel()
            await asyncio.gather(writer, pinger, return_exceptions=True)

    async def _ping(self, connection: Connection) -> None:
        while True:
            await asyncio.sleep(self._rules.ping_interval_s)
            connection.ping()

    def _admit(self, request: web.Request) -> None:
        if self._refusals > 0:
            self._refusals -= 1
            raise web.HTTPServiceUnavailable
        # Spent before it is looked at: a ticket opens one connection, whatever becomes of it.
        expires_at = self._tickets.pop(request.query.get("ticket", ""), 0.0)
        if expires_at < asyncio.get_running_loop().time():
            raise web.HTTPForbidden

    def _greet(self, connection: Connection) -> None:
        if self._mute > 0:
            self._mute -= 1
            connection.frozen = True
            return
        connection.send(self._hello())
        reason, times = self._storm
        if times > 0:
            self._storm = (reason, times - 1)
            connection.send(_disconnect_frame(reason))
            connection.close()

    def _close_later(self, connection: Connection, grace_s: float) -> None:
        handle = asyncio.get_running_loop().call_later(grace_s, connection.close)
        self._closings[connection] = handle

    def _hello(self) -> str:
        hello: JsonObject = {
            "type": "hello",
            "connection_info": {"app_id": self._app_id},
            "num_connections": max(1, len(self._open) - self._forgotten),
            "debug_info": {
                "host": _DEBUG_HOST,
                "started": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}",
                "build_number": 1,
                "approximate_connection_time": 18060,
            },
        }
        return orjson.dumps(hello).decode()


def _disconnect_frame(reason: str) -> str:
    frame = {"type": "disconnect", "reason": reason, "debug_info": {"host": _DEBUG_HOST}}
    return orjson.dumps(frame).decode()
