"""What agents ask us to say."""

from __future__ import annotations

from datetime import datetime

import msgspec

from gateway.core.conversations import ConversationRef
from gateway.core.ids import MessageId


class OutboundMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One platform message, rendered. A long answer becomes several, each a delivery of its own,
    so that a retry never repeats a part that has already been posted.
    """

    id: MessageId
    conversation: ConversationRef
    text: str
    part: int = 1
    parts: int = 1
    created_at: datetime | None = None
    """When it was accepted: the platform's copy cannot be older."""

    @property
    def marker(self) -> str:
        """The name under which the platform's copy can be recognised again."""
        return f"{self.id}-{self.part}"


class SentMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The platform has the message; `id` is the platform's own."""

    id: str
    sent_at: datetime | None = None
