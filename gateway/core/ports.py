"""The seams: what the gateway asks of a platform adapter. Small on purpose; an ability that only
some platforms have is a Protocol of its own, never an optional member here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from gateway.core.capabilities import Capabilities
from gateway.core.components import Form
from gateway.core.conversations import ConversationKind, ConversationRef
from gateway.core.events import Attachment, Ignored, InboundEvent
from gateway.core.events import Sender as Person
from gateway.core.files import KeptFile
from gateway.core.ids import FileId, MessageId, TenantId, WorkspaceId
from gateway.core.messages import (
    FileUpload,
    MessageEdit,
    OutboundMessage,
    ReactionChange,
    SentMessage,
    SentRef,
    Target,
)
from gateway.core.tenants import Credential

if TYPE_CHECKING:
    # A shape alone: the core itself serves nothing.
    from aiohttp.web import AbstractRouteDef


class Accept(Protocol):
    """Take an event in. Returns after the commit, so the caller may acknowledge (law 1).

    Raises StoreError or QueueFullError when nothing was stored: then nothing may be acknowledged.
    """

    async def __call__(self, event: InboundEvent) -> None: ...


Ignore = Callable[[Ignored], None]
"""Note a frame that is acknowledged but is no event."""


class Source(Protocol):
    """A platform that we listen to over a socket."""

    async def run(self, accept: Accept) -> None:
        """Listen until cancelled. Returns from a cancel only when intake has stopped."""

    def health(self) -> str | None:
        """None while events can arrive, else what is wrong."""


class Webhook(Protocol):
    """A platform that calls us over HTTP."""

    def routes(self, accept: Accept) -> Iterable[AbstractRouteDef]:
        """Name the paths, and what answers there. A request is not trusted before it is verified,
        and not answered with success before what it brings is accepted.
        """


class Renderer(Protocol):
    """Turn an agent's Markdown into the texts of one or more platform messages."""

    def __call__(self, markdown: str) -> list[str]: ...


class Sender(Protocol):
    """Post one message."""

    async def send(self, message: OutboundMessage, credential: Credential) -> SentMessage:
        """Post `message`. Raises SendError."""


@runtime_checkable
class Readback(Protocol):
    """A platform on which a message of ours can be found again after a lost answer."""

    async def find_sent(
        self, message: OutboundMessage, credential: Credential
    ) -> SentMessage | None:
        """Look for the platform's copy of `message`. Raises SendError when it cannot be known."""


@runtime_checkable
class Edits(Protocol):
    """Messages can be changed and removed. Both may be repeated without harm."""

    async def edit(self, change: MessageEdit, sent: SentRef, credential: Credential) -> SentMessage:
        """Replace the text of what was sent. Raises SendError."""

    async def delete(self, sent: SentRef, credential: Credential) -> None:
        """Remove what was sent; what is gone already is removed. Raises SendError."""


@runtime_checkable
class Reacts(Protocol):
    """Messages can carry emoji. May be repeated without harm."""

    async def react(self, change: ReactionChange, sent: SentRef, credential: Credential) -> None:
        """Put the emoji on or take it off. Raises SendError."""


Begins = Callable[[str], Awaitable[None]]
"""Told the platform's id of a file, "" where it has none yet, right before it is posted."""


@runtime_checkable
class Uploads(Protocol):
    """Files can be posted."""

    async def upload(
        self,
        upload: FileUpload,
        content: AsyncIterator[bytes],
        credential: Credential,
        begins: Begins,
    ) -> SentMessage:
        """Post the file. `content` is read once, as it comes; `begins` is called before anybody can
        see the file, and what it raises goes through. Raises SendError.
        """


@runtime_checkable
class UploadReadback(Protocol):
    """A platform on which a file of ours can be found again after a lost answer."""

    async def find_upload(
        self, upload: FileUpload, file: str, credential: Credential
    ) -> SentMessage | None:
        """Look for the platform's copy; `file` is what `begins` was told. Raises SendError when it
        cannot be known.
        """


@runtime_checkable
class Typing(Protocol):
    """People can see that the agent is at work."""

    typing_lasts_s: float
    """How long the platform shows it if nobody says more."""

    async def typing(self, ref: ConversationRef, credential: Credential, *, on: bool) -> None:
        """Show it, or take it back where that can be done. Raises SendError."""


@runtime_checkable
class Addresses(Protocol):
    """Conversations can be opened with users and found by names of channels."""

    async def address(
        self, workspace: WorkspaceId, target: Target, credential: Credential
    ) -> ConversationRef | None:
        """Find the conversation; None when there is no such user or channel. Raises SendError."""


@runtime_checkable
class Downloads(Protocol):
    """Files of users can be fetched. Only from the platform's own hosts."""

    def download(
        self, attachment: Attachment, credential: Credential
    ) -> AbstractAsyncContextManager[Download]:
        """Begin to fetch. Raises SendError, permanent when the file is not to be had."""


@runtime_checkable
class People(Protocol):
    """What a platform knows of a user, when its events name no more than an id."""

    async def person(self, sender: Person, credential: Credential) -> Person:
        """Fill in name, locale and roles. Raises SendError."""


@runtime_checkable
class Fallible(Protocol):
    """A source that can be deaf without knowing."""

    def condemn(self) -> None:
        """Replace all connections: something is known that they should have brought."""

    def take_deaf_since(self) -> datetime | None:
        """Tell, once, since when a connection may have been deaf that has been replaced for it."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something may have been said and not heard: a thread, or with no thread in `ref` what
    begins there. `enterprise` as in InboundEvent.
    """

    ref: ConversationRef
    kind: ConversationKind
    enterprise: WorkspaceId | None = None


class Recalls(Protocol):
    """A platform on which what was said can be read again."""

    async def said_since(
        self, spot: Spot, since: datetime, credential: Credential
    ) -> list[InboundEvent]:
        """Read what others said there after `since`, oldest first, under the dedupe keys that it
        has when it comes by itself. May take minutes, to stay below the platform's limits. Raises
        SendError.
        """


@dataclass(frozen=True, slots=True)
class FormPress:
    """Somebody pressed the button of a form. `event` tells who and where, `message` is the message
    that brought the form.
    """

    event: InboundEvent
    message: MessageId
    form: str


@dataclass(frozen=True, slots=True)
class FormOwner:
    """Whose form it is, and what opens it there."""

    tenant: TenantId
    credential: Credential


class Forms(Protocol):
    """Forms of messages, for platforms on which they open as dialogs. A person waits, so no agent
    is asked.
    """

    async def owner(self, press: FormPress) -> FormOwner | None:
        """Find the tenant; None when the press goes nowhere, which is on record then. Raises
        StoreError.
        """

    async def find(self, press: FormPress, owner: FormOwner) -> Form | None:
        """Find the form, and put the press on record; None when it is not kept any more. Raises
        StoreError.
        """


class Files(Protocol):
    """Files that agents brought, each its tenant's own: those of others are unknown."""

    async def describe(self, tenant: TenantId, file: FileId) -> KeptFile | None:
        """Tell what is known of it; None when there is none. Raises StoreError."""

    async def open(
        self, tenant: TenantId, file: FileId
    ) -> tuple[KeptFile, AsyncIterator[bytes]] | None:
        """Begin to read it; None when there is none any more. Raises StoreError, at once or while
        it is read.
        """


@dataclass(frozen=True, slots=True)
class Download:
    """A file on its way: its bytes can be read once, as they come."""

    content: AsyncIterator[bytes]
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class Outlet:
    """What egress needs of one platform. Further abilities are those Protocols of this module that
    the sender has: whether it has one is asked by isinstance.
    """

    render: Renderer
    sender: Sender
    capabilities: Capabilities
