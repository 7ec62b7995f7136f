"""A platform that can do what a test lets it: it keeps what people would see."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field

from adapters.slack.capabilities import CAPABILITIES
from adapters.slack.outbound import render
from gateway.core.clock import utc_now
from gateway.core.conversations import ConversationKind, ConversationRef
from gateway.core.deliveries import Reason
from gateway.core.errors import SendError
from gateway.core.events import EventKind, InboundEvent
from gateway.core.events import Sender as Person
from gateway.core.ids import EventId, WorkspaceId
from gateway.core.messages import (
    FileUpload,
    MessageEdit,
    OutboundMessage,
    ReactionChange,
    SentMessage,
    SentRef,
    StreamFinish,
    StreamStart,
    Target,
)
from gateway.core.ports import Begins, Outlet, Sender
from gateway.core.streaming import Key
from gateway.core.tenants import Credential

LOST = SendError(Reason.PLATFORM_ERROR, "the answer was lost", ambiguous=True)
REJECTED = SendError(Reason.PLATFORM_REJECTED, "channel_not_found", permanent=True)


@dataclass
class Plain:
    """Can post, and nothing else; not even be asked what was posted."""

    seen: dict[str, str] = field(default_factory=dict)
    """Texts that stand in the channel now, by their id on the platform."""
    calls: list[str] = field(default_factory=list)
    faults: list[SendError | None] = field(default_factory=list)
    """What the next calls end with; None is well. A lost answer is one after the deed."""
    posts: list[OutboundMessage] = field(default_factory=list)
    edits: list[MessageEdit] = field(default_factory=list)
    markers: dict[str, str] = field(default_factory=dict)
    growing: set[str] = field(default_factory=set)

    def outlet(self) -> Outlet:
        """As egress gets it."""
        sender: Sender = self
        return Outlet(render=render, sender=sender, capabilities=CAPABILITIES)

    async def send(self, message: OutboundMessage, _credential: Credential) -> SentMessage:
        with_id = f"p{len(self.markers) + 1}"
        fault = self._called("send")
        if fault is None or fault.ambiguous:
            self.seen[with_id] = message.text
            self.markers[message.marker] = with_id
            self.posts.append(message)
        return self._ended(with_id, fault)

    def _called(self, name: str) -> SendError | None:
        self.calls.append(name)
        return self.faults.pop(0) if self.faults else None

    def _ended(self, with_id: str, fault: SendError | None) -> SentMessage:
        if fault is not None:
            raise fault
        return SentMessage(id=with_id)


class Editing(Plain):
    """Can also be asked, edited and reacted to."""

    async def find_sent(
        self, message: OutboundMessage, _credential: Credential
    ) -> SentMessage | None:
        fault = self._called("find")
        if fault is not None:
            raise fault
        found = self.markers.get(message.marker)
        return None if found is None else SentMessage(id=found)

    async def edit(
        self, change: MessageEdit, sent: SentRef, _credential: Credential
    ) -> SentMessage:
        fault = self._called("edit")
        if fault is None or fault.ambiguous:
            assert sent.id in self.seen
            self.seen[sent.id] = change.text
            self.edits.append(change)
        return self._ended(sent.id, fault)

    async def delete(self, sent: SentRef, _credential: Credential) -> None:
        fault = self._called("delete")
        if fault is None or fault.ambiguous:
            self.seen.pop(sent.id, None)
        self._ended(sent.id, fault)

    async def react(self, change: ReactionChange, sent: SentRef, _credential: Credential) -> None:
        fault = self._called(f"{'un' if change.remove else ''}react {change.emoji} {sent.id}")
        self._ended(sent.id, fault)


class Uploading(Editing):
    """Can also take files."""

    async def upload(
        self,
        upload: FileUpload,
        content: AsyncIterator[bytes],
        _credential: Credential,
        begins: Begins,
    ) -> SentMessage:
        with_id = f"f{len(self.markers) + 1}"
        fault = self._called("upload")
        try:
            whole = b"".join([piece async for piece in content])
        except Exception as exc:
            # As a client on a socket would say it.
            raise SendError(Reason.PLATFORM_ERROR, "broken off", ambiguous=True) from exc
        await begins(with_id)
        if fault is None or fault.ambiguous:
            self.seen[with_id] = whole.decode()
            self.markers[upload.marker] = with_id
        return self._ended(with_id, fault)


class Native(Editing):
    """Streams natively: what is added cannot be taken back before the end. What grows can only be
    found by what it is not: one of those that are known.
    """

    stream_lasts_s: float = 240.0
    stream_chars: int = 3_000

    async def start(self, start: StreamStart, text: str, _credential: Credential) -> SentMessage:
        with_id = f"s{len(self.markers) + 1}"
        fault = self._called("start")
        if fault is None or fault.ambiguous:
            self.seen[with_id] = text
            self.markers[start.marker] = with_id
            self.growing.add(with_id)
        return self._ended(with_id, fault)

    async def find_start(
        self, start: StreamStart, known: Collection[str], _credential: Credential
    ) -> SentMessage | None:
        fault = self._called("find start")
        if fault is not None:
            raise fault
        for found in self.growing.difference(known):
            return SentMessage(id=found)
        posted = self.markers.get(start.marker)
        return None if posted is None else SentMessage(id=posted, degraded="streams")

    async def append(self, sent: SentRef, text: str, _credential: Credential) -> None:
        fault = self._called("append")
        if fault is None or fault.ambiguous:
            assert sent.id in self.growing
            self.seen[sent.id] += text
        self._ended(sent.id, fault)

    async def finish(self, finish: StreamFinish, sent: SentRef, key: Key) -> SentMessage:
        key()
        fault = self._called("finish")
        if fault is None or fault.ambiguous:
            self.seen[sent.id] = finish.text
            self.growing.discard(sent.id)
        return self._ended(sent.id, fault)

    def stopped(self, sent: SentRef, user: str | None) -> InboundEvent:
        return InboundEvent(
            id=EventId(f"stopped-{sent.id}"),
            kind=EventKind.AGENT_STOPPED,
            conversation=sent.conversation,
            conversation_kind=ConversationKind.CHANNEL,
            sender=Person(id=user or ""),
            message_id=sent.id,
            dedupe_keys=(f"stopped-{sent.id}",),
            received_at=utc_now(),
        )


@dataclass
class Typist(Plain):
    """Shows typing, for as long as a test says, and finds conversations."""

    typing_lasts_s: float = 5.0
    found: ConversationRef | None = None

    async def typing(self, ref: ConversationRef, _credential: Credential, *, on: bool) -> None:
        fault = self._called(f"typing {'on' if on else 'off'} {ref.channel}")
        if fault is not None:
            raise fault

    async def address(
        self, _workspace: WorkspaceId, target: Target, credential: Credential
    ) -> ConversationRef | None:
        fault = self._called(f"address {target.user or target.channel} by {credential.bot_token}")
        if fault is not None:
            raise fault
        return self.found
