"""Bodies of the agent API: the one place that says what a request may hold and an answer holds.

Requests are validated by these types and /openapi.json is made from them, so the two cannot differ.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from gateway.core.capabilities import Capabilities
from gateway.core.components import Components, forms_of
from gateway.core.conversations import MAX_CONVERSATION_ID_CHARS
from gateway.core.ids import Platform
from gateway.store.ledger import MessageState

MAX_TEXT_CHARS = 40_000
MAX_KEY_CHARS = 255
MAX_FILES = 10

ConversationText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_CONVERSATION_ID_CHARS,
        description="`conversation.id` of a delivery, as it was received",
        examples=["slack:T0123ABCD:C0123ABCD:1700000000.000100"],
    ),
]
Text = Annotated[
    str,
    Meta(max_length=MAX_TEXT_CHARS, description="Markdown; rendered and split for the platform"),
]
PlatformId = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[!-~]+$(?!\n)")]
FileName = Annotated[str, Meta(pattern=r"^(file|att)_[A-Za-z0-9_=-]{1,4000}$(?!\n)")]


class _Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mistyped field must not be silently ignored."""


def _check_forms(components: Components) -> None:
    ids = [form.id for form in forms_of(components)]
    if len(ids) != len(set(ids)):
        # Nobody could tell which of them was opened.
        raise ValueError("`components` with an id of their own are needed: two forms share one")


class _Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is not there is left out."""


class To(_Request, frozen=True, kw_only=True):
    """Whom to speak to first: a user, or a channel by id or `#name`. Exactly one of the two."""

    platform: Platform
    workspace: PlatformId
    user: PlatformId | None = None
    channel: Annotated[str, Meta(min_length=1, max_length=255)] | None = None

    def __post_init__(self) -> None:
        if (self.user is None) == (self.channel is None):
            raise ValueError("exactly one of `user` and `channel` is needed")


class MessageRequest(_Request, frozen=True, kw_only=True):
    """A message to send. It goes to `conversation`, or to whom `to` names."""

    conversation: ConversationText | None = None
    to: To | None = None
    text: Text = ""
    components: Components = ()
    files: Annotated[tuple[FileName, ...], Meta(max_length=MAX_FILES)] = ()
    raw: Annotated[
        dict[str, Any] | None,
        Meta(description="the platform's own payload, merged into the call of the last part"),
    ] = None
    visible_to: Annotated[
        PlatformId | None, Meta(description="the only user who sees it, where that can be")
    ] = None
    reply_to: Annotated[
        PlatformId | None, Meta(description="`message_id` of the message that it answers")
    ] = None

    def __post_init__(self) -> None:
        if (self.conversation is None) == (self.to is None):
            raise ValueError("exactly one of `conversation` and `to` is needed")
        _check_forms(self.components)


class EditRequest(_Request, frozen=True, kw_only=True):
    """What the message says from now on."""

    text: Text = ""
    components: Components = ()
    raw: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        _check_forms(self.components)


class ReactionRequest(_Request, frozen=True, kw_only=True):
    """An emoji to put on a message. `conversation` is needed for messages that are not ours."""

    emoji: Annotated[
        str, Meta(min_length=1, max_length=64, description="a Unicode emoji, or a name without ':'")
    ]
    conversation: ConversationText | None = None


class TypingRequest(_Request, frozen=True, kw_only=True):
    """A lease: shown for so many seconds, unless it is renewed; 0 takes it back."""

    conversation: ConversationText
    for_s: Annotated[float, Meta(ge=0, le=60)] = 10.0


class StreamRequest(_Request, frozen=True, kw_only=True):
    """A message that will grow. `recipient` is the user who is answered."""

    conversation: ConversationText
    recipient: PlatformId | None = None


class AppendRequest(_Request, frozen=True, kw_only=True):
    """More of it: the whole `text` so far, or a `delta` that follows the first `offset` characters.

    Both may be repeated without harm.
    """

    text: Text | None = None
    delta: Text | None = None
    offset: Annotated[int, Meta(ge=0, le=MAX_TEXT_CHARS)] | None = None

    def __post_init__(self) -> None:
        if (self.text is None) == (self.delta is None):
            raise ValueError("exactly one of `text` and `delta` is needed")
        if (self.delta is None) != (self.offset is None):
            raise ValueError("`offset` is needed with `delta`, and only then")


class FinishRequest(_Request, frozen=True, kw_only=True):
    """The end. Without `text` the message keeps what was appended."""

    text: Text | None = None
    components: Components = ()

    def __post_init__(self) -> None:
        _check_forms(self.components)


class Nothing(_Request, frozen=True, kw_only=True):
    """An empty object, or no body at all."""


class Queued(_Answer, frozen=True, kw_only=True):
    """Stored, to be carried out. `id` is what GET /v1/messages/{id} tells the state of."""

    id: str
    conversation: str
    parts: int
    status: Annotated[str, Meta(pattern="^queued$")]


class MessageStatus(_Answer, frozen=True, kw_only=True):
    """What became of a message or of a change to one.

    `platform_ids` are the platform's own ids of its parts, null for those that are not sent.
    `unknown` means that the platform may have it without our knowing.
    """

    id: str
    conversation: str
    status: MessageState
    parts: int
    platform_ids: tuple[str | None, ...]
    reason: str = ""
    detail: str = ""
    degraded: str = ""


class TypingHeld(_Answer, frozen=True, kw_only=True):
    """How long it will be shown."""

    conversation: str
    for_s: float


class Appended(_Answer, frozen=True, kw_only=True):
    """How many characters the stream has now: the next `offset`."""

    id: str
    length: int


class FileKept(_Answer, frozen=True, kw_only=True):
    """A file that can be sent now, for 24 hours. `media_type` is what its bytes look like."""

    id: str
    name: str
    media_type: str
    size_bytes: int


class PlatformCapabilities(_Answer, frozen=True, kw_only=True):
    """The table of every platform that this gateway serves, by platform."""

    platforms: dict[str, Capabilities]


class ErrorDetail(_Answer, frozen=True, kw_only=True):
    """`code` is stable; `field` is the path of what is wrong, when it is one thing."""

    code: str
    message: str
    field: str | None = None


class ErrorBody(_Answer, frozen=True, kw_only=True):
    """The body of every answer that is an error."""

    error: ErrorDetail
