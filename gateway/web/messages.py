"""Operations on messages: send, change, remove, react, and ask what became of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, Protocol

import msgspec
from msgspec import Meta

from gateway.core.conversations import ConversationRef
from gateway.core.ids import FileId, MessageId, Platform, TenantId, WorkspaceId
from gateway.core.messages import Target
from gateway.egress.requests import (
    Content,
    Delete,
    Edit,
    React,
    Refusal,
    Submission,
    Submitted,
)
from gateway.store.ledger import MessageStatus as Recorded
from gateway.telemetry.logs import wide_event
from gateway.web.errors import ApiError
from gateway.web.models import (
    ConversationText,
    EditRequest,
    MessageRequest,
    MessageStatus,
    Queued,
    ReactionRequest,
    To,
)
from gateway.web.operations import Call, Caller, Code, Operation
from gateway.web.refusals import granted
from gateway.web.scope import check_scope

_OF_WRITES: Final = (
    Code.UNKNOWN_CONVERSATION,
    Code.KEY_REUSED,
    Code.QUEUE_FULL,
)
_OF_CHANGES: Final = (*_OF_WRITES, Code.UNKNOWN_MESSAGE)
_OF_TEXTS: Final = (Code.BLANK_TEXT, Code.MESSAGE_TOO_LONG)

SubmitMessage = Callable[[Submission], Awaitable[Submitted | Refusal]]
StatusOf = Callable[[TenantId, MessageId], Awaitable[Recorded | None]]


class ChangeMessages(Protocol):
    """Requests about messages that are there already."""

    async def edit(self, edit: Edit) -> Submitted | Refusal: ...

    async def delete(self, delete: Delete) -> Submitted | Refusal: ...

    async def react(self, react: React) -> Submitted | Refusal: ...


class FindAddress(Protocol):
    """Find the conversation with a user or a channel. Raises SendError, StoreError."""

    async def address(
        self, tenant: TenantId, platform: Platform, workspace: WorkspaceId, target: Target
    ) -> ConversationRef | Refusal: ...


class ReactionQuery(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Which emoji to take off."""

    emoji: Annotated[str, Meta(min_length=1, max_length=64)]
    conversation: ConversationText | None = None


class MessageOperations:
    """Handlers of /v1/messages."""

    def __init__(
        self,
        submit: SubmitMessage,
        changes: ChangeMessages,
        addresses: FindAddress,
        status_of: StatusOf,
    ) -> None:
        self._submit = submit
        self._changes = changes
        self._addresses = addresses
        self._status_of = status_of

    def operations(self) -> list[Operation]:
        """Describe them."""
        return [self._sending(), *self._of_one_message(), *self._of_reactions()]

    def _sending(self) -> Operation:
        of_targets = (Code.UNKNOWN_FILE, Code.UNKNOWN_TARGET, Code.PLATFORM_FAILED)
        return Operation(
            verb="POST",
            path="/v1/messages",
            name="sendMessage",
            summary="Send a message into a conversation, or to a user or channel",
            handle=self.send,
            body=MessageRequest,
            answer=Queued,
            keyed=True,
            speaks=True,
            codes=(*_OF_WRITES, *_OF_TEXTS, *of_targets),
        )

    def _of_one_message(self) -> list[Operation]:
        path = "/v1/messages/{id}"
        return [
            Operation(
                verb="GET",
                path=path,
                name="getMessage",
                summary="Tell what became of a message, or of a change to one",
                handle=self.status,
                answer=MessageStatus,
                status=200,
                codes=(Code.UNKNOWN_MESSAGE, Code.OUT_OF_SCOPE),
            ),
            Operation(
                verb="PATCH",
                path=path,
                name="editMessage",
                summary="Give a message another text",
                handle=self.edit,
                body=EditRequest,
                answer=Queued,
                keyed=True,
                speaks=True,
                codes=(*_OF_CHANGES, *_OF_TEXTS),
            ),
            Operation(
                verb="DELETE",
                path=path,
                name="deleteMessage",
                summary="Remove a message",
                handle=self.delete,
                answer=Queued,
                keyed=True,
                speaks=True,
                codes=_OF_CHANGES,
            ),
        ]

    def _of_reactions(self) -> list[Operation]:
        path = "/v1/messages/{id}/reactions"
        return [
            Operation(
                verb="POST",
                path=path,
                name="addReaction",
                summary="Put an emoji on a message, ours or anybody's",
                handle=self.react,
                body=ReactionRequest,
                answer=Queued,
                keyed=True,
                speaks=True,
                codes=_OF_CHANGES,
            ),
            Operation(
                verb="DELETE",
                path=path,
                name="removeReaction",
                summary="Take an emoji of ours off a message",
                handle=self.unreact,
                query=ReactionQuery,
                answer=Queued,
                keyed=True,
                speaks=True,
                codes=_OF_CHANGES,
            ),
        ]

    async def send(self, call: Call[MessageRequest]) -> Queued:
        """Take a message. A repeat of the same key gives the first answer."""
        body = call.body
        check_scope(call.caller, body.conversation)
        conversation = body.conversation or await self._address(call.caller, body.to)
        submission = Submission(
            tenant=call.caller.tenant,
            conversation=conversation,
            content=Content(
                markdown=body.text,
                components=body.components,
                files=tuple(FileId(each) for each in body.files),
                raw=body.raw,
                visible_to=body.visible_to,
                reply_to=body.reply_to,
            ),
            idempotency_key=call.key,
        )
        return queued(call.caller, "message", granted(await self._submit(submission)))

    async def status(self, call: Call[msgspec.Struct]) -> MessageStatus:
        """Answer from the ledger, where a message is kept for seven days."""
        found = await self._recorded(call)
        return MessageStatus(
            id=found.id,
            conversation=found.conversation,
            status=found.state,
            parts=found.parts,
            platform_ids=tuple(found.platform_ids),
            reason=found.reason,
            detail=found.detail,
            degraded=found.degraded,
        )

    async def edit(self, call: Call[EditRequest]) -> Queued:
        """Take an edit."""
        await self._check_scope_of_message(call)
        body = call.body
        edit = Edit(
            tenant=call.caller.tenant,
            message=MessageId(call.id),
            content=Content(markdown=body.text, components=body.components, raw=body.raw),
            idempotency_key=call.key,
        )
        return queued(call.caller, "edit", granted(await self._changes.edit(edit)))

    async def delete(self, call: Call[msgspec.Struct]) -> Queued:
        """Take a removal."""
        await self._check_scope_of_message(call)
        delete = Delete(
            tenant=call.caller.tenant, message=MessageId(call.id), idempotency_key=call.key
        )
        return queued(call.caller, "delete", granted(await self._changes.delete(delete)))

    async def react(self, call: Call[ReactionRequest]) -> Queued:
        """Take a reaction."""
        return await self._react(call, call.body.emoji, call.body.conversation, remove=False)

    async def unreact(self, call: Call[ReactionQuery]) -> Queued:
        """Take a reaction back."""
        return await self._react(call, call.body.emoji, call.body.conversation, remove=True)

    async def _react(
        self, call: Call[msgspec.Struct], emoji: str, conversation: str | None, *, remove: bool
    ) -> Queued:
        if conversation is None:
            await self._check_scope_of_message(call)
        else:
            check_scope(call.caller, conversation)
        react = React(
            tenant=call.caller.tenant,
            conversation=conversation,
            target=call.id,
            emoji=emoji,
            remove=remove,
            idempotency_key=call.key,
        )
        return queued(call.caller, "reaction", granted(await self._changes.react(react)))

    async def _address(self, caller: Caller, to: To | None) -> str:
        # None is what the type allows; the request's own check has refused it.
        target = Target(user=to.user, channel=to.channel) if to else Target()
        platform = to.platform if to else Platform.SLACK
        workspace = WorkspaceId(to.workspace if to else "")
        found = await self._addresses.address(caller.tenant, platform, workspace, target)
        return granted(found).id

    async def _recorded(self, call: Call[msgspec.Struct]) -> Recorded:
        found = await self._status_of(call.caller.tenant, MessageId(call.id))
        if found is None:
            raise ApiError(Code.UNKNOWN_MESSAGE, "no such message of yours", field="id")
        check_scope(call.caller, found.conversation)
        return found

    async def _check_scope_of_message(self, call: Call[msgspec.Struct]) -> None:
        if call.caller.scope is not None:
            await self._recorded(call)


def queued(caller: Caller, request: str, result: Submitted) -> Queued:
    """Tell of what was stored."""
    wide_event(
        "request.queued",
        request=request,
        tenant_id=caller.tenant,
        message_id=result.id,
        conversation=result.conversation,
        parts=result.parts,
        repeated=result.repeated,
    )
    return Queued(
        id=result.id, conversation=result.conversation, parts=result.parts, status="queued"
    )
