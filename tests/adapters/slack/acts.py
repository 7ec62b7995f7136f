"""Acts of an agent in the team of the tests, and what becomes of those that fail."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest

from gateway.core.conversations import ConversationRef
from gateway.core.deliveries import Reason
from gateway.core.errors import SendError
from gateway.core.ids import MessageId, Platform, WorkspaceId
from gateway.core.messages import MessageEdit, OutboundMessage, ReactionChange, SentRef
from gateway.core.tenants import Credential
from gateway.sandbox.slack import ApiError, Fault, HttpStatus, RateLimited, ResetAfter, ResetBefore
from tests.adapters.slack.conftest import CHANNEL, TEAM

BOT = Credential(bot_token=f"xoxb-{TEAM}")

Verdict = tuple[Reason, bool, bool, float | None]
"""Reason, permanent, ambiguous, seconds to wait: the part of a fault that decides what follows."""

HARMLESS_FAULTS: list[tuple[Fault, Verdict]] = [
    (RateLimited(retry_after_s=7), (Reason.PLATFORM_RATE_LIMITED, False, False, 7.0)),
    (ApiError("internal_error"), (Reason.PLATFORM_ERROR, False, False, None)),
    (ApiError("token_revoked"), (Reason.NOT_INSTALLED, True, False, None)),
    (HttpStatus(503), (Reason.PLATFORM_ERROR, False, False, None)),
    (ResetBefore(), (Reason.PLATFORM_UNREACHABLE, False, False, None)),
    (ResetAfter(), (Reason.PLATFORM_UNREACHABLE, False, False, None)),
]
"""What calls that may be repeated make of faults: nothing is ambiguous."""


def place(thread: str | None = None, *, channel: str = CHANNEL) -> ConversationRef:
    """A conversation of the team."""
    return ConversationRef(
        platform=Platform.SLACK, workspace=WorkspaceId(TEAM), channel=channel, thread=thread
    )


def message(
    thread: str | None = None, *, part: int = 1, channel: str = CHANNEL, text: str = "*hi*"
) -> OutboundMessage:
    """An answer to a conversation of the team."""
    where = place(thread, channel=channel)
    return OutboundMessage(id=MessageId("msg_0000"), conversation=where, text=text, part=part)


def edit(text: str = "better") -> MessageEdit:
    """A change of the first part of an earlier message."""
    return MessageEdit(
        id=MessageId("msg_0001"),
        conversation=place(),
        target=MessageId("msg_0000"),
        target_part=1,
        text=text,
    )


def reaction(emoji: str, *, remove: bool = False) -> ReactionChange:
    """An emoji for some message."""
    return ReactionChange(
        id=MessageId("msg_0002"),
        conversation=place(),
        target="msg_0000",
        emoji=emoji,
        remove=remove,
    )


def standing(ts: str, *, channel: str = CHANNEL) -> SentRef:
    """A message on the platform."""
    return SentRef(conversation=place(channel=channel), id=ts)


def verdict(error: SendError) -> Verdict:
    """What decides what happens next."""
    return (error.reason, error.permanent, error.ambiguous, error.retry_after_s)


async def failure(attempt: Awaitable[object]) -> SendError:
    """The fault in which an attempt ends."""
    with pytest.raises(SendError) as caught:
        await attempt
    return caught.value
