"""Reads what an agent sent, bounded in size and time, or says what is wrong with it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Final, TypeVar

import msgspec
from aiohttp import web

from gateway.web.errors import ApiError
from gateway.web.models import MAX_KEY_CHARS
from gateway.web.operations import Code

MAX_BODY_BYTES: Final = 512 * 1024
MAX_SAID_CHARS: Final = 300
BODY_WITHIN_S: Final = 15.0
"""Half a megabyte takes less on any line; who takes longer only holds a connection."""
FILE_WITHIN_S: Final = 600.0
CHUNK_WITHIN_S: Final = 15.0

S = TypeVar("S", bound=msgspec.Struct)

_FIELD = re.compile(r"`\$\.?([^`]*)`")
_NAMED = re.compile(r"(?:exactly one of )?`(\w+)`.* (?:is|are) needed")
_KEY = re.compile(rf"[!-~]{{1,{MAX_KEY_CHARS}}}")
_MISSING = re.compile(r"missing required field `([^`]+)`|unknown field `([^`]+)`")


async def read_body(request: web.Request, shape: type[S], within_s: float) -> S:
    """Read a JSON body; no body at all is an empty object. Raises ApiError 400, 408, 413, 415."""
    check_encoding(request)
    if request.body_exists and request.content_type != "application/json":
        # aiohttp says application/octet-stream when there is no such header.
        message = "the body must be sent as application/json"
        raise ApiError(Code.MEDIA_TYPE, message, field="Content-Type")
    try:
        async with asyncio.timeout(within_s):
            body = await request.read()
    except TimeoutError as exc:
        raise ApiError(Code.BODY_TIMEOUT, "the body did not come in time") from exc
    return decode(body or b"{}", shape)


async def read_chunks(request: web.Request) -> AsyncIterator[bytes]:
    """Give a file's bytes as they come. Raises ApiError 408 when they come too slowly, 415."""
    check_encoding(request)
    try:
        async with asyncio.timeout(FILE_WITHIN_S):
            while chunk := await asyncio.wait_for(request.content.readany(), CHUNK_WITHIN_S):
                yield chunk
    except TimeoutError as exc:
        raise ApiError(Code.BODY_TIMEOUT, "the file did not come in time") from exc


def check_encoding(request: web.Request) -> None:
    """Raise ApiError 415 for a packed body: RFC 9110, section 15.5.16."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        message = "the body must be sent as it is, not packed"
        raise ApiError(Code.MEDIA_TYPE, message, field="Content-Encoding")


def decode(body: bytes, shape: type[S]) -> S:
    """Read a JSON body. Raises ApiError 400 that names the field."""
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as exc:
        raise _invalid(exc) from exc
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise ApiError(Code.INVALID_JSON, f"the body is not JSON: {exc}") from exc
    except RecursionError as exc:
        raise ApiError(Code.INVALID_JSON, "the body is nested too deeply") from exc


def read_query(request: web.Request, shape: type[S]) -> S:
    """Read the query. Raises ApiError 400 that names the parameter, also one that came twice."""
    given: dict[str, str] = {}
    for name, value in request.query.items():
        if name in given:
            raise ApiError(Code.INVALID_FIELD, "given twice", field=name[:MAX_SAID_CHARS])
        given[name] = value
    try:
        return msgspec.convert(given, type=shape, strict=False)
    except msgspec.ValidationError as exc:
        raise _invalid(exc) from exc


def read_key(request: web.Request) -> str:
    """Read the header Idempotency-Key. Raises ApiError 400."""
    key = only(request, "Idempotency-Key")
    if not _KEY.fullmatch(key):
        message = f"one header is needed, 1-{MAX_KEY_CHARS} visible ASCII characters"
        raise ApiError(Code.INVALID_FIELD, message, field="Idempotency-Key")
    return key


def only(request: web.Request, header: str) -> str:
    """Read a header that must not be there twice; "" when it is, or is missing. Whoever stands
    between might look at the other one.
    """
    values = request.headers.getall(header, ())
    return values[0] if len(values) == 1 else ""


def _invalid(exc: msgspec.ValidationError) -> ApiError:
    # Cut, since it quotes names of fields, which can be as long as the body.
    text = str(exc)
    field = _field_of(text)
    said = field and field[:MAX_SAID_CHARS]
    return ApiError(Code.INVALID_FIELD, text[:MAX_SAID_CHARS], field=said)


def _field_of(message: str) -> str | None:
    path = _FIELD.search(message)
    within = path[1] if path else ""
    if missing := _MISSING.search(message):
        name = missing[1] or missing[2]
        return f"{within}.{name}" if within else name
    if not within and (named := _NAMED.match(message)):
        return named[1]
    return within or None
