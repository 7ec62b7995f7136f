"""Slack's requests: events, interactions and slash commands over HTTP, as apps in the directory get
them. The way in differs from a socket's, what follows does not.

A request is trusted once its signature is verified, and answered with success once what it brings
is stored: any other answer lets Slack send an event again. https://docs.slack.dev/apis/events-api/
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from adapters.slack.authorizations import Authorizations
from adapters.slack.config import SlackConfig
from adapters.slack.dialogs import Dialogs
from adapters.slack.fields import Fields
from adapters.slack.frames import EVENTS_API, INTERACTIVE, SLASH_COMMANDS, Envelope
from adapters.slack.observer import SocketObserver, Unobserved
from adapters.slack.reception import Reception, why_unacked
from adapters.slack.signing import Seen, Signing
from gateway.core.errors import QueueFullError, StoreError
from gateway.core.ports import Accept, Ignore

PATHS = {
    EVENTS_API: "/slack/events",
    INTERACTIVE: "/slack/interactive",
    SLASH_COMMANDS: "/slack/commands",
}

_MAX_RETRIES = 100
_MAX_CHALLENGE_CHARS = 1_000
_MAX_FORM_FIELDS = 100
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


class _Refused(Exception):  # noqa: N818 - an answer, not a fault of ours
    """A request that is not let in."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


class SlackWebhook:
    """A Webhook. Everything is counted, nothing of a refused request is logged."""

    def __init__(
        self,
        config: SlackConfig,
        *,
        ignore: Ignore,
        observe: SocketObserver | None = None,
        dialogs: Dialogs | None = None,
        authorizations: Authorizations | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` tells the Unix time, against which the age of a request is measured."""
        self._config = config
        self._ignore = ignore
        self._observer = observe or Unobserved()
        self._dialogs = dialogs
        self._authorizations = authorizations
        self._clock = clock
        self._signing = Signing(config.signing_secrets)
        self._seen = Seen()
        self._under_way = 0

    def routes(self, accept: Accept) -> Iterable[web.AbstractRouteDef]:
        """Name the three paths, which are those to enter in the app's settings."""
        reception = Reception(
            accept,
            self._ignore,
            dialogs=self._dialogs,
            authorizations=self._authorizations,
            command_reply=self._config.command_reply,
        )
        for kind, path in PATHS.items():
            yield web.post(path, partial(self._handle, kind, reception))
        yield web.get(PATHS[SLASH_COMMANDS], _check_certificate, allow_head=False)

    async def _handle(
        self, kind: str, reception: Reception, request: web.Request
    ) -> web.StreamResponse:
        try:
            body = await self._body(request)
            if kind == SLASH_COMMANDS and _asks_for_certificate(_form(body)):
                return web.Response()
            signature = self._verified(request, body)
        except _Refused as refused:
            self._observer.unacked(refused.why)
            return web.Response(status=refused.status, text=refused.why)
        payload = _payload(kind, body)
        challenge = _challenge(payload) if kind == EVENTS_API else None
        if challenge is not None:
            return web.Response(text=challenge)
        envelope = Envelope(
            id=signature,
            type=kind,
            payload=payload,
            retry=_retry(request),
            answerable=kind == SLASH_COMMANDS,
        )
        return await self._take(envelope, reception)

    async def _take(self, envelope: Envelope, reception: Reception) -> web.Response:
        self._observer.frame(envelope.type)
        self._under_way += 1
        try:
            answer = await reception.take(envelope)
        except Exception as exc:
            # Slack sends an event again at once: then it must not be taken for a replay.
            self._seen.forget(envelope.id)
            self._observer.unacked(why_unacked(exc))
            return web.Response(status=_status(exc))
        finally:
            self._under_way -= 1
        if answer is None:
            return web.Response()
        return web.Response(body=orjson.dumps(answer), content_type="application/json")

    async def _body(self, request: web.Request) -> bytes:
        """Read the body as it is: the signature is of its bytes. Raises _Refused."""
        if (request.content_length or 0) > self._config.max_body_bytes:
            raise _Refused(413, "too_large")
        body = bytearray()
        try:
            async with asyncio.timeout(self._config.body_timeout_s):
                async for chunk in request.content.iter_any():
                    body += chunk
                    if len(body) > self._config.max_body_bytes:
                        raise _Refused(413, "too_large")
        except TimeoutError:
            raise _Refused(408, "too_slow") from None
        return bytes(body)

    def _verified(self, request: web.Request, body: bytes) -> str:
        """Return the signature of a genuine request. Raises _Refused."""
        timestamp = request.headers.get("X-Slack-Request-Timestamp", "")
        signature = request.headers.get("X-Slack-Signature", "")
        now_s = self._clock()
        why = self._signing.refusal(timestamp, signature, body, now_s=now_s)
        if why is not None:
            raise _Refused(401, why.value)
        if self._under_way >= self._config.max_in_flight:
            raise _Refused(503, "busy")
        if not self._seen.enter(signature, now_s=now_s):
            raise _Refused(401, "replayed")
        return signature


def _payload(kind: str, body: bytes) -> object:
    """Read what a socket would bring as the payload; None for what cannot be read."""
    if kind == SLASH_COMMANDS:
        return _form(body)
    try:
        return orjson.loads(_form(body).get("payload", "") if kind == INTERACTIVE else body)
    except orjson.JSONDecodeError:
        return None


def _form(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body.decode(errors="replace"), keep_blank_values=True, max_num_fields=_MAX_FORM_FIELDS
        )
    except ValueError:
        return {}
    return dict(pairs)


def _challenge(payload: object) -> str | None:
    """https://docs.slack.dev/reference/events/url_verification/"""
    fields = Fields(payload)
    if fields.text("type") != "url_verification":
        return None
    return fields.text("challenge")[:_MAX_CHALLENGE_CHARS]


def _retry(request: web.Request) -> int:
    """https://docs.slack.dev/apis/events-api/#retries"""
    number = request.headers.get("X-Slack-Retry-Num", "")
    return min(int(number), _MAX_RETRIES) if _NUMBER.fullmatch(number) else 0


async def _check_certificate(request: web.Request) -> web.Response:
    """https://docs.slack.dev/interactivity/implementing-slash-commands/ : Slack now and then looks
    at the certificate of this address, with a request that says nothing else.
    """
    if not _asks_for_certificate(request.query):
        raise web.HTTPMethodNotAllowed("GET", ["POST"])
    return web.Response()


def _asks_for_certificate(form: Mapping[str, str]) -> bool:
    return form.get("ssl_check") == "1"


def _status(fault: Exception) -> int:
    return 503 if isinstance(fault, StoreError | QueueFullError) else 500
