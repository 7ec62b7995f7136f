"""AgentSandbox: one tenant's container, as far as the gateway can tell.

It speaks the agent protocol, version 1: signed deliveries in (https://www.standardwebhooks.com/),
answers out through the gateway's agent API or inline. It never reads the gateway's stores.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, Self

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout, web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from gateway.sandbox.changes import Changes
from gateway.sandbox.wire import MAX_BODY_BYTES, JsonObject, LoopbackServer, reset_connection

Reply = Callable[[JsonObject], str | None]
"""From a delivery's body to the Markdown of the answer; None says nothing."""

_GATEWAY_TIMEOUT: Final = ClientTimeout(total=10)


@dataclass(frozen=True, slots=True)
class AgentDelivery:
    """One delivery whose signature was right, whatever it was answered."""

    delivery_id: str
    body: JsonObject
    attempt: int
    at: datetime


@dataclass(frozen=True, slots=True)
class AgentReply:
    """How a message to the gateway ended. `status` is None when it could not be reached."""

    idempotency_key: str
    status: int | None
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer this status and do nothing else with the delivery."""

    status: int
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class Hang:
    """Hold the delivery for so long, then carry on as if nothing had been."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reset:
    """Cut the connection; `after_accepting`: the delivery counts, only its answer is lost."""

    after_accepting: bool = False


AgentFault = Answer | Hang | Reset


def echo(body: JsonObject) -> str:
    """The answer that shows whose agent it was."""
    return f"**{body.get('tenant')}**: you said: {body.get('text')}"


class AgentSandbox:
    """An HTTP server for the deliveries, and a client of the agent API.

    `secrets` are `whsec_...`, every one of them is accepted. `api_key` is the tenant's key.
    `retry_delays_s` bounds the tries of one message to the gateway.
    """

    def __init__(
        self,
        *,
        secrets: Sequence[str],
        api_key: str,
        gateway_url: str = "",
        mode: Literal["async", "inline"] = "async",
        reply: Reply = echo,
        path: str = "/channel/events",
        retry_delays_s: Sequence[float] = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0),
    ) -> None:
        self.gateway_url = gateway_url
        self.mode = mode
        self.deliveries: list[AgentDelivery] = []
        self.replies: list[AgentReply] = []
        self.duplicates = 0
        self.rejected = 0
        self._verifiers = [Webhook(secret) for secret in secrets]
        self._api_key = api_key
        self._reply = reply
        self._path = path
        self._retry_delays_s = tuple(retry_delays_s)
        self._accepted: dict[str, JsonObject | None] = {}
        self._faults: deque[AgentFault] = deque()
        self._changes = Changes()
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: ClientSession | None = None
        self._server = LoopbackServer(self._web_app())
        self._origin = ""

    def admit(self, *, secrets: Sequence[str], api_key: str) -> None:
        """Take the secrets that were made after this agent had an address to be registered by."""
        self._verifiers = [Webhook(secret) for secret in secrets]
        self._api_key = api_key

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one."""
        self._session = ClientSession(timeout=_GATEWAY_TIMEOUT)
        self._origin = f"{host}:{await self._server.start(host, port)}"

    async def close(self) -> None:
        """Stop answering; replies that are still being retried are dropped."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.close()
        if self._session is not None:
            await self._session.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def url(self) -> str:
        """Where the gateway shall deliver."""
        return f"http://{self._origin}{self._path}"

    @property
    def accepted_ids(self) -> frozenset[str]:
        """The deliveries this agent took on, each once."""
        return frozenset(self._accepted)

    @property
    def reply_statuses(self) -> list[int | None]:
        """What the gateway answered to each reply, in the order the answers came."""
        return [reply.status for reply in self.replies]

    def fail_next(self, fault: AgentFault, *, times: int = 1) -> None:
        """Make the next `times` deliveries go wrong."""
        self._faults.extend([fault] * times)

    async def send(self, conversation: str, text: str, *, idempotency_key: str) -> AgentReply:
        """Say something unasked; also the way to try a conversation of somebody else."""
        body = {"conversation": conversation, "text": text}
        result = AgentReply(idempotency_key, None)
        for delay_s in (*self._retry_delays_s, None):
            result = await self._post(idempotency_key, body)
            if delay_s is None or not _is_retryable(result.status):
                break
            await asyncio.sleep(delay_s)
        self.replies.append(result)
        self._changes.announce()
        return result

    async def wait_for(self, count: int, timeout_s: float) -> list[AgentDelivery]:
        """Wait until `count` signed deliveries came, repeated and failed ones too.

        Raises TimeoutError.
        """
        await self._changes.until(
            lambda: len(self.deliveries) >= count,
            timeout_s,
            lambda: f"{count} deliveries; there were {len(self.deliveries)}",
        )
        return list(self.deliveries)

    async def wait_for_replies(self, count: int, timeout_s: float) -> list[AgentReply]:
        """Wait until `count` messages to the gateway ended. Raises TimeoutError."""
        await self._changes.until(
            lambda: len(self.replies) >= count,
            timeout_s,
            lambda: f"{count} replies; there were {self.reply_statuses}",
        )
        return list(self.replies)

    def _web_app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_post(self._path, self._receive)
        app.router.add_get("/channel/health", _health)
        return app

    async def _receive(self, request: web.Request) -> web.Response:
        raw = await request.read()
        if not self._is_signed(raw, request):
            self.rejected += 1
            return web.json_response({"error": "bad signature"}, status=401)
        body = _decode(raw)
        if body is None:
            return web.json_response({"error": "not a JSON object"}, status=400)
        delivery_id = request.headers["webhook-id"]
        self.deliveries.append(
            AgentDelivery(delivery_id, body, _attempt_of(body), datetime.now(UTC))
        )
        self._changes.announce()
        return await self._answer(request, delivery_id, body)

    async def _answer(
        self, request: web.Request, delivery_id: str, body: JsonObject
    ) -> web.Response:
        match self._faults.popleft() if self._faults else None:
            case Answer(status, retry_after_s):
                after = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
                return web.Response(status=status, headers=after)
            case Reset(after_accepting):
                if after_accepting:
                    self._accept(delivery_id, body)
                return reset_connection(request)
            case Hang(seconds):
                await asyncio.sleep(seconds)
        return self._accept(delivery_id, body)

    def _accept(self, delivery_id: str, body: JsonObject) -> web.Response:
        if delivery_id in self._accepted:
            self.duplicates += 1
            return _taken(self._accepted[delivery_id])
        text = self._reply(body)
        answer: JsonObject | None = None
        if self.mode == "inline":
            answer = {"replies": [] if text is None else [{"text": text}]}
        self._accepted[delivery_id] = answer
        if answer is None and text is not None:
            task = asyncio.create_task(self._send_reply(delivery_id, body, text))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return _taken(answer)

    def _is_signed(self, raw: bytes, request: web.Request) -> bool:
        headers = dict(request.headers)
        for verifier in self._verifiers:
            # ValueError: the library lets a malformed signature header through as one.
            with contextlib.suppress(WebhookVerificationError, ValueError):
                verifier.verify(raw, headers, json_parse=False)
                return True
        return False

    async def _send_reply(self, delivery_id: str, body: JsonObject, text: str) -> None:
        conversation = body.get("conversation")
        conversation_id = conversation.get("id") if isinstance(conversation, dict) else None
        await self.send(str(conversation_id), text, idempotency_key=f"{delivery_id}-reply")

    async def _post(self, idempotency_key: str, body: dict[str, str]) -> AgentReply:
        if self._session is None:
            raise RuntimeError("the agent was not started")
        headers = {
            "Authorization": f"Bearer {self._api_key}",
            "Idempotency-Key": idempotency_key,
            "Content-Type": "application/json",
        }
        url = f"{self.gateway_url.rstrip('/')}/v1/messages"
        try:
            async with self._session.post(url, data=orjson.dumps(body), headers=headers) as answer:
                return AgentReply(idempotency_key, answer.status, await answer.read())
        except (ClientError, TimeoutError):
            return AgentReply(idempotency_key, None)


def _taken(answer: JsonObject | None) -> web.Response:
    """A repeat is answered as the first was: that answer may be what was lost."""
    return web.Response(status=202) if answer is None else web.json_response(answer)


def _is_retryable(status: int | None) -> bool:
    return status is None or status == 429 or status >= 500


def _decode(raw: bytes) -> JsonObject | None:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None


def _attempt_of(body: JsonObject) -> int:
    attempt = body.get("attempt")
    return attempt if isinstance(attempt, int) else 1


async def _health(_request: web.Request) -> web.Response:
    return web.json_response({"ok": True, "protocol": 1})
