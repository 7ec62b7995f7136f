"""One Socket Mode connection: opening it, reading it, acknowledging on it, asking whether it lives.
Reconnects nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal, Protocol, Self

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

CROWDED: Final = "too_many_websockets"

_CLOSE_TIMEOUT_S: Final = 1.0
_PINGS: Final = 4
"""Within the time after which a silent connection is given up."""


class ConnectFailedError(Exception):
    """No connection. `refused` means that only a person can change that, `crowded` that the app has
    as many as Slack allows.
    """

    def __init__(
        self, why: str, *, refused: bool = False, crowded: bool = False, retry_after_s: float = 0.0
    ) -> None:
        super().__init__(why)
        self.refused = refused
        self.crowded = crowded
        self.retry_after_s = retry_after_s


class Connection:
    """A connection that Slack has greeted. `retired` is set when it needs a successor, which has
    `reason`. `counted` is how many there are by Slack's count. Times are those of the loop.
    """

    def __init__(self, socket: Socket, config: SlackConfig, observer: SocketObserver) -> None:
        self.retired = asyncio.Event()
        self.reason = ""
        self.counted = 0
        self._socket = socket
        self._config = config
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._silent_rounds = 0
        self._is_busy = False
        self._ping = (b"", 0.0)
        # An announced end is waited for, so that no event falls between two connections; but not
        # for ever, or a forgotten socket would take its share of the events.
        self._patience = asyncio.timeout(None)

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
                    await connection.close()
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
        pinging = asyncio.create_task(self._keep_asking())
        try:
            async with self._patience:
                async for message in self._socket:
                    self._silent_rounds = 0
                    if not await self._message(message.type, message.data, take):
                        break
        except TimeoutError:
            await self.close()
        finally:
            pinging.cancel()
            self.retire("closed")

    async def ack(self, envelope_id: str, answer: Mapping[str, object] | None = None) -> bool:
        """Acknowledge an envelope of this connection; False when the connection is gone."""
        payload = {} if answer is None else {"payload": answer}
        frame = orjson.dumps({"envelope_id": envelope_id} | payload)
        try:
            await self._socket.send_frame(frame, aiohttp.WSMsgType.TEXT)
        except WIRE_ERRORS:
            return False
        return True

    def retire(self, reason: str) -> None:
        """Ask for a successor. It is read on until it ends; the first reason counts."""
        if not self.retired.is_set():
            self.reason = reason
            self.retired.set()

    def reprieve(self) -> None:
        """Take that back, since there is no successor and nothing is wrong with this one."""
        self.reason = ""
        self.retired.clear()

    async def release(self) -> None:
        """Say that nothing more is wanted here, and read what is still under way."""
        self._give_up_at(self._loop.time() + _CLOSE_TIMEOUT_S)
        with contextlib.suppress(*WIRE_ERRORS):
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                code = aiohttp.WSCloseCode.OK.to_bytes(2, "big")
                await self._socket.send_frame(code, aiohttp.WSMsgType.CLOSE)

    async def close(self) -> None:
        """Close in an orderly way, or give up after a moment."""
        with contextlib.suppress(*WIRE_ERRORS):
            # Around aiohttp's own: what was written to a dead peer may fill the buffer, and then
            # its close frame waits for ever.
            async with asyncio.timeout(2 * _CLOSE_TIMEOUT_S):
                await self._socket.close()

    async def _expect_hello(self) -> None:
        message = await self._socket.receive()
        while message.type is aiohttp.WSMsgType.PING:
            await self._socket.pong(message.data)
            message = await self._socket.receive()
        data = message.data if message.type is aiohttp.WSMsgType.TEXT else b""
        frame = read_frame(data, max_bytes=self._config.max_frame_bytes)
        if isinstance(frame, Disconnect):
            raise ConnectFailedError(
                f"Slack: {frame.reason}",
                refused=frame.reason in REFUSALS,
                crowded=frame.reason == CROWDED,
            )
        if not isinstance(frame, Hello):
            raise ConnectFailedError("WebSocket: Slack did not say hello")
        self.counted = frame.connections
        self._observer.frame(frame.type)

    async def _message(self, kind: aiohttp.WSMsgType, data: object, take: Take) -> bool:
        """Act on a message; False when it is the last."""
        if not isinstance(data, bytes | bytearray):
            return False
        data = bytes(data)
        match kind:
            case aiohttp.WSMsgType.TEXT | aiohttp.WSMsgType.BINARY:
                await self._frame(data, take)
            case aiohttp.WSMsgType.PING:
                with contextlib.suppress(*WIRE_ERRORS):
                    await self._socket.pong(data)
            case aiohttp.WSMsgType.PONG if data == self._ping[0]:
                self._observer.answered(self._loop.time() - self._ping[1])
        return True

    async def _frame(self, raw: bytes, take: Take) -> None:
        frame = read_frame(raw, max_bytes=self._config.max_frame_bytes)
        self._observer.frame("malformed" if isinstance(frame, Ignored) else frame.type)
        match frame:
            case Disconnect():
                self._give_up_at(self._loop.time() + self._config.linger_s)
                self.retire(frame.reason)
            case Envelope() | Ignored():
                self._is_busy = True
                try:
                    await take(frame, self.ack)
                finally:
                    self._is_busy = False

    async def _keep_asking(self) -> None:
        """Ping, and end the reading when nothing whole comes back.

        Not left to aiohttp: to its heartbeat any byte is a sign of life, and a frame that drips in
        without ever ending would be one for ever. Counted in rounds and not by the clock, which
        goes on while this process is paused: nothing was asked then, and nothing can have come.
        """
        while True:
            await asyncio.sleep(self._config.dead_after_s / _PINGS)
            now_s = self._loop.time()
            # When busy, the answers wait behind what we ourselves are too slow to take in.
            self._silent_rounds = 0 if self._is_busy else self._silent_rounds + 1
            if self._silent_rounds >= _PINGS:
                self.retire("stalled")
                self._give_up_at(now_s)
                return
            await self._ask(now_s)

    async def _ask(self, now_s: float) -> None:
        self._ping = (repr(now_s).encode(), now_s)
        with contextlib.suppress(*WIRE_ERRORS):
            async with asyncio.timeout(self._config.dead_after_s / _PINGS):
                await self._socket.ping(self._ping[0])

    def _give_up_at(self, when_s: float) -> None:
        # Reading may not have begun, or have ended: then there is nothing to give up.
        with contextlib.suppress(RuntimeError):
            self._patience.reschedule(when_s)


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
        autoping=False,
        timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_TIMEOUT_S),
        max_msg_size=4 * config.max_frame_bytes,
        decode_text=False,
    )
