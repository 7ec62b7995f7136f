"""The API that agents speak through. The bearer key names the tenant; nothing in a body can."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from gateway.store.tenants import KeyHolder
from gateway.telemetry.metrics import Metrics
from gateway.web.errors import ApiError, Handler, error_bodies
from gateway.web.models import Nothing
from gateway.web.openapi import document
from gateway.web.operations import Call, Caller, Code, Operation
from gateway.web.reading import (
    BODY_WITHIN_S,
    MAX_BODY_BYTES,
    only,
    read_body,
    read_key,
    read_query,
)

HolderOfKey = Callable[[str], Awaitable[KeyHolder | None]]
ReadToken = Callable[[str], Caller | None]
"""Who holds this reply token, if it is a valid one."""

_BEARER: Final = re.compile(r"Bearer ([\x21-\x7e]{1,1024})")
REPLY_TOKEN_PREFIX: Final = "cgr_"  # noqa: S105 - the prefix of tokens, not one


class AgentApi:
    """Serves operations, and the document that describes them."""

    def __init__(
        self,
        holder_of_key: HolderOfKey,
        read_token: ReadToken,
        operations: Sequence[Operation],
        metrics: Metrics,
        *,
        body_within_s: float = BODY_WITHIN_S,
    ) -> None:
        self._holder_of_key = holder_of_key
        self._read_token = read_token
        self._operations = operations
        self._metrics = metrics
        self._body_within_s = body_within_s

    def application(self) -> web.Application:
        """Make the aiohttp application."""
        app = web.Application(
            client_max_size=MAX_BODY_BYTES, middlewares=[self._counted, error_bodies]
        )
        for operation in self._operations:
            app.router.add_route(operation.verb, operation.path, self._handler(operation))
        described = msgspec.json.encode(document(self._operations))

        async def describe(_request: web.Request) -> web.Response:
            return web.Response(body=described, content_type="application/json")

        app.router.add_route("GET", "/openapi.json", describe)
        return app

    @web.middleware
    async def _counted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        if not request.content.is_eof():
            # What is left of the body would be read as the next request.
            response.force_close()
        resource = request.match_info.route.resource
        route = resource.canonical if resource else "unknown"
        self._metrics.api_requests.labels(route, str(response.status)).inc()
        return response

    def _handler(self, operation: Operation) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            caller = await self._caller(request)
            if operation.speaks and not caller.may_speak:
                message = "only a delivery's reply token may speak"
                raise ApiError(Code.REPLY_TOKEN_REQUIRED, message)
            key = read_key(request) if operation.keyed else ""
            body = await self._body(request, operation)
            call: Call[Any] = Call(caller=caller, body=body, key=key, request=request)
            answer = await operation.handle(call)
            if isinstance(answer, web.StreamResponse):
                return answer
            return web.Response(
                body=msgspec.json.encode(answer),
                status=operation.status,
                content_type="application/json",
            )

        return handle

    async def _body(self, request: web.Request, operation: Operation) -> msgspec.Struct:
        if operation.query is not None:
            return read_query(request, operation.query)
        if operation.body is None or not issubclass(operation.body, msgspec.Struct):
            return Nothing()
        return await read_body(request, operation.body, self._body_within_s)

    async def _caller(self, request: web.Request) -> Caller:
        match = _BEARER.fullmatch(only(request, "Authorization"))
        caller = await self._holder(match[1]) if match else None
        if caller is None:
            raise ApiError(Code.UNAUTHORIZED, "a valid bearer key is needed")
        return caller

    async def _holder(self, key: str) -> Caller | None:
        if key.startswith(REPLY_TOKEN_PREFIX):
            return self._read_token(key)
        # The key is looked up by its HMAC, so no comparison here can leak it by its timing.
        holder = await self._holder_of_key(key)
        return None if holder is None else Caller(holder.tenant, may_speak=holder.may_speak)
