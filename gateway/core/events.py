"""What platforms tell us, in one vocabulary. An adapter's parser makes these; nothing else does."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from gateway.core.conversations import ConversationKind, ConversationRef
from gateway.core.ids import EventId, WorkspaceId

RECOVERED: Final = "recovered"
"""How `platform_kind` begins when an event never came, and was read from the platform's history."""


class EventKind(StrEnum):
    """The types of the agent protocol, version 1, and UNSUPPORTED for what it cannot carry yet."""

    MESSAGE_CREATED = "message.created"
    MESSAGE_UPDATED = "message.updated"
    MESSAGE_DELETED = "message.deleted"
    REACTION_ADDED = "reaction.added"
    REACTION_REMOVED = "reaction.removed"
    COMMAND_INVOKED = "command.invoked"
    ACTION_INVOKED = "action.invoked"
    CONVERSATION_OPENED = "conversation.opened"
    CONVERSATION_CLOSED = "conversation.closed"
    MEMBER_JOINED = "member.joined"
    MEMBER_LEFT = "member.left"
    AGENT_STOPPED = "agent.stopped"
    INSTALLATION_CHANGED = "installation.changed"
    UNSUPPORTED = "unsupported"


class SenderRole(StrEnum):
    """What somebody is in the workspace. Platforms have more; these are what rules are made of."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    GUEST = "guest"


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """Who spoke. `is_self` is this gateway's own bot: answering it would be a loop.

    `name`, `locale` (BCP 47) and `roles` are empty where the platform has not told them.
    """

    id: str
    name: str | None = None
    locale: str | None = None
    roles: tuple[SenderRole, ...] = ()
    is_bot: bool = False
    is_self: bool = False


class Attachment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file that came with a message; its bytes stay on the platform.

    `url` is where the platform keeps it, for platforms that name no other way to it. Agents never
    see it: they get an id that only their tenant can use.
    """

    id: str
    name: str | None = None
    media_type: str | None = None
    size_bytes: int | None = None
    url: str | None = None


class ViewedKind(StrEnum):
    """What people can look at beside their talk with an agent."""

    CHANNEL = "channel"
    MESSAGE = "message"
    CANVAS = "canvas"
    LIST = "list"


class Viewed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What somebody looks at while talking to the agent, in the same workspace, by the platform's
    id; `channel` is that of a message.
    """

    kind: ViewedKind
    id: str
    channel: str | None = None


class Reaction(msgspec.Struct, frozen=True, kw_only=True):
    """An emoji on the message `message_id`: a Unicode emoji, or a name of the workspace's own
    emoji without colons. `on_own` says that the message is one of this gateway's own bot.
    """

    emoji: str
    on_own: bool = False


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A slash command, its name without the slash. What follows the name is the event's text."""

    name: str


class ActionKind(StrEnum):
    """Which component was used."""

    BUTTON = "button"
    SELECT = "select"
    FORM = "form"
    FEEDBACK = "feedback"


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody used a component of the message `message_id`.

    `id` is the component's id as the agent gave it. `values` are what was chosen: one for a button
    or feedback (`positive` or `negative`), any number for a select. A form's answers stand in
    `fields`, by field id, each as a list.
    """

    id: str
    kind: ActionKind
    values: tuple[str, ...] = ()
    fields: dict[str, tuple[str, ...]] = {}


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """Who joined or left the conversation; `is_self` when it was this gateway's own bot."""

    id: str
    is_self: bool = False


class InstallationChange(StrEnum):
    """What became of the app in a workspace."""

    INSTALLED = "installed"
    UNINSTALLED = "uninstalled"
    REVOKED = "revoked"


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """The app was installed into a workspace, or is no longer."""

    change: InstallationChange


Detail = Reaction | Command | Action | Member | Installation
"""What an event is about when it is not a message's text. Its type follows from the kind."""


class InboundEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One platform event.

    `enterprise` is set for organisation-wide installs only: the id to look up when the workspace
    itself is bound to nobody. `dedupe_keys` are all the names under which the platform may send
    the same thing again (its event id first); they are unique within one workspace, no wider.
    """

    id: EventId
    kind: EventKind
    conversation: ConversationRef
    conversation_kind: ConversationKind
    sender: Sender
    message_id: str
    dedupe_keys: tuple[str, ...]
    received_at: datetime
    sent_at: datetime | None = None
    text: str = ""
    mentioned: bool = False
    mentions: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    viewing: tuple[Viewed, ...] = ()
    """What the sender looks at, the most relevant first; where the platform tells."""

    detail: Detail | None = None
    enterprise: WorkspaceId | None = None
    retry: int = 0
    platform_kind: str = ""
    """The platform's own name of the event, for the audit trail."""


class IgnoredReason(StrEnum):
    """Why a frame never became an event. Closed: it is a metric label."""

    MALFORMED = "malformed"
    NO_WORKSPACE = "no_workspace"
    NOT_AN_EVENT = "not_an_event"


class Ignored(msgspec.Struct, frozen=True):
    """A frame that is acknowledged and goes nowhere. `detail` names a field, never its content."""

    reason: IgnoredReason
    detail: str
