"""Posts messages to Slack and finds them again. Retries nothing: the delivery engine does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

from adapters.slack.errors import lookup_error, unreadable_answer
from adapters.slack.fields import Fields
from adapters.slack.inbound import sent_at
from adapters.slack.marking import carries
from adapters.slack.outbound import (
    post_ephemeral_call,
    post_message_call,
    thread_of,
)
from adapters.slack.web_api import WebApi
from adapters.slack.writing import written
from gateway.core.clock import utc_now
from gateway.core.deliveries import Reason
from gateway.core.errors import SendError
from gateway.core.messages import OutboundMessage, SentMessage
from gateway.core.tenants import Credential

# For clocks apart: ours says when the message was accepted, Slack's when it was posted.
_CLOCKS_APART_S = 300
_LOOKBACK_S = 25 * 3600
_PAGE_SIZE = 200
_MAX_PAGES = 5


class SlackPosts:
    """Sender and Readback."""

    def __init__(self, api: WebApi) -> None:
        self._api = api

    async def send(self, message: OutboundMessage, credential: Credential) -> SentMessage:
        """Post `message`, or show it to the one user it is for. Raises SendError.

        https://docs.slack.dev/reference/methods/chat.postMessage
        https://docs.slack.dev/reference/methods/chat.postEphemeral
        """
        if message.visible_to is None:
            method, made, field = "chat.postMessage", post_message_call, "ts"
        else:
            method, made, field = "chat.postEphemeral", post_ephemeral_call, "message_ts"
        call = partial(self._api.write, method, credential)
        answer = await written(message, partial(made, message), call)
        return sent(answer.id(field))

    async def find_sent(
        self, message: OutboundMessage, credential: Credential
    ) -> SentMessage | None:
        """Look for the message that carries our marker in its metadata.

        Raises SendError: permanent with OUTCOME_UNKNOWN when it cannot be known, for want of a
        scope for example; else worth another try, and still ambiguous.
        https://docs.slack.dev/messaging/message-metadata
        """
        if message.visible_to is not None:
            # It stands in no history: nobody but its reader could tell.
            detail = "what only one user sees cannot be looked up"
            raise SendError(Reason.OUTCOME_UNKNOWN, detail, permanent=True)
        try:
            return await self._find(message, credential)
        except SendError as exc:
            raise lookup_error(exc) from exc

    async def candidates(
        self, message: OutboundMessage, credential: Credential
    ) -> AsyncIterator[Fields]:
        """List what stands where `message` would stand, since it was accepted. Raises SendError,
        permanent when there is too much of it.
        """
        method, query = _lookup(message)
        for _ in range(_MAX_PAGES):
            page = await self._api.read(method, credential, query)
            if "messages" not in page:
                raise unreadable_answer("the answer lists no messages")
            for candidate in page.children("messages"):
                if candidate.id("ts"):
                    yield candidate
            cursor = page.child("response_metadata").text("next_cursor")
            if not cursor:
                return
            query["cursor"] = cursor
        raise SendError(Reason.OUTCOME_UNKNOWN, "too many messages to look through", permanent=True)

    async def _find(self, message: OutboundMessage, credential: Credential) -> SentMessage | None:
        async for candidate in self.candidates(message, credential):
            if carries(candidate, message.marker):
                return sent(candidate.id("ts"))
        return None


def sent(ts: str) -> SentMessage:
    """Return what Slack has. Raises SendError when it gave no `ts`."""
    if not ts:
        raise unreadable_answer("the answer names no ts")
    return SentMessage(id=ts, sent_at=sent_at(ts))


def _lookup(message: OutboundMessage) -> tuple[str, dict[str, str]]:
    """Return the method and the query that list what stands where `message` would stand."""
    query = {
        "channel": message.conversation.channel,
        "include_all_metadata": "true",
        "oldest": f"{_oldest_s(message):.6f}",
        "limit": str(_PAGE_SIZE),
    }
    thread = thread_of(message)
    if thread is None:
        return "conversations.history", query
    return "conversations.replies", query | {"ts": thread}


def _oldest_s(message: OutboundMessage) -> float:
    if message.created_at is None:
        return utc_now().timestamp() - _LOOKBACK_S
    # Not an age from now: a dead letter may be replayed after days.
    return message.created_at.timestamp() - _CLOCKS_APART_S
