"""The seams: what the gateway asks of a platform adapter. Small on purpose; an ability that only
some platforms have is a Protocol of its own, never an optional member here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gateway.core.events import Ignored, InboundEvent
from gateway.core.messages import OutboundMessage, SentMessage
from gateway.core.tenants import Credential


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


class Renderer(Protocol):
    """Turn an agent's Markdown into the texts of one or more platform messages."""

    def __call__(self, markdown: str) -> list[str]: ...


class Sender(Protocol):
    """Post one message."""

    async def send(self, message: OutboundMessage, credential: Credential) -> SentMessage:
        """Post `message`. Raises SendError."""


class Readback(Protocol):
    """A platform on which a message of ours can be found again after a lost answer."""

    async def find_sent(
        self, message: OutboundMessage, credential: Credential
    ) -> SentMessage | None:
        """Look for the platform's copy of `message`. Raises SendError when it cannot be known."""


@dataclass(frozen=True, slots=True)
class Outlet:
    """What egress needs of one platform; `readback` where lost answers can be looked up."""

    render: Renderer
    sender: Sender
    readback: Readback | None = None
