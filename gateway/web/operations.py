"""What the agent API consists of: operations, each a row that serves requests and documents itself.

The row is the truth: the router, the checks of what comes in, and /openapi.json are made from it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

import msgspec
from aiohttp import web

from gateway.core.ids import ConversationId, TenantId

B_co = TypeVar("B_co", bound=msgspec.Struct, covariant=True)


class Code(StrEnum):
    """The stable code of an error. An operation names those that it can end with."""

    INVALID_JSON = "invalid_json"
    INVALID_FIELD = "invalid_field"
    BAD_REQUEST = "bad_request"
    UNAUTHORIZED = "unauthorized"
    OUT_OF_SCOPE = "out_of_scope"
    REPLY_TOKEN_REQUIRED = "reply_token_required"  # noqa: S105 - a code, not a token
    NOT_FOUND = "not_found"
    UNKNOWN_CONVERSATION = "unknown_conversation"
    UNKNOWN_MESSAGE = "unknown_message"
    UNKNOWN_FILE = "unknown_file"
    UNKNOWN_TARGET = "unknown_target"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    BODY_TIMEOUT = "body_timeout"
    KEY_REUSED = "idempotency_key_reused"
    STREAM_CLOSED = "stream_closed"
    OFFSET_MISMATCH = "offset_mismatch"
    BODY_TOO_LARGE = "body_too_large"
    MESSAGE_TOO_LONG = "message_too_long"
    FILE_TOO_LARGE = "file_too_large"
    STORAGE_FULL = "storage_full"
    MEDIA_TYPE = "unsupported_media_type"
    BLANK_TEXT = "blank_text"
    QUEUE_FULL = "queue_full"
    INTERNAL = "internal_error"
    PLATFORM_FAILED = "platform_failed"
    STORE_UNAVAILABLE = "store_unavailable"


STATUS_OF: Final[Mapping[Code, int]] = {
    Code.INVALID_JSON: 400,
    Code.INVALID_FIELD: 400,
    Code.BAD_REQUEST: 400,
    Code.UNAUTHORIZED: 401,
    Code.OUT_OF_SCOPE: 403,
    Code.REPLY_TOKEN_REQUIRED: 403,
    Code.NOT_FOUND: 404,
    Code.UNKNOWN_CONVERSATION: 404,
    Code.UNKNOWN_MESSAGE: 404,
    Code.UNKNOWN_FILE: 404,
    Code.UNKNOWN_TARGET: 404,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.BODY_TIMEOUT: 408,
    Code.KEY_REUSED: 409,
    Code.STREAM_CLOSED: 409,
    Code.OFFSET_MISMATCH: 409,
    Code.BODY_TOO_LARGE: 413,
    Code.MESSAGE_TOO_LONG: 413,
    Code.FILE_TOO_LARGE: 413,
    Code.STORAGE_FULL: 413,
    Code.MEDIA_TYPE: 415,
    Code.BLANK_TEXT: 422,
    Code.QUEUE_FULL: 429,
    Code.INTERNAL: 500,
    Code.PLATFORM_FAILED: 503,
    Code.STORE_UNAVAILABLE: 503,
}

OF_EVERY_CALL: Final = (Code.BAD_REQUEST, Code.UNAUTHORIZED, Code.INTERNAL, Code.STORE_UNAVAILABLE)
OF_EVERY_BODY: Final = (
    Code.INVALID_JSON,
    Code.INVALID_FIELD,
    Code.BODY_TIMEOUT,
    Code.BODY_TOO_LARGE,
    Code.MEDIA_TYPE,
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. With a `scope` the key was a reply token, good for that conversation alone."""

    tenant: TenantId
    scope: ConversationId | None = None
    may_speak: bool = True


@dataclass(frozen=True, slots=True)
class Call(Generic[B_co]):
    """A request whose form is right. `key` is its Idempotency-Key, if it needs one."""

    caller: Caller
    body: B_co
    key: str
    request: web.Request = field(repr=False)

    @property
    def id(self) -> str:
        """The `{id}` of the path."""
        return self.request.match_info["id"]


Handle = Callable[[Call[Any]], Awaitable[msgspec.Struct | web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One verb on one path. With a `body` of None none is read; `bytes` stands for a file. What
    `speaks` may be refused to a tenant's key.
    """

    verb: str
    path: str
    name: str
    summary: str
    handle: Handle
    body: type[msgspec.Struct] | type[bytes] | None = None
    query: type[msgspec.Struct] | None = None
    answer: type[msgspec.Struct] | type[bytes]
    status: int = 202
    keyed: bool = False
    speaks: bool = False
    codes: tuple[Code, ...] = ()

    def all_codes(self) -> tuple[Code, ...]:
        """Every code that this operation can end with."""
        of_body = () if self.body is None else OF_EVERY_BODY
        of_speech = (Code.OUT_OF_SCOPE, Code.REPLY_TOKEN_REQUIRED) if self.speaks else ()
        of_form = (Code.INVALID_FIELD,) if self.keyed or self.query else ()
        return tuple(dict.fromkeys((*OF_EVERY_CALL, *of_body, *of_form, *of_speech, *self.codes)))
