"""The agent API over a real socket, with nothing behind it that could fail by itself."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

import aiohttp
import msgspec
import pytest

from adapters.slack.capabilities import CAPABILITIES
from gateway.core.conversations import ConversationRef
from gateway.core.files import FileRefusal, KeptFile, OpenedFile
from gateway.core.ids import ConversationId, FileId, MessageId, Platform, TenantId, WorkspaceId
from gateway.core.messages import Target
from gateway.egress.requests import (
    Appended,
    Content,
    Delete,
    Edit,
    React,
    Refusal,
    Submission,
    Submitted,
)
from gateway.store.ledger import MessageState, MessageStatus
from gateway.store.tenants import KeyHolder
from gateway.telemetry.metrics import Metrics
from gateway.web.agent_api import AgentApi
from gateway.web.files import FileOperations
from gateway.web.messages import MessageOperations
from gateway.web.operations import Caller, Operation
from gateway.web.presence import PresenceOperations
from gateway.web.reading import BODY_WITHIN_S, CHUNK_WITHIN_S
from gateway.web.server import IDLE_FOR_S, MOST_CONNECTIONS, Address, listening
from gateway.web.streams import StreamOperations

HERE = "slack:T0ACME:C0AAAA"
THERE = "slack:T0ACME:C0BBBB"
TOKEN = "cgr_good"
GOOD = {"conversation": HERE, "text": "hello"}
KEYS = {"cgk_acme-key": TenantId("acme"), "cgk_globex-key": TenantId("globex")}


SENT = Submitted(id=MessageId("msg_1"), conversation=ConversationId(HERE), parts=1, repeated=False)
STATUS = MessageStatus(
    id=MessageId("msg_1"),
    conversation=ConversationId(HERE),
    parts=2,
    state=MessageState.FAILED,
    platform_ids=["1700000000.000100", None],
    reason="platform_rejected",
    detail="channel_not_found",
)

KEPT = KeptFile(
    id=FileId("file_1"),
    tenant=TenantId("acme"),
    name="report.pdf",
    media_type="application/pdf",
    size_bytes=3,
    sha256="0" * 64,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)

Asked: TypeAlias = Submission | Edit | Delete | React | tuple[object, ...]


@dataclass
class House:
    """What stands behind the API: takes everything until it is told otherwise."""

    answer: Submitted | Refusal | Exception = SENT
    status: MessageStatus | None = STATUS
    file: OpenedFile | FileRefusal | None = None
    keys_fault: Exception | None = None
    may_speak: bool = True
    chunk_within_s: float = CHUNK_WITHIN_S
    seen: list[Asked] = field(default_factory=list)

    async def holder_of_key(self, key: str) -> KeyHolder | None:
        if self.keys_fault is not None:
            raise self.keys_fault
        tenant = KEYS.get(key)
        return None if tenant is None else KeyHolder(tenant=tenant, may_speak=self.may_speak)

    def read_token(self, token: str) -> Caller | None:
        return Caller(TenantId("acme"), ConversationId(HERE)) if token == TOKEN else None

    async def submit(self, submission: Submission) -> Submitted | Refusal:
        return self._asked(submission)

    async def edit(self, edit: Edit) -> Submitted | Refusal:
        return self._asked(edit)

    async def delete(self, delete: Delete) -> Submitted | Refusal:
        return self._asked(delete)

    async def react(self, react: React) -> Submitted | Refusal:
        return self._asked(react)

    async def address(
        self, tenant: TenantId, platform: Platform, workspace: WorkspaceId, target: Target
    ) -> ConversationRef | Refusal:
        found = self._asked(("address", tenant, platform, workspace, target))
        if isinstance(found, Refusal):
            return found
        return ConversationRef(platform=platform, workspace=workspace, channel="D0AAAA")

    async def open(
        self, tenant: TenantId, conversation: str, recipient: str | None, idempotency_key: str
    ) -> Submitted | Refusal:
        return self._asked(("open", tenant, conversation, recipient, idempotency_key))

    async def append(
        self,
        tenant: TenantId,
        stream: MessageId,
        *,
        text: str | None,
        delta: str | None,
        offset: int,
    ) -> Appended | Refusal:
        taken = self._asked(("append", tenant, stream, text, delta, offset))
        return taken if isinstance(taken, Refusal) else Appended(length=7)

    async def finish(
        self, tenant: TenantId, stream: MessageId, content: Content | None, idempotency_key: str
    ) -> Submitted | Refusal:
        return self._asked(("finish", tenant, stream, content, idempotency_key))

    async def abort(
        self, tenant: TenantId, stream: MessageId, idempotency_key: str
    ) -> Submitted | Refusal:
        return self._asked(("abort", tenant, stream, idempotency_key))

    async def hold(self, tenant: TenantId, conversation: str, *, for_s: float) -> Refusal | None:
        held = self._asked(("hold", tenant, conversation, for_s))
        return held if isinstance(held, Refusal) else None

    async def release(self, tenant: TenantId, conversation: str) -> Refusal | None:
        released = self._asked(("release", tenant, conversation))
        return released if isinstance(released, Refusal) else None

    async def status_of(self, tenant: TenantId, message: MessageId) -> MessageStatus | None:
        return self.status if tenant == "acme" and message == "msg_1" else None

    async def keep(
        self,
        tenant: TenantId,
        name: str | None,
        declared_type: str | None,
        content: AsyncIterator[bytes],
        *,
        idempotency_key: str,
    ) -> KeptFile | FileRefusal:
        if isinstance(self.file, FileRefusal):
            return self.file
        body = b"".join([chunk async for chunk in content])
        self.seen.append(("keep", tenant, name, declared_type, body, idempotency_key))
        return msgspec.structs.replace(KEPT, size_bytes=len(body))

    async def open_file(self, tenant: TenantId, file_id: str) -> OpenedFile | FileRefusal:
        self.seen.append(("open_file", tenant, file_id))
        return self.file or FileRefusal.UNKNOWN

    def operations(self) -> list[Operation]:
        """All that the API has, over this house."""
        messages = MessageOperations(self.submit, self, self, self.status_of)
        streams = StreamOperations(self, self.status_of)
        presence = PresenceOperations(self, {Platform.SLACK: CAPABILITIES})
        files = FileOperations(self.keep, self.open_file, chunk_within_s=self.chunk_within_s)
        return [
            *messages.operations(),
            *streams.operations(),
            *presence.operations(),
            *files.operations(),
        ]

    def _asked(self, request: Asked) -> Submitted | Refusal:
        self.seen.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def error(self) -> dict[str, str]:
        """The error body. It holds `error` and nothing else."""
        body = json.loads(self.text)
        assert ["error"] == list(body)
        assert "application/json" == self.headers["Content-Type"].partition(";")[0]
        return dict(body["error"])


@dataclass(frozen=True)
class Client:
    """An agent."""

    session: aiohttp.ClientSession
    url: str
    house: House
    metrics: Metrics

    async def send(
        self,
        body: bytes | str | Mapping[str, object] | None = None,
        *,
        method: str = "POST",
        path: str = "/v1/messages",
        key: str | None = "cgk_acme-key",
        idempotency: str | None = "key-1",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send a request; what is left out is right."""
        data = json.dumps(GOOD if body is None else body) if not _is_raw(body) else body
        sent = {"Content-Type": "application/json", **(headers or {})}
        if key is not None:
            sent.setdefault("Authorization", f"Bearer {key}")
        if idempotency is not None:
            sent.setdefault("Idempotency-Key", idempotency)
        async with self.session.request(
            method, f"{self.url}{path}", data=data, headers=sent
        ) as response:
            return Answer(response.status, dict(response.headers), await response.text())


def _is_raw(body: object) -> bool:
    return isinstance(body, bytes | str)


@asynccontextmanager
async def serving(
    house: House,
    *,
    body_within_s: float = BODY_WITHIN_S,
    idle_for_s: float = IDLE_FOR_S,
    most: int = MOST_CONNECTIONS,
) -> AsyncIterator[Client]:
    """Run the API; who is slower than `body_within_s` is cut off."""
    metrics = Metrics()
    app = AgentApi(
        house.holder_of_key,
        house.read_token,
        house.operations(),
        metrics,
        body_within_s=body_within_s,
    ).application()
    async with (
        listening(app, Address("127.0.0.1", 0, "test"), most=most, idle_for_s=idle_for_s) as port,
        aiohttp.ClientSession() as session,
    ):
        yield Client(session, f"http://127.0.0.1:{port}", house, metrics)


@pytest.fixture
async def agent() -> AsyncIterator[Client]:
    """An agent of acme's, and the API with nothing wrong behind it."""
    async with serving(House()) as client:
        yield client
