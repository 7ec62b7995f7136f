"""A platform's live adapter as the contract sees it, and the list of what is proven of it."""

from __future__ import annotations

from typing import Any, Final, Protocol

import msgspec

from gateway.core.capabilities import Ability, Capabilities
from gateway.core.conversations import ConversationRef
from gateway.core.events import Attachment
from gateway.core.ports import (
    Addresses,
    Downloads,
    Edits,
    Reacts,
    Renderer,
    Sender,
    Typing,
    Uploads,
)
from gateway.core.streaming import Streams
from gateway.core.tenants import Credential

CASES: Final = {
    "text": Ability.MESSAGES,
    "long_text": Ability.MESSAGES,
    "mass_mention": Ability.MESSAGES,
    "reply": Ability.REPLIES,
    "thread": Ability.THREADS,
    "edit": Ability.EDITS,
    "delete": Ability.DELETES,
    "reaction": Ability.REACTIONS,
    "typing": Ability.TYPING,
    "stream": Ability.STREAMS,
    "file_in": Ability.FILES_IN,
    "file_out": Ability.FILES_OUT,
    "component": None,
    "ephemeral": Ability.EPHEMERAL,
    "proactive": Ability.PROACTIVE,
    "raw": Ability.RAW,
}
"""The list: what is proven of each ability. Components name theirs in COMPONENT_CASES."""

PROTOCOLS: Final[dict[Ability, type[object]]] = {
    Ability.EDITS: Edits,
    Ability.DELETES: Edits,
    Ability.REACTIONS: Reacts,
    Ability.TYPING: Typing,
    Ability.STREAMS: Streams,
    Ability.FILES_IN: Downloads,
    Ability.FILES_OUT: Uploads,
    Ability.PROACTIVE: Addresses,
}


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A message of the bot as people see it now. `payload` is what is shown beside the text."""

    id: str
    text: str
    thread: str | None = None
    is_edited: bool = False
    reactions: tuple[str, ...] = ()
    visible_to: str | None = None
    files: tuple[bytes, ...] = ()
    payload: object = None


class LiveSubject(Protocol):
    """A platform's sender, and its stand-in."""

    capabilities: Capabilities
    credential: Credential
    here: ConversationRef
    """A channel in which the bot is."""
    channel_name: str
    member: str
    """A user of the channel, by the platform's id."""
    raw: dict[str, Any]
    """Something of the platform's own that says RAW."""

    @property
    def render(self) -> Renderer:
        """The platform's renderer of Markdown."""

    @property
    def sender(self) -> Sender:
        """The adapter, pointed at the stand-in."""

    def ask(self) -> tuple[ConversationRef, str]:
        """Say something as the member; return the conversation of the answer, and its id."""

    def seen(self, conversation: ConversationRef | None = None) -> list[Seen]:
        """What of the bot stands in the channel, oldest first, private things included."""

    def typing_seen(self) -> list[bool]:
        """Whether the bot was shown at work, each time that it changed."""

    def share(self, name: str, content: bytes) -> Attachment:
        """Share a file as the member, and return it as the event describes it."""
