"""Messages that grow in Slack. Retries nothing, and keeps nothing: what has been said so far is for
the caller to know.

Slack ends a stream about five minutes after its begin, whatever is added meanwhile:
https://github.com/slackapi/python-slack-sdk/issues/1859
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection
from functools import partial
from typing import Final

from adapters.slack.errors import lookup_error
from adapters.slack.fields import Fields
from adapters.slack.inbound_context import kind_of_channel
from adapters.slack.inbound_lifecycle import stop_key
from adapters.slack.marking import carries, is_marked, metadata_of
from adapters.slack.outbound import update_call
from adapters.slack.posts import SlackPosts, sent
from adapters.slack.presence import SlackPresence
from adapters.slack.raw_markdown import defused_piece
from adapters.slack.tiers import kept_of
from adapters.slack.web_api import WebApi
from adapters.slack.writing import Json, written
from gateway.core.capabilities import Ability
from gateway.core.clock import utc_now
from gateway.core.deliveries import Reason
from gateway.core.errors import (
    BudgetSpentError,
    SendError,
    StreamEndedError,
    StreamRefusedError,
)
from gateway.core.events import EventKind, InboundEvent
from gateway.core.events import Sender as Person
from gateway.core.ids import EventId
from gateway.core.messages import (
    MessageEdit,
    OutboundMessage,
    SentMessage,
    SentRef,
    StreamFinish,
    StreamStart,
)
from gateway.core.streaming import Key
from gateway.core.tenants import Credential

LASTS_S: Final = 240.0
"""With the time that it takes to begin another, well below the five minutes."""

MOST_CHARS: Final = 3_000
"""Rendered at its end it is still one message (outbound.MAX_MARKDOWN_CHARS), and an edit holds all
of its text for notifications, too.
"""

_log = logging.getLogger(__name__)

_ENDED: Final = "message_not_in_streaming_state"
_STOPPED: Final = "stopped_by_user"
_USER = re.compile(r"[UW][A-Z0-9]{1,63}")
_TEAM = re.compile(r"T[A-Z0-9]{1,63}")


class SlackStreams:
    """Streams."""

    def __init__(self, api: WebApi, posts: SlackPosts, presence: SlackPresence) -> None:
        self._api = api
        self._posts = posts
        self._presence = presence

    async def start(self, start: StreamStart, text: str, credential: Credential) -> SentMessage:
        """Begin with `text`. Raises SendError; StreamRefusedError where Slack lets nothing grow:
        outside of threads, in channels for nobody in particular, or not so soon again.

        https://docs.slack.dev/reference/methods/chat.startStream
        """
        body = _start_call(start)
        if text:
            body["markdown_text"] = defused_piece(text)
        try:
            answer = await self._api.write("chat.startStream", credential, body)
        except SendError as exc:
            raise await self._refusal(exc, credential) from exc
        begun = sent(answer.id("ts"))
        await self._show_work(start, credential)
        return begun

    async def find_start(
        self, start: StreamStart, known: Collection[str], credential: Credential
    ) -> SentMessage | None:
        """Look for a message that was begun, or posted in its stead.

        While it grows it has no metadata: it is the bot's only message since then that has none and
        is not `known`. Raises SendError as SlackPosts.find_sent; permanent also when there are two
        of the kind.
        """
        sought = OutboundMessage(
            id=start.id,
            conversation=start.conversation,
            part=start.part,
            text="",
            created_at=start.created_at,
        )
        try:
            bot = credential.bot_user or await self._bot(credential)
            found: list[str] = []
            async for candidate in self._posts.candidates(sought, credential):
                if carries(candidate, sought.marker):
                    return _posted(sent(candidate.id("ts")))
                if _is_bare(candidate, bot) and candidate.id("ts") not in known:
                    found.append(candidate.id("ts"))
        except SendError as exc:
            raise lookup_error(exc) from exc
        if len(found) > 1:
            detail = "two messages grow there, and one is not this"
            raise SendError(Reason.OUTCOME_UNKNOWN, detail, permanent=True)
        return sent(found[0]) if found else None

    async def append(self, ref: SentRef, text: str, credential: Credential) -> None:
        """Add `text`. Raises SendError; StreamEndedError when it grows no more.

        https://docs.slack.dev/reference/methods/chat.appendStream
        """
        body = {
            "channel": ref.conversation.channel,
            "ts": ref.id,
            "markdown_text": defused_piece(text),
        }
        try:
            await self._api.write("chat.appendStream", credential, body)
        except SendError as exc:
            if exc.detail in {_ENDED, _STOPPED}:
                raise StreamEndedError(exc.detail, by_user=exc.detail == _STOPPED) from exc
            raise

    async def finish(self, finish: StreamFinish, ref: SentRef, key: Key) -> SentMessage:
        """End it, and set its whole text: what was added is Markdown as the agent wrote it, and
        what stays is rendered as in any other message. Raises SendError; StreamEndedError when a
        user ended it; what `key` raises.

        https://docs.slack.dev/reference/methods/chat.stopStream
        """
        metadata = metadata_of(finish.marker, finish.conversation)
        place = {"channel": ref.conversation.channel, "ts": ref.id}
        try:
            await self._api.repeat(
                "chat.stopStream", key(), place | {"metadata": metadata}, excused={_ENDED}
            )
        except SendError as exc:
            if exc.detail == _STOPPED:
                raise StreamEndedError(_STOPPED, by_user=True) from exc
            raise
        edit = _as_edit(finish)

        async def update(body: Json) -> Fields:
            return await self._api.repeat("chat.update", key(), body | {"metadata": metadata})

        answer = await written(edit, partial(update_call, edit, ref), update)
        return sent(answer.id("ts") or ref.id)

    def stopped(self, ref: SentRef, user: str | None) -> InboundEvent:
        """Make the event that Slack may send too, as agent_session_stopped, naming who it was."""
        where = ref.conversation
        key = stop_key(where.channel, ref.id)
        return InboundEvent(
            id=EventId(key),
            kind=EventKind.AGENT_STOPPED,
            conversation=where,
            conversation_kind=kind_of_channel(where.channel),
            sender=Person(id=user or ""),
            message_id=where.thread or ref.id,
            dedupe_keys=(key,),
            received_at=utc_now(),
            platform_kind=_STOPPED,
        )

    async def _refusal(self, error: SendError, credential: Credential) -> SendError:
        """Tell what can be done instead: whatever the reason was, a post tells it better."""
        if error.ambiguous:
            return error
        if error.reason is Reason.PLATFORM_REJECTED:
            return StreamRefusedError(error.detail)
        if error.reason is not Reason.PLATFORM_RATE_LIMITED:
            return error
        try:
            await self._api.reserve("chat.update", credential, keep=kept_of("chat.update"))
        except BudgetSpentError:
            return StreamRefusedError(error.detail, may_edit=False)
        return StreamRefusedError(error.detail)

    async def _show_work(self, start: StreamStart, credential: Credential) -> None:
        """Give people a button that stops it; chat.stopStream takes it away."""
        if not self._presence.has_sessions:
            return
        try:
            await self._presence.typing(start.conversation, credential, on=True)
        except SendError as exc:
            _log.info("a session's status could not be set: %s", exc)

    async def _bot(self, credential: Credential) -> str:
        """https://docs.slack.dev/reference/methods/auth.test"""
        return (await self._api.read("auth.test", credential, {})).id("user_id")


def _start_call(start: StreamStart) -> dict[str, object]:
    """Return the body of chat.startStream. Raises StreamRefusedError."""
    where = start.conversation
    if where.thread is None:
        raise StreamRefusedError("outside of threads")
    body: dict[str, object] = {"channel": where.channel, "thread_ts": where.thread}
    if _USER.fullmatch(start.recipient or "") and _TEAM.fullmatch(where.workspace):
        return body | {
            "recipient_team_id": where.workspace,
            "recipient_user_id": start.recipient,
        }
    if where.channel.startswith("D"):
        return body
    raise StreamRefusedError("recipient: is not known, as it must be in channels")


def _is_bare(candidate: Fields, bot: str) -> bool:
    ours = bool(bot) and candidate.id("user") == bot
    return ours and not (is_marked(candidate) or candidate.id("subtype") or "files" in candidate)


def _posted(found: SentMessage) -> SentMessage:
    return SentMessage(id=found.id, sent_at=found.sent_at, degraded=Ability.STREAMS)


def _as_edit(finish: StreamFinish) -> MessageEdit:
    return MessageEdit(
        id=finish.id,
        conversation=finish.conversation,
        target=finish.id,
        target_part=finish.part,
        text=finish.text,
        components=finish.components,
        raw=finish.raw,
    )
