"""The error body of the agent API: a stable code, the field, a sentence. Made in one place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import structlog
from aiohttp import web

from gateway.core.errors import QueueFullError, StoreError

log = structlog.get_logger()

RETRY_AFTER_S: Final = 2
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ApiError(Exception):
    """Ends a request with an error body."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        field: str | None = None,
        allow: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.allow = allow


def error_response(error: ApiError) -> web.Response:
    """Make `{"error": {"code", "message", "field"?}}`."""
    body = {"code": error.code, "message": error.message}
    if error.field is not None:
        body["field"] = error.field
    headers = {}
    if error.status in {429, 503}:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.allow is not None:
        headers["Allow"] = error.allow
    return web.Response(
        body=msgspec.json.encode({"error": body}),
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
        return error_response(ApiError(503, "store_unavailable", "a store is away: try again"))
    except QueueFullError as exc:
        return error_response(ApiError(429, "queue_full", str(exc)))
    except web.HTTPException as exc:
        return error_response(_of_http(exc))
    except Exception:
        log.exception("api.fault", path=request.path)
        return error_response(ApiError(500, "internal_error", "the gateway failed"))


def _of_http(exc: web.HTTPException) -> ApiError:
    codes = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}
    code = codes.get(exc.status, "bad_request" if exc.status < 500 else "internal_error")
    # RFC 9110 section 15.5.6: a 405 names what would be allowed.
    return ApiError(exc.status, code, exc.reason, allow=exc.headers.get("Allow"))
