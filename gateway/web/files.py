"""Operations on files: bring one to send it, fetch one that came with a message. Both streamed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Final, Protocol
from urllib.parse import quote

import msgspec
import structlog
from aiohttp import web
from msgspec import Meta

from gateway.core.errors import SendError, StoreError
from gateway.core.files import FileRefusal, KeptFile, OpenedFile
from gateway.core.ids import TenantId
from gateway.web.errors import ApiError
from gateway.web.models import FileKept
from gateway.web.operations import Call, Code, Operation
from gateway.web.reading import CHUNK_WITHIN_S, read_chunks

log = structlog.get_logger()

_WORDS: Final = {
    FileRefusal.TOO_LARGE: (Code.FILE_TOO_LARGE, "the file is larger than your limit", None),
    FileRefusal.STORAGE_FULL: (Code.STORAGE_FULL, "your files take all the room you have", None),
    FileRefusal.EMPTY: (Code.BLANK_TEXT, "the file has no bytes", None),
    FileRefusal.KEY_REUSED: (
        Code.KEY_REUSED,
        "the key was used for another file",
        "Idempotency-Key",
    ),
    FileRefusal.UNKNOWN: (Code.UNKNOWN_FILE, "no such file of yours", "id"),
    FileRefusal.GONE: (Code.UNKNOWN_FILE, "the file is not there any more", "id"),
    FileRefusal.UNREACHABLE: (Code.PLATFORM_FAILED, "the platform did not give the file", None),
}


class KeepFile(Protocol):
    """Stores what an agent brings. Raises StoreError."""

    async def __call__(
        self,
        tenant: TenantId,
        name: str | None,
        declared_type: str | None,
        content: AsyncIterator[bytes],
        *,
        idempotency_key: str,
    ) -> KeptFile | FileRefusal: ...


class OpenFile(Protocol):
    """Finds a file of the tenant's, kept here or on a platform. Raises StoreError, SendError."""

    async def __call__(self, tenant: TenantId, file_id: str) -> OpenedFile | FileRefusal: ...


class FileQuery(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What the file is called."""

    name: Annotated[str, Meta(min_length=1, max_length=255)] | None = None


class FileOperations:
    """Handlers of /v1/files."""

    def __init__(
        self, keep: KeepFile, open_file: OpenFile, *, chunk_within_s: float = CHUNK_WITHIN_S
    ) -> None:
        """Who does not take a piece of a file within `chunk_within_s` is cut off."""
        self._keep = keep
        self._open = open_file
        self._chunk_within_s = chunk_within_s

    def operations(self) -> list[Operation]:
        """Describe them."""
        return [
            Operation(
                verb="POST",
                path="/v1/files",
                name="uploadFile",
                summary="Bring the bytes of a file, to send it any number of times within a day",
                handle=self.upload,
                body=bytes,
                query=FileQuery,
                answer=FileKept,
                status=201,
                keyed=True,
                codes=(
                    Code.FILE_TOO_LARGE,
                    Code.STORAGE_FULL,
                    Code.BLANK_TEXT,
                    Code.KEY_REUSED,
                ),
            ),
            Operation(
                verb="GET",
                path="/v1/files/{id}",
                name="downloadFile",
                summary="Fetch a file that you brought, or an attachment of a message",
                handle=self.download,
                answer=bytes,
                status=200,
                codes=(Code.UNKNOWN_FILE, Code.FILE_TOO_LARGE, Code.PLATFORM_FAILED),
            ),
        ]

    async def upload(self, call: Call[FileQuery]) -> FileKept:
        """Store the body as it comes."""
        declared = call.request.headers.get("Content-Type")
        kept = await self._keep(
            call.caller.tenant,
            call.body.name,
            declared,
            read_chunks(call.request),
            idempotency_key=call.key,
        )
        if isinstance(kept, FileRefusal):
            raise refusal(kept)
        log.info(
            "file.kept", tenant_id=call.caller.tenant, file_id=kept.id, size_bytes=kept.size_bytes
        )
        return FileKept(
            id=kept.id, name=kept.name, media_type=kept.media_type, size_bytes=kept.size_bytes
        )

    async def download(self, call: Call[msgspec.Struct]) -> web.StreamResponse:
        """Pass the bytes on as they come. A fault in the middle ends the connection, and so does a
        reader who stands still: what is cut must not look whole.
        """
        file = await self._open(call.caller.tenant, call.id)
        if isinstance(file, FileRefusal):
            raise refusal(file)
        try:
            return await self._passed_on(file, call.request)
        finally:
            await file.aclose()

    async def _passed_on(self, file: OpenedFile, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=_headers(file))
        if file.size_bytes is None:
            response.enable_chunked_encoding()
        else:
            response.content_length = file.size_bytes
        await response.prepare(request)
        try:
            async for chunk in file.content:
                # Held by its reader, it holds a connection to the platform too.
                async with asyncio.timeout(self._chunk_within_s):
                    await response.write(chunk)
            await response.write_eof()
        except (SendError, StoreError, TimeoutError) as exc:
            log.warning("file.cut", error=str(exc) or "it was not taken in time")
            if request.transport is not None:
                request.transport.abort()
        return response


def _headers(file: OpenedFile) -> dict[str, str]:
    # Never shown in place: a page of a stranger's would run with the reader's rights.
    return {
        "Content-Type": file.media_type,
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}",
        "X-Content-Type-Options": "nosniff",
    }


def refusal(reason: FileRefusal) -> ApiError:
    """Put a refusal into words."""
    code, message, field = _WORDS[reason]
    return ApiError(code, message, field=field)
