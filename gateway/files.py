"""Files as agents ask for them: those they brought, and those that came with messages.

An attachment's bytes stay on its platform; what the agent holds is a sealed text that names them,
so nothing has to be stored, and nobody else's agent can use it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Final

import msgspec
import structlog

from gateway.archive.files import FileStore
from gateway.core.audit import AuditAction, AuditRecord
from gateway.core.conversations import ConversationRef
from gateway.core.deliveries import Direction, Reason
from gateway.core.errors import SendError, StoreError
from gateway.core.events import Attachment
from gateway.core.files import HEAD_BYTES, FileRefusal, OpenedFile, media_type_of, safe_name
from gateway.core.ids import FileId, Platform, TenantId, WorkspaceId
from gateway.core.ports import Download, Downloads, Outlet
from gateway.core.tenants import Credential, TenantStatus
from gateway.sealing import Seal
from gateway.store.tenants import BoundWorkspace, TenantLookup
from gateway.telemetry.metrics import Metrics

log = structlog.get_logger()

FILE_PREFIX: Final = "file_"
ATTACHMENT_PREFIX: Final = "att_"
_MAX_TOKEN_CHARS: Final = 7_000
_MAX_ID_CHARS: Final = 64

Record = Callable[[AuditRecord], Awaitable[None]]
"""Writes an audit record that belongs to no delivery."""


class _TooLargeError(SendError):
    """More came than the tenant may fetch at once."""

    def __init__(self) -> None:
        super().__init__(Reason.PLATFORM_REJECTED, "the file is too large", permanent=True)


class AttachmentRef(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="att"):
    """Where the bytes of an attachment are, and whose they are."""

    tenant: TenantId
    platform: Platform
    workspace: WorkspaceId
    attachment: Attachment


class AttachmentTokens:
    """The ids under which agents know attachments: `att_` and a sealed AttachmentRef."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    def token(self, tenant: TenantId, ref: ConversationRef, attachment: Attachment) -> str:
        """Name an attachment to the tenant's agent."""
        where = AttachmentRef(
            tenant=tenant, platform=ref.platform, workspace=ref.workspace, attachment=attachment
        )
        sealed = self._seal.seal(msgspec.json.encode(where).decode())
        # The padding follows from the length, and "=" is a nuisance in URLs.
        return ATTACHMENT_PREFIX + sealed.rstrip("=")

    def read(self, tenant: TenantId, token: str) -> AttachmentRef | None:
        """Read a token back; None when it is none, or another tenant's."""
        sealed = token.removeprefix(ATTACHMENT_PREFIX)
        if sealed == token or len(token) > _MAX_TOKEN_CHARS or not token.isascii():
            return None
        try:
            opened = self._seal.open(sealed + "=" * (-len(sealed) % 4))
            where = msgspec.json.decode(opened, type=AttachmentRef)
        except (StoreError, msgspec.DecodeError):
            # No store was asked: the text is not ours, or older than the keys.
            return None
        return where if where.tenant == tenant else None


class Files:
    """Opens files for agents."""

    def __init__(
        self,
        store: FileStore,
        lookup: TenantLookup,
        seal: Seal,
        outlets: Mapping[Platform, Outlet],
        record: Record,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._lookup = lookup
        self._seal = seal
        self._tokens = AttachmentTokens(seal)
        self._outlets = outlets
        self._record = record
        self._metrics = metrics

    async def open(self, tenant: TenantId, file_id: str) -> OpenedFile | FileRefusal:
        """Open a file by the id that the tenant's agent holds. Raises StoreError.

        GONE: the platform has it no more. UNREACHABLE: the platform does not answer, or does not
        let the workspace's token see the file.
        """
        if file_id.startswith(ATTACHMENT_PREFIX):
            where = self._tokens.read(tenant, file_id)
            return FileRefusal.UNKNOWN if where is None else await self._attached(where)
        if not file_id.startswith(FILE_PREFIX) or len(file_id) > _MAX_ID_CHARS:
            return FileRefusal.UNKNOWN
        found = await self._store.open(tenant, FileId(file_id))
        if found is None:
            return FileRefusal.UNKNOWN
        kept, content = found
        return OpenedFile(kept.name, kept.media_type, kept.size_bytes, content)

    async def _attached(self, where: AttachmentRef) -> OpenedFile | FileRefusal:
        outlet = self._outlets.get(where.platform)
        bound = await self._lookup.bound_workspace(where.platform, where.workspace)
        if bound is None or outlet is None or not isinstance(outlet.sender, Downloads):
            return FileRefusal.UNKNOWN
        if bound.binding.tenant.id != where.tenant:
            # The token was right when it was made: the workspace has changed hands since.
            await self._note_violation(where)
            return FileRefusal.UNKNOWN
        try:
            return await self._fetched(where.attachment, outlet.sender, bound)
        except _TooLargeError:
            return FileRefusal.TOO_LARGE
        except SendError as exc:
            log.warning("file.refused", tenant_id=where.tenant, error=str(exc))
            gone = exc.reason is Reason.PLATFORM_REJECTED
            return FileRefusal.GONE if gone else FileRefusal.UNREACHABLE

    async def _fetched(
        self, attachment: Attachment, source: Downloads, bound: BoundWorkspace
    ) -> OpenedFile | FileRefusal:
        credential = self._credential(bound)
        limit = bound.binding.tenant.limits.file_bytes
        if (attachment.size_bytes or 0) > limit:
            return FileRefusal.TOO_LARGE
        async with AsyncExitStack() as stack:
            download = await stack.enter_async_context(source.download(attachment, credential))
            if (download.size_bytes or 0) > limit:
                return FileRefusal.TOO_LARGE
            return await _opened(attachment, download, limit, stack)

    def _credential(self, bound: BoundWorkspace) -> Credential:
        if bound.binding.tenant.status is not TenantStatus.ACTIVE:
            raise SendError(Reason.TENANT_SUSPENDED, "the tenant is suspended")
        if bound.sealed_credential is None:
            raise SendError(Reason.NOT_INSTALLED, "the workspace has no token", permanent=True)
        return self._seal.credential(bound.sealed_credential, bound.binding)

    async def _note_violation(self, where: AttachmentRef) -> None:
        self._metrics.isolation_violations.inc()
        log.error("isolation.violation", tenant_id=where.tenant, workspace=where.workspace)
        await self._record(
            AuditRecord(
                tenant=where.tenant,
                action=AuditAction.ISOLATION_VIOLATION,
                outcome="refused",
                reason=FileRefusal.UNKNOWN,
                platform=where.platform,
                workspace=where.workspace,
                direction=Direction.INBOUND,
            )
        )


async def _opened(
    attachment: Attachment, download: Download, limit_bytes: int, stack: AsyncExitStack
) -> OpenedFile:
    """Read as much as tells the type. What holds the connection passes from `stack` to the file."""
    content = _bounded(download.content, limit_bytes)
    head: list[bytes] = []
    while sum(map(len, head)) < HEAD_BYTES and (piece := await anext(content, b"")):
        head.append(piece)
    return OpenedFile(
        name=safe_name(attachment.name),
        media_type=media_type_of(b"".join(head)[:HEAD_BYTES], attachment.media_type),
        size_bytes=download.size_bytes,
        content=_joined(head, content),
        held=stack.pop_all(),
    )


async def _joined(head: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for piece in head:
        yield piece
    async for piece in rest:
        yield piece


async def _bounded(content: AsyncIterator[bytes], limit_bytes: int) -> AsyncIterator[bytes]:
    async for piece in content:
        limit_bytes -= len(piece)
        if limit_bytes < 0:
            # It said less, or nothing, of its size.
            raise _TooLargeError
        if piece:
            yield piece
