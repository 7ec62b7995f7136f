"""Operations on streams: messages that grow while people read them."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from gateway.core.ids import MessageId, TenantId
from gateway.egress.requests import Appended as Grown
from gateway.egress.requests import Content, Refusal, Submitted
from gateway.web.messages import StatusOf, queued
from gateway.web.models import (
    Appended,
    AppendRequest,
    FinishRequest,
    Nothing,
    Queued,
    StreamRequest,
)
from gateway.web.operations import Call, Code, Operation
from gateway.web.refusals import granted
from gateway.web.scope import check_scope

_OF_STREAMS: Final = (
    Code.UNKNOWN_CONVERSATION,
    Code.QUEUE_FULL,
)
_OF_OPEN_STREAMS: Final = (*_OF_STREAMS, Code.UNKNOWN_MESSAGE, Code.STREAM_CLOSED)


class WriteStreams(Protocol):
    """Requests about streams. Each raises StoreError, QueueFullError."""

    async def open(
        self, tenant: TenantId, conversation: str, recipient: str | None, idempotency_key: str
    ) -> Submitted | Refusal: ...

    async def append(
        self,
        tenant: TenantId,
        stream: MessageId,
        *,
        text: str | None,
        delta: str | None,
        offset: int,
    ) -> Grown | Refusal: ...

    async def finish(
        self, tenant: TenantId, stream: MessageId, content: Content | None, idempotency_key: str
    ) -> Submitted | Refusal: ...

    async def abort(
        self, tenant: TenantId, stream: MessageId, idempotency_key: str
    ) -> Submitted | Refusal: ...


class StreamOperations:
    """Handlers of /v1/streams."""

    def __init__(self, streams: WriteStreams, status_of: StatusOf) -> None:
        self._streams = streams
        self._status_of = status_of

    def operations(self) -> list[Operation]:
        """Describe them."""
        return [*self._growing(), *self._ending()]

    def _growing(self) -> list[Operation]:
        return [
            Operation(
                verb="POST",
                path="/v1/streams",
                name="openStream",
                summary="Begin a message that will grow",
                handle=self.open,
                body=StreamRequest,
                answer=Queued,
                keyed=True,
                speaks=True,
                codes=(*_OF_STREAMS, Code.KEY_REUSED),
            ),
            Operation(
                verb="POST",
                path="/v1/streams/{id}/append",
                name="appendToStream",
                summary="Show more of it",
                handle=self.append,
                speaks=True,
                body=AppendRequest,
                answer=Appended,
                status=200,
                codes=(*_OF_OPEN_STREAMS, Code.OFFSET_MISMATCH, Code.MESSAGE_TOO_LONG),
            ),
        ]

    def _ending(self) -> list[Operation]:
        of_ends = (*_OF_OPEN_STREAMS, Code.KEY_REUSED)
        return [
            Operation(
                verb="POST",
                path="/v1/streams/{id}/finish",
                name="finishStream",
                summary="End it with its whole text",
                handle=self.finish,
                body=FinishRequest,
                answer=Queued,
                keyed=True,
                speaks=True,
                codes=(*of_ends, Code.BLANK_TEXT, Code.MESSAGE_TOO_LONG),
            ),
            Operation(
                verb="POST",
                path="/v1/streams/{id}/abort",
                name="abortStream",
                summary="End it, and remove what was shown",
                handle=self.abort,
                body=Nothing,
                answer=Queued,
                keyed=True,
                speaks=True,
                codes=of_ends,
            ),
        ]

    async def open(self, call: Call[StreamRequest]) -> Queued:
        """Take the beginning of a stream."""
        check_scope(call.caller, call.body.conversation)
        opened = await self._streams.open(
            call.caller.tenant, call.body.conversation, call.body.recipient, call.key
        )
        return queued(call.caller, "stream", granted(opened))

    async def append(self, call: Call[AppendRequest]) -> Appended:
        """Take more text. Repeats are harmless."""
        await self._check_scope(call)
        body = call.body
        grown = await self._streams.append(
            call.caller.tenant,
            MessageId(call.id),
            text=body.text,
            delta=body.delta,
            offset=body.offset or 0,
        )
        return Appended(id=call.id, length=granted(grown).length)

    async def finish(self, call: Call[FinishRequest]) -> Queued:
        """Take the end of a stream; without a text or components it keeps what it has."""
        await self._check_scope(call)
        body = call.body
        content = None
        if body.text is not None or body.components:
            content = Content(markdown=body.text or "", components=body.components)
        finished = await self._streams.finish(
            call.caller.tenant, MessageId(call.id), content, call.key
        )
        return queued(call.caller, "finish", granted(finished))

    async def abort(self, call: Call[Nothing]) -> Queued:
        """End a stream before its time."""
        await self._check_scope(call)
        aborted = await self._streams.abort(call.caller.tenant, MessageId(call.id), call.key)
        return queued(call.caller, "abort", granted(aborted))

    async def _check_scope(self, call: Call[msgspec.Struct]) -> None:
        if call.caller.scope is None:
            return
        found = await self._status_of(call.caller.tenant, MessageId(call.id))
        check_scope(call.caller, found.conversation if found else None)
