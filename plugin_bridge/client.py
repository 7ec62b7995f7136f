"""A small client for authors of agents: verify a delivery, answer it, stream an answer, pass files.

Speaks the agent protocol (docs/agent-protocol.md) and nothing else: the gateway itself never uses
it. Needs aiohttp, msgspec, standardwebhooks and tenacity. Every write carries an Idempotency-Key,
so that what is tried again is never said twice.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import msgspec
from standardwebhooks import Webhook, WebhookVerificationError
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from plugin_bridge.wire import WireEvent

MOST_TRIES: Final = 5
_TIMEOUT: Final = aiohttp.ClientTimeout(total=30)


class RefusedError(Exception):
    """The gateway said no. `code` is stable, `field` names what is wrong, if it is one thing."""

    def __init__(self, status: int, code: str, message: str, field: str | None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.field = field


class UnavailableError(RefusedError):
    """Not now: the gateway, a store or the queue. Worth another try with the same key."""


def verify(body: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> WireEvent:
    """Check a delivery's signature and read it. During a rotation two secrets are valid.

    Raises ValueError for what the gateway has not signed within the last five minutes, and for a
    body that is no delivery. https://www.standardwebhooks.com
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    for secret in secrets:
        try:
            Webhook(secret).verify(body, lowered)
        except WebhookVerificationError:
            continue
        return msgspec.json.decode(body, type=WireEvent)
    raise ValueError("the signature is of none of the secrets")


class AgentClient:
    """Speaks for one tenant, or with a delivery's `reply_token` into its conversation alone."""

    def __init__(self, gateway_url: str, key: str, session: aiohttp.ClientSession) -> None:
        """`session` is the caller's, and is closed by nobody else."""
        self._url = gateway_url.rstrip("/")
        self._authorization = {"Authorization": f"Bearer {key}"}
        self._session = session

    async def send(
        self,
        conversation: str | Mapping[str, str],
        text: str,
        *,
        key: str | None = None,
        **more: object,
    ) -> str:
        """Send Markdown, with the further fields of POST /v1/messages; returns the message's id.
        In place of a conversation's id stands whom to speak to first: `{"platform", "workspace"}`
        and a `"user"` or a `"channel"`.

        `key` makes a repeat harmless even after a restart: a delivery's id, for example. Raises
        RefusedError.
        """
        where = "conversation" if isinstance(conversation, str) else "to"
        body = {where: conversation, "text": text, **more}
        return str((await self.request("POST", "/v1/messages", body, key=key))["id"])

    async def edit(
        self, message: str, text: str, *, key: str | None = None, **more: object
    ) -> None:
        """Give a message another text. Raises RefusedError."""
        await self.request("PATCH", _path("messages", message), {"text": text, **more}, key=key)

    async def delete(self, message: str, *, key: str | None = None) -> None:
        """Remove a message. Raises RefusedError."""
        await self.request("DELETE", _path("messages", message), key=key)

    async def react(
        self, conversation: str, message: str, emoji: str, *, key: str | None = None
    ) -> None:
        """Put an emoji on a message of anybody's. Raises RefusedError."""
        body = {"emoji": emoji, "conversation": conversation}
        await self.request("POST", _path("messages", message, "reactions"), body, key=key)

    async def unreact(
        self, conversation: str, message: str, emoji: str, *, key: str | None = None
    ) -> None:
        """Take an emoji of ours off again. Raises RefusedError."""
        query = f"?emoji={quote(emoji, safe='')}&conversation={quote(conversation, safe='')}"
        await self.request("DELETE", _path("messages", message, "reactions") + query, key=key)

    async def typing(self, conversation: str, for_s: float = 10.0) -> None:
        """Show that the agent is at work; 0 takes it back. Raises RefusedError."""
        await self.request("POST", "/v1/typing", {"conversation": conversation, "for_s": for_s})

    async def status(self, message: str) -> dict[str, Any]:
        """Ask what became of a message: queued, sent, failed or unknown. Raises RefusedError."""
        return await self.request("GET", _path("messages", message))

    @asynccontextmanager
    async def stream(
        self, conversation: str, recipient: str | None = None, *, key: str | None = None
    ) -> AsyncIterator[Stream]:
        """Answer while thinking: `append` shows more; the end of the block ends the message, a
        fault in it removes what was shown. Raises RefusedError.
        """
        begun = key or uuid.uuid4().hex
        body = {"conversation": conversation, "recipient": recipient}
        opened = await self.request("POST", "/v1/streams", body, key=f"{begun}:open")
        stream = Stream(self, str(opened["id"]))
        try:
            yield stream
        except BaseException:
            # What went wrong is told, whatever becomes of this: left alone, the stream is ended
            # by the gateway.
            with suppress(RefusedError, aiohttp.ClientError, TimeoutError):
                abort = _path("streams", stream.id, "abort")
                await self.request("POST", abort, {}, key=f"{begun}:end")
            raise
        finish = _path("streams", stream.id, "finish")
        await self.request("POST", finish, {"text": stream.text}, key=f"{begun}:end")

    async def upload(self, name: str, content: bytes, *, key: str | None = None) -> str:
        """Bring a file; returns the id to send it by. Raises RefusedError."""
        path = f"/v1/files?name={quote(name, safe='')}"
        return str((await self.request("POST", path, content, key=key))["id"])

    @asynccontextmanager
    async def download(self, file: str) -> AsyncIterator[AsyncIterable[bytes]]:
        """Fetch an attachment of a delivery. Raises RefusedError."""
        path = f"{self._url}{_path('files', file)}"
        async with self._session.get(path, headers=self._authorization) as response:
            if response.status != 200:
                raise _refusal(response.status, await response.read())
            yield response.content.iter_any()

    async def request(
        self, verb: str, path: str, body: object = None, *, key: str | None = None
    ) -> dict[str, Any]:
        """Make one call of the protocol, tried again while it may help. Raises RefusedError."""
        sent_key = key or uuid.uuid4().hex
        retrying = AsyncRetrying(
            retry=retry_if_exception_type((UnavailableError, aiohttp.ClientError, TimeoutError)),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            stop=stop_after_attempt(MOST_TRIES),
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                return await self._once(verb, path, body, sent_key)
        raise AssertionError("tenacity ends by an answer or by raising")

    async def _once(self, verb: str, path: str, body: object, key: str) -> dict[str, Any]:
        headers = {**self._authorization, "Idempotency-Key": key}
        if isinstance(body, bytes):
            headers["Content-Type"] = "application/octet-stream"
        elif body is not None:
            headers["Content-Type"] = "application/json"
            body = msgspec.json.encode(body)
        async with self._session.request(
            verb, f"{self._url}{path}", data=body, headers=headers, timeout=_TIMEOUT
        ) as response:
            answer = await response.read()
            if response.status >= 300:
                raise _refusal(response.status, answer)
            return msgspec.json.decode(answer, type=dict[str, Any])


class Stream:
    """A message that grows. `text` is all of it so far."""

    def __init__(self, client: AgentClient, stream: str) -> None:
        self._client = client
        self.id = stream
        self.text = ""

    async def append(self, delta: str) -> None:
        """Show more. Raises RefusedError."""
        body = {"delta": delta, "offset": len(self.text)}
        # The text first: what could not be shown in between is in the end all the same.
        self.text += delta
        await self._client.request("POST", _path("streams", self.id, "append"), body)


def _path(*parts: str) -> str:
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def _refusal(status: int, body: bytes) -> RefusedError:
    try:
        said = msgspec.json.decode(body, type=dict[str, dict[str, str]])["error"]
    except (msgspec.MsgspecError, KeyError):
        said = {}
    kind = UnavailableError if status in {408, 429} or status >= 500 else RefusedError
    return kind(status, said.get("code", ""), said.get("message", ""), said.get("field"))
