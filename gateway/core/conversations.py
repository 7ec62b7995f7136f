"""Return addresses: where an answer has to go, and the one text form in which agents hold them."""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property, lru_cache
from urllib.parse import quote, unquote

import msgspec

from gateway.core.ids import ConversationId, Platform, WorkspaceId

MAX_CONVERSATION_ID_CHARS = 512


class ConversationKind(StrEnum):
    """Who is listening: one person, a closed group, or a channel."""

    DIRECT = "direct"
    GROUP = "group"
    CHANNEL = "channel"


class ConversationRef(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """A return address. Self-sufficient: an answer needs nothing else to find its place.

    The `dict` holds the id once it has been asked for: an event's is, six times on its way.
    """

    platform: Platform
    workspace: WorkspaceId
    channel: str
    thread: str | None = None

    @cached_property
    def id(self) -> ConversationId:
        """`platform:workspace:channel[:thread]`, each part percent-encoded.

        Teams channel ids hold ':' and '@', so a plain join could be split in two ways, and two
        conversations could share one id.
        """
        return _joined(self.platform, self.workspace, self.channel, self.thread)


@lru_cache(maxsize=16_384)
def _joined(platform: str, workspace: str, channel: str, thread: str | None) -> ConversationId:
    # Remembered: people say more than one thing in a place.
    parts = [platform, workspace, channel, *(() if thread is None else (thread,))]
    return ConversationId(":".join(quote(part, safe="") for part in parts))


def parse_conversation_id(text: str) -> ConversationRef:
    """Read a conversation id back. Raises ValueError when it is none."""
    if len(text) > MAX_CONVERSATION_ID_CHARS:
        raise ValueError("conversation id is too long")
    parts = [unquote(part, errors="strict") for part in text.split(":")]
    if len(parts) not in {3, 4} or not all(parts):
        raise ValueError("conversation id must be platform:workspace:channel[:thread]")
    ref = ConversationRef(
        platform=Platform(parts[0]),
        workspace=WorkspaceId(parts[1]),
        channel=parts[2],
        thread=parts[3] if len(parts) == 4 else None,
    )
    if ref.id != text:
        raise ValueError("conversation id is not in its canonical form")
    return ref
