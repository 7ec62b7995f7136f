"""The API that agents speak through. The bearer key names the tenant; nothing in a body can."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Final, TypeVar

import msgspec
import structlog
from aiohttp import web

from gateway.core.conversations import MAX_CONVERSATION_ID_CHARS
from gateway.core.ids import TenantId
from gateway.egress.submit import Refusal, Submission, Submitted
from gateway.telemetry.metrics import Metrics
from gateway.web.errors import ApiError, Handler, error_bodies

log = structlog.get_logger()

MAX_BODY_BYTES: Final = 512 * 1024
MAX_TEXT_CHARS: Final = 40_000
MAX_KEY_CHARS: Final = 255
MAX_SAID_CHARS: Final = 300

TenantOfKey = Callable[[str], Awaitable[TenantId | None]]
SubmitMessage = Callable[[Submission], Awaitable[Submitted | Refusal]]

T = TypeVar("T")

_BEARER = re.compile(r"Bearer ([\x21-\x7e]{1,256})")
_FIELD = re.compile(r"`\$\.?([^`]*)`")
_MISSING = re.compile(r"missing required field `([^`]+)`|unknown field `([^`]+)`")


class MessageRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of POST /v1/messages."""

    conversation: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_CONVERSATION_ID_CHARS)]
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT_CHARS)]


class MessageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of POST /v1/messages: stored, to be sent."""

    id: str
    conversation: str
    parts: int
    status: str = "queued"


_REFUSALS: Final = {
    Refusal.UNKNOWN_CONVERSATION: (404, "unknown_conversation", "no such conversation of yours"),
    Refusal.BLANK_TEXT: (400, "invalid_field", "text holds nothing that can be shown"),
    Refusal.TOO_LONG: (413, "message_too_long", "the message has more parts than your queue holds"),
    Refusal.KEY_REUSED: (409, "idempotency_key_reused", "the key was used for another message"),
}
_REFUSED_FIELD: Final = {
    Refusal.UNKNOWN_CONVERSATION: "conversation",
    Refusal.BLANK_TEXT: "text",
    Refusal.TOO_LONG: "text",
    Refusal.KEY_REUSED: "Idempotency-Key",
}


class AgentApi:
    """Handlers of /v1."""

    def __init__(self, tenant_of_key: TenantOfKey, submit: SubmitMessage, metrics: Metrics) -> None:
        self._tenant_of_key = tenant_of_key
        self._submit = submit
        self._metrics = metrics

    def application(self) -> web.Application:
        """Make the aiohttp application."""
        app = web.Application(
            client_max_size=MAX_BODY_BYTES, middlewares=[self._counted, error_bodies]
        )
        app.router.add_post("/v1/messages", self.post_message)
        return app

    @web.middleware
    async def _counted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        resource = request.match_info.route.resource
        route = resource.canonical if resource else "unknown"
        self._metrics.api_requests.labels(route, str(response.status)).inc()
        return response

    async def post_message(self, request: web.Request) -> web.Response:
        """Take a message: 202 with its id. A repeat of the same key gives the first answer."""
        tenant = await self._authenticate(request)
        key = _idempotency_key(request)
        body = decode(await request.read(), MessageRequest)
        result = await self._submit(
            Submission(
                tenant=tenant,
                conversation=body.conversation,
                markdown=body.text,
                idempotency_key=key,
            )
        )
        if isinstance(result, Refusal):
            status, code, message = _REFUSALS[result]
            raise ApiError(status, code, message, field=_REFUSED_FIELD[result])
        log.info(
            "message.submitted",
            tenant_id=tenant,
            message_id=result.id,
            conversation=result.conversation,
            parts=result.parts,
            repeated=result.repeated,
        )
        answer = MessageAnswer(id=result.id, conversation=result.conversation, parts=result.parts)
        return web.Response(
            body=msgspec.json.encode(answer), status=202, content_type="application/json"
        )

    async def _authenticate(self, request: web.Request) -> TenantId:
        # The key is looked up by its HMAC, so no comparison here can leak it by its timing.
        match = _BEARER.fullmatch(request.headers.get("Authorization", ""))
        tenant = await self._tenant_of_key(match[1]) if match else None
        if tenant is None:
            raise ApiError(401, "unauthorized", "a valid bearer key is needed")
        return tenant


def decode(body: bytes, shape: type[T]) -> T:
    """Read a JSON body. Raises ApiError 400 that names the field."""
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as exc:
        # Cut, since it quotes names of fields, which can be as long as the body.
        text, field = str(exc), _field_of(str(exc))
        raise ApiError(
            400, "invalid_field", text[:MAX_SAID_CHARS], field=field and field[:MAX_SAID_CHARS]
        ) from exc
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise ApiError(400, "invalid_json", f"the body is not JSON: {exc}") from exc


def _field_of(message: str) -> str | None:
    if missing := _MISSING.search(message):
        return missing[1] or missing[2]
    path = _FIELD.search(message)
    return (path[1] or None) if path else None


def _idempotency_key(request: web.Request) -> str:
    key = request.headers.get("Idempotency-Key", "").strip()
    if not 0 < len(key) <= MAX_KEY_CHARS:
        message = f"the header Idempotency-Key is needed, 1-{MAX_KEY_CHARS} characters"
        raise ApiError(400, "invalid_field", message, field="Idempotency-Key")
    return key
