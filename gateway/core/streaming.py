"""The seam of messages that grow: one of those of ports.py, for platforms that have them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol, runtime_checkable

from gateway.core.events import InboundEvent
from gateway.core.messages import SentMessage, SentRef, StreamFinish, StreamStart
from gateway.core.tenants import Credential

Key = Callable[[], Credential]
"""Gives the credential out for one call of several. Raises LeaseLostError when there must be no
further call.
"""


@runtime_checkable
class Streams(Protocol):
    """Messages that grow are native. Elsewhere they are posted once and edited.

    What is begun and added is Markdown as the agent wrote it, since a piece of it means nothing by
    itself: the sender makes it harmless. How it ends is rendered.
    """

    stream_lasts_s: float
    """For how long one message may grow; a longer text goes on in another."""

    stream_chars: int
    """How much of a text one message may hold, in characters of Markdown."""

    async def start(self, start: StreamStart, text: str, credential: Credential) -> SentMessage:
        """Begin with `text`. Raises SendError; StreamRefusedError when it has to be posted."""

    async def find_start(
        self, start: StreamStart, known: Collection[str], credential: Credential
    ) -> SentMessage | None:
        """Look for a message that may have been begun, or posted in its stead: `degraded` says so.

        `known` are the platform's ids of other messages there that grow. Raises SendError when it
        cannot be known.
        """

    async def append(self, sent: SentRef, text: str, credential: Credential) -> None:
        """Add `text` to what is shown. Raises SendError; StreamEndedError when it grows no more."""

    async def finish(self, finish: StreamFinish, sent: SentRef, key: Key) -> SentMessage:
        """End with the whole text, whatever has been shown, also what has ended already. May be
        repeated. Raises SendError; StreamEndedError when a user ended it, whose will it is; what
        `key` raises, which is asked before every call.
        """

    def stopped(self, sent: SentRef, user: str | None) -> InboundEvent:
        """Make the event that tells the agent that a user ended a message; `user` is who is
        answered there. The platform may tell the same by itself: they share a dedupe key.
        """
