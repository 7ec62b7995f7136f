"""What agents ask us to do on a platform. Every act is one delivery: it holds all that an attempt
needs, but for the platform's own ids of earlier acts, which only their attempts could learn.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec

from gateway.core.components import Component
from gateway.core.conversations import ConversationRef
from gateway.core.ids import DeliveryId, FileId, MessageId

FINISH: Final = "-finish"
"""Tells the delivery that ends a stream from the one that began it."""


class _Act(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="act"):
    """What all acts have. `id` is what the agent was told, a message's or that of a change to one;
    `part` tells the deliveries of one request apart.
    """

    id: MessageId
    conversation: ConversationRef
    part: int = 1
    parts: int = 1

    @property
    def marker(self) -> str:
        """The name under which the platform's copy can be recognised."""
        return f"{self.id}-{self.part}"

    @property
    def delivery_id(self) -> DeliveryId:
        """One act, one delivery."""
        return DeliveryId(self.marker)


class OutboundMessage(_Act, frozen=True, kw_only=True, omit_defaults=True, tag="post"):
    """One platform message, rendered. A long answer becomes several, each a delivery of its own,
    so that a retry never repeats a part that has already been posted.

    `components` and `raw` are those of the last part. `raw` is the platform's own payload, merged
    into the call as it is. `visible_to` is the one user who sees it, `reply_to` the platform's id
    of the message it answers.
    """

    text: str
    created_at: datetime | None = None
    """When it was accepted: the platform's copy cannot be older."""
    components: tuple[Component, ...] = ()
    raw: dict[str, Any] | None = None
    visible_to: str | None = None
    reply_to: str | None = None


class FileUpload(_Act, frozen=True, kw_only=True, omit_defaults=True, tag="upload"):
    """Post a file whose bytes the gateway keeps."""

    file: FileId
    name: str
    media_type: str
    size_bytes: int
    created_at: datetime | None = None


class MessageEdit(_Act, frozen=True, kw_only=True, omit_defaults=True, tag="edit"):
    """Give part `target_part` of an earlier message another text."""

    target: MessageId
    target_part: int
    text: str
    components: tuple[Component, ...] = ()
    raw: dict[str, Any] | None = None
    is_preview: bool = False
    """Whether nothing is lost when it is not made: what must be seen goes first then."""


class MessageDelete(_Act, frozen=True, kw_only=True, omit_defaults=True, tag="delete"):
    """Remove part `target_part` of an earlier message."""

    target: MessageId
    target_part: int


class ReactionChange(_Act, frozen=True, kw_only=True, omit_defaults=True, tag="react"):
    """Put an emoji on a message or take it off. `target` is a message of ours, then on its part
    `target_part`, or the platform's own id of anybody's.
    """

    target: str
    target_part: int = 1
    emoji: str
    remove: bool = False


class StreamStart(_Act, frozen=True, kw_only=True, omit_defaults=True, tag="stream_start"):
    """Begin a message whose text grows. Its text so far waits in the store. `recipient` is the
    user who is answered, which Slack wants to know in channels.
    """

    created_at: datetime | None = None
    recipient: str | None = None


class StreamFlush(_Act, frozen=True, kw_only=True, omit_defaults=True, tag="stream_flush"):
    """Show what has been appended since. A preview: nothing is lost when it fails."""

    target: MessageId


class StreamFinish(_Act, frozen=True, kw_only=True, omit_defaults=True, tag="stream_finish"):
    """End a stream with its whole text, rendered; further parts are messages. It is the stream's
    own message, so it has its id and its marker: if it was never begun, this is what is posted.
    """

    text: str
    components: tuple[Component, ...] = ()
    raw: dict[str, Any] | None = None
    created_at: datetime | None = None

    @property
    def delivery_id(self) -> DeliveryId:
        """Another one than that of the start."""
        return DeliveryId(f"{self.marker}{FINISH}")


Act = (
    OutboundMessage
    | FileUpload
    | MessageEdit
    | MessageDelete
    | ReactionChange
    | StreamStart
    | StreamFlush
    | StreamFinish
)


class SentRef(msgspec.Struct, frozen=True, kw_only=True):
    """A message on the platform: where it stands, and the platform's own id of it."""

    conversation: ConversationRef
    id: str


class Target(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whom to speak to when no conversation is known yet: a user, or a channel by its id or its
    `#name`. Exactly one of the two.
    """

    user: str | None = None
    channel: str | None = None


class SentMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The platform has the message; `id` is the platform's own.

    `degraded` names the ability that the platform lacked, when something was left out for it.
    """

    id: str
    sent_at: datetime | None = None
    degraded: str | None = None
