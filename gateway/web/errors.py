"""The error body of the agent API: a stable code, the field, a sentence. Made in one place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import structlog
from aiohttp import web

from gateway.core.errors import QueueFullError, SendError, StoreError
from gateway.web.models import ErrorBody, ErrorDetail
from gateway.web.operations import STATUS_OF, Code

log = structlog.get_logger()

RETRY_AFTER_S: Final = 2
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ApiError(Exception):
    """Ends a request with an error body."""

    def __init__(
        self, code: Code, message: str, *, field: str | None = None, allow: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = STATUS_OF[code]
        self.code = code
        self.message = message
        self.field = field
        self.allow = allow


def error_response(error: ApiError) -> web.Response:
    """Make `{"error": {"code", "message", "field"?}}`."""
    body = ErrorBody(
        error=ErrorDetail(code=error.code.value, message=error.message, field=error.field)
    )
    headers = {}
    if error.status in {429, 503}:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.allow is not None:
        headers["Allow"] = error.allow
    return web.Response(
        body=msgspec.json.encode(body),
        status=error.status,
        content_type="application/json",
        headers=headers,
    )


@web.middleware
async def error_bodies(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every fault into the API's error body; a traceback goes to the log only."""
    try:
        return await handler(request)
    except ApiError as exc:
        return error_response(exc)
    except StoreError as exc:
        log.warning("api.store_fault", error=str(exc))
        return error_response(ApiError(Code.STORE_UNAVAILABLE, "a store is away: try again"))
    except QueueFullError as exc:
        return error_response(ApiError(Code.QUEUE_FULL, str(exc)))
    except SendError as exc:
        # Only what has to ask the platform first ends here: nothing was posted.
        log.warning("api.platform_fault", reason=exc.reason.value, detail=exc.detail)
        return error_response(ApiError(Code.PLATFORM_FAILED, "the platform did not answer"))
    except web.HTTPException as exc:
        return error_response(_of_http(exc))
    except Exception as exc:
        return error_response(_of_fault(exc, request))


def _of_fault(exc: Exception, request: web.Request) -> ApiError:
    is_gone = isinstance(exc, ConnectionError) and request.transport is None
    if is_gone or isinstance(exc, web.RequestPayloadError):
        # Of whoever asked. Mostly nobody is there any more to read this.
        return ApiError(Code.BAD_REQUEST, "the body breaks off")
    log.error("api.fault", path=request.path, exc_info=exc)
    return ApiError(Code.INTERNAL, "the gateway failed")


def _of_http(exc: web.HTTPException) -> ApiError:
    codes = {404: Code.NOT_FOUND, 405: Code.METHOD_NOT_ALLOWED, 413: Code.BODY_TOO_LARGE}
    code = codes.get(exc.status, Code.BAD_REQUEST if exc.status < 500 else Code.INTERNAL)
    # RFC 9110 section 15.5.6: a 405 names what would be allowed.
    return ApiError(code, exc.reason, allow=exc.headers.get("Allow"))
