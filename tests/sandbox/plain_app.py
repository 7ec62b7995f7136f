"""The barest Socket Mode app: it opens a socket and shows every frame. Uses no SDK."""

from __future__ import annotations

from typing import Any, Self

import aiohttp
import orjson

from gateway.sandbox.slack import SlackSandbox


async def open_url(slack: SlackSandbox, session: aiohttp.ClientSession) -> str:
    """A WebSocket URL from apps.connections.open."""
    headers = {"Authorization": f"Bearer {slack.app_token}"}
    url = f"{slack.base_url}apps.connections.open"
    async with session.post(url, headers=headers) as response:
        return str((await response.json())["url"])


class PlainApp:
    """One connection, read frame by frame."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, hello: dict[str, Any]) -> None:
        self.hello = hello
        self._ws = ws

    @classmethod
    async def connect(cls, slack: SlackSandbox, session: aiohttp.ClientSession) -> Self:
        """Connect and take the greeting."""
        ws = await session.ws_connect(await open_url(slack, session))
        return cls(ws, orjson.loads(await ws.receive_str(timeout=5)))

    async def frame(self) -> dict[str, Any]:
        """The next frame, which must be JSON."""
        frame: dict[str, Any] = orjson.loads(await self.text())
        return frame

    async def text(self) -> str:
        """The next frame as it came."""
        return await self._ws.receive_str(timeout=5)

    async def end(self) -> aiohttp.WSMsgType:
        """How the connection ends, when nothing else comes first."""
        return (await self._ws.receive(timeout=5)).type

    async def ack(self, frame: dict[str, Any], payload: object = None) -> None:
        """Acknowledge an envelope."""
        answer = {"envelope_id": frame["envelope_id"]}
        await self._ws.send_json(answer if payload is None else answer | {"payload": payload})

    async def say(self, text: str) -> None:
        """Send any text frame."""
        await self._ws.send_str(text)

    async def close(self) -> None:
        """Leave in an orderly way."""
        await self._ws.close()
