"""Begins messages that grow, or posts those that cannot; and finds what an earlier attempt may have
begun, before anything is begun again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from gateway.core.clock import unix_ms
from gateway.core.conversations import ConversationRef
from gateway.core.errors import SendError, StreamRefusedError
from gateway.core.ids import MessageId, TenantId
from gateway.core.messages import SentMessage, StreamFinish, StreamFlush, StreamStart
from gateway.core.streaming import Streams
from gateway.egress.access import Door
from gateway.egress.composing import PLACEHOLDER, rendered
from gateway.egress.looking import LookUp, as_post
from gateway.egress.segments import opening
from gateway.store.streams import Progress, Standing, StreamTexts


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream during one attempt at `act`; `id` is the gateway's id of it."""

    tenant: TenantId
    id: MessageId
    act: StreamStart | StreamFlush | StreamFinish
    progress: Progress
    door: Door

    @property
    def conversation(self) -> ConversationRef:
        """Where it stands."""
        return self.act.conversation


class Beginning:
    """Begins. What is about to be done is noted first: a crash leaves a question, never a guess."""

    def __init__(
        self, texts: StreamTexts, look_up: LookUp, now_ms: Callable[[], int] = unix_ms
    ) -> None:
        self._texts = texts
        self._look_up = look_up
        self._now_ms = now_ms

    async def __call__(self, stream: Stream, standing: Standing) -> Standing | None:
        """Begin the message that is next; None when it is better posted at its end, whole. Raises
        SendError, StoreError.
        """
        standing = msgspec.structs.replace(standing, attempted=True)
        await self._texts.stand(stream.tenant, stream.id, standing)
        untried = msgspec.structs.replace(standing, attempted=False)
        try:
            begun = await self._begin(stream, untried)
        except SendError as exc:
            if not exc.ambiguous:
                await self._texts.stand(stream.tenant, stream.id, untried)
            raise
        if begun is None:
            await self._texts.stand(stream.tenant, stream.id, untried)
        return begun

    async def found(self, stream: Stream, standing: Standing) -> Standing | None:
        """Find the message that an earlier attempt may have begun; None when there is none. Raises
        SendError: then it is not known.
        """
        if standing.id:
            return standing
        sent = await self.looked_up(stream, standing)
        if sent is None:
            return None
        grows = not sent.degraded
        return await self._begun(stream, standing, sent, grows=grows, doubt=grows)

    async def looked_up(self, stream: Stream, standing: Standing) -> SentMessage | None:
        """Look for it on the platform alone. Raises SendError."""
        known = await self._texts.known(stream.tenant, stream.conversation)
        return await self._look_up.start(_start_of(stream, standing), known, stream.door)

    async def _begin(self, stream: Stream, standing: Standing) -> Standing | None:
        sender, start = stream.door.outlet.sender, _start_of(stream, standing)
        if isinstance(sender, Streams):
            text, began_ms = stream.progress.text, self._now_ms()
            upto = min(len(text), standing.base + sender.stream_chars)
            piece = opening(text[: standing.base]) + text[standing.base : upto]
            try:
                sent = await sender.start(start, piece, stream.door.credential)
            except StreamRefusedError as exc:
                if not exc.may_edit:
                    return None
            else:
                standing = msgspec.structs.replace(standing, shown=upto, began_ms=began_ms)
                return await self._begun(stream, standing, sent, grows=True)
        post = as_post(start, await preview_of(stream, standing))
        sent = await sender.send(post, stream.door.credential)
        begun = await self._begun(stream, standing, sent, grows=False)
        await self._texts.shown(stream.tenant, stream.id, stream.progress)
        return begun

    async def _begun(
        self,
        stream: Stream,
        standing: Standing,
        sent: SentMessage,
        *,
        grows: bool,
        doubt: bool = False,
    ) -> Standing:
        begun = msgspec.structs.replace(
            standing, id=sent.id, grows=grows, attempted=False, doubt=doubt
        )
        await self._texts.begun(stream.tenant, stream.id, stream.conversation, begun)
        return begun


async def texts_of(stream: Stream, start: int, end: int | None = None) -> list[str]:
    """Render a piece of the text, as one or more messages."""
    text = stream.progress.text
    return await rendered(stream.door.outlet.render, opening(text[:start]) + text[start:end])


async def preview_of(stream: Stream, standing: Standing) -> str:
    """Render what is seen meanwhile: what does not fit into one message is seen at the end."""
    texts = await texts_of(stream, standing.base)
    return texts[0] if texts else PLACEHOLDER


def _start_of(stream: Stream, standing: Standing) -> StreamStart:
    return StreamStart(
        id=stream.id,
        conversation=stream.conversation,
        part=standing.part,
        created_at=datetime.fromtimestamp(standing.asked_ms / 1000, UTC),
        recipient=standing.recipient,
    )
