"""Operations on messages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from gateway.egress.submit import Refusal, Submission, Submitted
from gateway.web.models import MessageRequest, Queued
from gateway.web.operations import Call, Code, Operation
from gateway.web.refusals import granted

log = structlog.get_logger()

SubmitMessage = Callable[[Submission], Awaitable[Submitted | Refusal]]


class MessageOperations:
    """Send messages."""

    def __init__(self, submit: SubmitMessage) -> None:
        self._submit = submit

    def operations(self) -> list[Operation]:
        """Describe them."""
        return [
            Operation(
                verb="POST",
                path="/v1/messages",
                name="sendMessage",
                summary="Send a message",
                handle=self.send,
                body=MessageRequest,
                answer=Queued,
                keyed=True,
                codes=(
                    Code.UNKNOWN_CONVERSATION,
                    Code.KEY_REUSED,
                    Code.MESSAGE_TOO_LONG,
                    Code.BLANK_TEXT,
                    Code.QUEUE_FULL,
                ),
            )
        ]

    async def send(self, call: Call[MessageRequest]) -> Queued:
        """Take a message. A repeat of the same key gives the first answer."""
        submission = Submission(
            tenant=call.caller.tenant,
            conversation=call.body.conversation or "",
            markdown=call.body.text,
            idempotency_key=call.key,
        )
        return queued(call, granted(await self._submit(submission)))


def queued(call: Call[MessageRequest], result: Submitted) -> Queued:
    """Tell of what was stored."""
    log.info(
        "message.submitted",
        tenant_id=call.caller.tenant,
        message_id=result.id,
        conversation=result.conversation,
        parts=result.parts,
        repeated=result.repeated,
    )
    return Queued(
        id=result.id, conversation=result.conversation, parts=result.parts, status="queued"
    )
