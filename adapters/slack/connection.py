"""One Socket Mode connection: opening it, reading it, acknowledging on it. Reconnects nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, Protocol, Self

import aiohttp
import orjson

from adapters.slack.config import SlackConfig
from adapters.slack.errors import WIRE_ERRORS
from adapters.slack.frames import Disconnect, Envelope, Hello, read_frame
from adapters.slack.observer import SocketObserver
from adapters.slack.web_api import WebApi
from gateway.core.errors import SendError
from gateway.core.events import Ignored


class Ack(Protocol):
    """Acknowledge an envelope, with an answer if there is one; False when nobody will know."""

    async def __call__(
        self, envelope_id: str, answer: Mapping[str, object] | None = None
    ) -> bool: ...


Take = Callable[[Envelope | Ignored, Ack], Awaitable[None]]
"""Take a frame of a connection in; the second argument acknowledges on that same connection."""

Socket = aiohttp.ClientWebSocketResponse[Literal[False]]

REFUSALS = frozenset({"link_disabled"})
"""Ends that only a person can undo, in the app's settings."""

_CLOSE_TIMEOUT_S = 1.0


class ConnectFailedError(Exception):
    """No connection. `refused` means that only a person can change that."""

    def __init__(self, why: str, *, refused: bool = False, retry_after_s: float = 0.0) -> None:
        super().__init__(why)
        self.refused = refused
        self.retry_after_s = retry_after_s


class Connection:
    """A connection that Slack has greeted. `retired` is set when it needs a successor."""

    def __init__(self, socket: Socket, config: SlackConfig, observer: SocketObserver) -> None:
        self.retired = asyncio.Event()
        self.reason = ""
        self._socket = socket
        self._config = config
        self._observer = observer

    @classmethod
    async def open(
        cls, config: SlackConfig, session: aiohttp.ClientSession, observer: SocketObserver
    ) -> Self:
        """Open a connection by a fresh URL. Raises ConnectFailedError.

        A URL serves once: trying one again is how a client stays deaf for ever.
        """
        try:
            async with asyncio.timeout(config.connect_timeout_s):
                socket = await _dial(config, session)
                connection = cls(socket, config, observer)
                try:
                    await connection._expect_hello()
                except BaseException:
                    await socket.close()
                    raise
                return connection
        except SendError as exc:
            raise ConnectFailedError(
                f"apps.connections.open: {exc.detail}",
                refused=exc.permanent,
                retry_after_s=exc.retry_after_s or 0.0,
            ) from exc
        except WIRE_ERRORS as exc:
            raise ConnectFailedError(f"WebSocket: {type(exc).__name__}") from exc

    async def read(self, take: Take) -> None:
        """Hand on every envelope until the connection ends; on a cancel it stays open for acks."""
        try:
            # An announced end is waited for, so that no event falls between two connections; but
            # not for ever, or a forgotten socket would take its share of the events.
            async with asyncio.timeout(None) as patience:
                async for message in self._socket:
                    if not isinstance(message.data, bytes):
                        break
                    await self._frame(message.data, take, patience)
        except TimeoutError:
            await self.close()
        finally:
            self._retire("closed")

    async def ack(self, envelope_id: str, answer: Mapping[str, object] | None = None) -> bool:
        """Acknowledge an envelope of this connection; False when the connection is gone."""
        payload = {} if answer is None else {"payload": answer}
        frame = orjson.dumps({"envelope_id": envelope_id} | payload)
        try:
            await self._socket.send_frame(frame, aiohttp.WSMsgType.TEXT)
        except WIRE_ERRORS:
            return False
        return True

    async def close(self) -> None:
        """Close in an orderly way, or give up after a moment."""
        with contextlib.suppress(*WIRE_ERRORS):
            await self._socket.close()

    async def _expect_hello(self) -> None:
        message = await self._socket.receive()
        data = message.data if isinstance(message.data, bytes) else b""
        frame = read_frame(data, max_bytes=self._config.max_frame_bytes)
        if isinstance(frame, Disconnect):
            raise ConnectFailedError(f"Slack: {frame.reason}", refused=frame.reason in REFUSALS)
        if not isinstance(frame, Hello):
            raise ConnectFailedError("WebSocket: Slack did not say hello")
        self._observer.frame(frame.type)

    async def _frame(self, raw: bytes, take: Take, patience: asyncio.Timeout) -> None:
        frame = read_frame(raw, max_bytes=self._config.max_frame_bytes)
        self._observer.frame("malformed" if isinstance(frame, Ignored) else frame.type)
        match frame:
            case Disconnect():
                patience.reschedule(asyncio.get_running_loop().time() + self._config.linger_s)
                self._retire(frame.reason)
            case Envelope() | Ignored():
                await take(frame, self.ack)

    def _retire(self, reason: str) -> None:
        if not self.retired.is_set():
            self.reason = reason
            self.retired.set()


async def _dial(config: SlackConfig, session: aiohttp.ClientSession) -> Socket:
    answer = await WebApi(config, session).write("apps.connections.open", config.app_token, {})
    url = config.trusted_socket_url(answer.text("url"))
    if url is None:
        raise ConnectFailedError(
            "apps.connections.open names a host that is not allowed; see allowed_hosts",
            refused=True,
        )
    return await session.ws_connect(
        url,
        # aiohttp pings after `heartbeat` of silence and waits half as long for the answer.
        heartbeat=config.dead_after_s * 2 / 3,
        timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_TIMEOUT_S),
        max_msg_size=4 * config.max_frame_bytes,
        decode_text=False,
    )
