"""What a test does on a platform, in words of every platform. A platform is one parameter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.core.ids import WorkspaceId
from gateway.sandbox.slack import Message, SlackSandbox
from tests.support.slack import shown

ANNA, BEN = "U0ANNA", "U0BEN"


@dataclass(frozen=True, slots=True)
class Place:
    """A direct message or a channel of one workspace; with a `thread`, a thread of it."""

    workspace: WorkspaceId
    channel: str
    thread: str | None = None
    direct: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """A message of the bot's. `text` is what a notification shows, which may be cut short; `whole`
    is all that people read.
    """

    id: str
    text: str
    whole: str
    thread: str | None
    files: Sequence[str] = ()
    buttons: Sequence[str] = ()


class PlatformSide(Protocol):
    """People on one platform."""

    name: str

    def direct(self, workspace: WorkspaceId, key: str) -> Place:
        """A direct message that no other test uses."""

    def channel(self, workspace: WorkspaceId, key: str) -> Place:
        """A channel that no other test uses."""

    def say(self, place: Place, text: str, *, user: str = ANNA) -> str:
        """Write to the bot; gives the message's id."""

    def share(self, place: Place, name: str, content: bytes, text: str) -> None:
        """Send a file to the bot."""

    def press(self, place: Place, message: Seen, button: str, *, user: str = ANNA) -> None:
        """Press a button by its label."""

    def change(self, place: Place, message_id: str, text: str) -> None:
        """Edit what a person has written."""

    def react(self, place: Place, message_id: str, emoji: str, *, user: str = ANNA) -> None:
        """Put an emoji on a message, by its name."""

    def seen(self, place: Place) -> list[Seen]:
        """What the bot has posted there, oldest first; previews and answers alike."""

    def reactions(self, place: Place, message_id: str) -> list[str]:
        """The emoji on a message."""

    def at_work(self, place: Place) -> list[str]:
        """What was shown in a thread while the bot was at work."""

    def posted_last(self, workspace: WorkspaceId) -> Place | None:
        """Where the bot spoke last."""

    def conversation(self, place: Place) -> str:
        """The gateway's id of it."""


class SlackSide:
    """Slack's sandbox."""

    name = "slack"

    def __init__(self, sandbox: SlackSandbox) -> None:
        self._sandbox = sandbox

    def direct(self, workspace: WorkspaceId, key: str) -> Place:
        """Slack's direct messages begin with D."""
        self._sandbox.add_channel(workspace, f"D0{key}")
        return Place(workspace, f"D0{key}", direct=True)

    def channel(self, workspace: WorkspaceId, key: str) -> Place:
        """Slack's channels begin with C."""
        self._sandbox.add_channel(workspace, f"C0{key}")
        return Place(workspace, f"C0{key}")

    def say(self, place: Place, text: str, *, user: str = ANNA) -> str:
        """In channels with a mention, or the bot would not hear it."""
        return self._sandbox.say(
            place.workspace,
            place.channel,
            user,
            text,
            thread_ts=place.thread,
            mention=not place.direct,
        )

    def share(self, place: Place, name: str, content: bytes, text: str) -> None:
        """As a direct message with a file."""
        self._sandbox.share_file(place.workspace, place.channel, ANNA, name, content, text=text)

    def press(self, place: Place, message: Seen, button: str, *, user: str = ANNA) -> None:
        """Find the element of that label."""
        found = self._message(place, message.id)
        action = next(each for each in _buttons(found) if each["text"]["text"] == button)
        self._sandbox.press(place.workspace, place.channel, user, message.id, action["action_id"])

    def change(self, place: Place, message_id: str, text: str) -> None:
        """As its author."""
        self._sandbox.edit(place.workspace, place.channel, message_id, text)

    def react(self, place: Place, message_id: str, emoji: str, *, user: str = ANNA) -> None:
        """Without colons."""
        self._sandbox.react(place.workspace, place.channel, user, message_id, emoji)

    def seen(self, place: Place) -> list[Seen]:
        """Of a thread only what stands in it."""
        messages = self._sandbox.bot_messages(place.workspace, place.channel)
        return [
            Seen(
                id=each.ts,
                text=each.text,
                whole=shown(each),
                thread=each.thread_ts,
                files=_file_names(each),
                buttons=[str(button["text"]["text"]) for button in _buttons(each)],
            )
            for each in messages
            if place.thread is None or each.thread_ts == place.thread
        ]

    def reactions(self, place: Place, message_id: str) -> list[str]:
        """By their Slack names."""
        return list(self._message(place, message_id).reactions)

    def at_work(self, place: Place) -> list[str]:
        """Status lines."""
        where = (place.workspace, place.channel, place.thread)
        shown = [s for s in self._sandbox.statuses if s.text]
        return [s.text for s in shown if where == (s.team_id, s.channel_id, s.thread_ts)]

    def posted_last(self, workspace: WorkspaceId) -> Place | None:
        """From the calls that it made."""
        for call in reversed(self._sandbox.requests):
            if (call.method, call.team_id) == ("chat.postMessage", workspace) and call.channel_id:
                return Place(workspace, call.channel_id)
        return None

    def conversation(self, place: Place) -> str:
        """`slack:team:channel[:thread]`."""
        thread = f":{place.thread}" if place.thread else ""
        return f"slack:{place.workspace}:{place.channel}{thread}"

    def _message(self, place: Place, ts: str) -> Message:
        messages = self._sandbox.messages(place.workspace, place.channel)
        return next(each for each in messages if each.ts == ts)


def _buttons(message: Message) -> list[dict[str, Any]]:
    blocks: list[Any] = message.blocks or []
    elements = [element for block in blocks for element in block.get("elements", [])]
    return [element for element in elements if element.get("type") == "button"]


def _file_names(message: Message) -> list[str]:
    files: list[Any] = message.files or []
    return [str(file["name"]) for file in files]
