"""Slack's requests to an app that has request URLs in the place of sockets: signed, and repeated
with x-slack-retry-num and x-slack-retry-reason: nearly at once, after one minute, after five.

https://docs.slack.dev/apis/events-api/#retries ,
https://docs.slack.dev/authentication/verifying-requests-from-slack/ ,
https://docs.slack.dev/reference/events/url_verification/ and
https://docs.slack.dev/interactivity/implementing-slash-commands/
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import urlencode

import aiohttp
import orjson

from gateway.sandbox.slack.rules import SlackRules
from gateway.sandbox.wire import JsonObject

_PATHS = {
    "events_api": "/slack/events",
    "interactive": "/slack/interactive",
    "slash_commands": "/slack/commands",
}
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"


class Told(Protocol):
    """Who wants to know how the app answered."""

    def on_frame(self, text: str, socket: int) -> None:
        """Take an acknowledgement, written as over a socket."""

    def failed(self, envelope_id: str, reason: str, *, again: bool) -> None:
        """Take a failure; `again` is False when the app wants no repetition."""


@dataclass(frozen=True, slots=True)
class SentRequest:
    """A request as it went out, and the status that came back; None while there is none."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int | None = None


@dataclass(frozen=True, slots=True)
class _Target:
    base_url: str
    signing_secret: str


class HttpEvents:
    """A line to the app, like a socket, once it has been pointed at it."""

    number = 0

    def __init__(self, rules: SlackRules) -> None:
        self.requests: list[SentRequest] = []
        self.told: Told | None = None
        self._rules = rules
        self._target: _Target | None = None
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_pointed(self) -> bool:
        """Whether the app has request URLs."""
        return self._target is not None

    def point_at(self, base_url: str, signing_secret: str) -> None:
        """Give the app its request URLs: the documented paths under `base_url`."""
        self._target = _Target(base_url.rstrip("/"), signing_secret)

    def point_nowhere(self) -> None:
        """Take the request URLs away: sockets serve again."""
        self._target = None

    def send(self, text: str) -> None:
        """Send an envelope as a request, without waiting."""
        task = asyncio.create_task(self._deliver(orjson.loads(text)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def verify(self) -> bool:
        """Ask the events URL for proof, as Slack does when it is entered."""
        challenge = uuid.uuid4().hex
        payload = {"type": "url_verification", "challenge": challenge, "token": "sandbox"}
        _, body = await self.post("events_api", orjson.dumps(payload), _JSON)
        return challenge.encode() in body

    async def post(
        self, kind: str, body: bytes, media_type: str, headers: Mapping[str, str] | None = None
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        """Sign and send one request; returns its answer. Raises aiohttp.ClientError, TimeoutError.

        `headers` are added, and win.
        """
        assert self._target is not None  # noqa: S101 - a wrong order of calls
        timestamp = str(int(time.time()))
        signed = {
            "Content-Type": media_type,
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": sign(self._target.signing_secret, timestamp, body),
        }
        request = SentRequest(_PATHS[kind], signed | dict(headers or {}), body)
        return await self.resend(request)

    async def resend(self, request: SentRequest) -> tuple[aiohttp.ClientResponse, bytes]:
        """Send a request as it is, whoever signed it."""
        assert self._target is not None  # noqa: S101 - a wrong order of calls
        index = len(self.requests)
        self.requests.append(request)
        async with self._opened().post(
            self._target.base_url + request.path,
            data=request.body,
            headers=request.headers,
            allow_redirects=False,
        ) as response:
            body = await response.read()
        self.requests[index] = replace(request, status=response.status)
        return response, body

    async def close(self) -> None:
        """Send nothing more."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _deliver(self, envelope: JsonObject) -> None:
        kind, envelope_id = str(envelope["type"]), str(envelope["envelope_id"])
        assert self.told is not None  # noqa: S101 - wired at the start
        try:
            async with asyncio.timeout(self._rules.ack_deadline_s):
                response, body = await self.post(*_written(kind, envelope), _retries(envelope))
        except TimeoutError:
            # The courier counts the same three seconds.
            return
        except aiohttp.ClientError:
            self.told.failed(envelope_id, "connection_failed", again=True)
            return
        if response.status // 100 != 2:
            again = response.headers.get("X-Slack-No-Retry") != "1"
            self.told.failed(envelope_id, "http_error", again=again)
            return
        answer = {"payload": orjson.loads(body)} if response.content_type == _JSON and body else {}
        ack: JsonObject = {"envelope_id": envelope_id} | answer
        self.told.on_frame(orjson.dumps(ack).decode(), self.number)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        return self._session


def sign(signing_secret: str, timestamp: str, body: bytes) -> str:
    """The signature of a request, version 0."""
    base = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(signing_secret.encode(), base, hashlib.sha256).hexdigest()


def _written(kind: str, envelope: JsonObject) -> tuple[str, bytes, str]:
    payload = envelope["payload"]
    if kind == "slash_commands" and isinstance(payload, dict):
        return kind, urlencode(payload).encode(), _FORM
    if kind == "interactive":
        return kind, urlencode({"payload": orjson.dumps(payload).decode()}).encode(), _FORM
    return kind, orjson.dumps(payload), _JSON


def _retries(envelope: JsonObject) -> dict[str, str]:
    attempt = envelope.get("retry_attempt")
    if not attempt:
        return {}
    reason = str(envelope.get("retry_reason"))
    return {
        "X-Slack-Retry-Num": str(attempt),
        "X-Slack-Retry-Reason": "http_timeout" if reason == "timeout" else reason,
    }
