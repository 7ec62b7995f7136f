"""What of a delivery becomes a turn of an agent, and how it reads. Pure; knows no endpoint.

Everybody who asks this way is an owner to OpenClaw, so nothing that a person wrote may stand where
OpenClaw could take it for a command of theirs: every message begins with who said it.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from gateway.core.ids import AgentId
from plugin_bridge.wire import RememberedMessage, WireEvent

_TURNS: Final = frozenset({"message.created", "command.invoked"})
_MAX_NAME_CHARS: Final = 80


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the talk; `by_agent` when the agent said it itself."""

    text: str
    by_agent: bool = False


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent is asked. `session` is one per conversation and agent, `earlier` the talk that
    it has not been given, oldest first.
    """

    agent: AgentId
    session: str
    instructions: str
    earlier: tuple[Said, ...]
    message: str


def turn_of(payload: bytes, agent: AgentId | None = None) -> Turn | None:
    """Read a delivery's body as a turn; None for what is no question to anybody.

    `agent` takes the place of the one that routing chose. Raises ValueError for another body.
    """
    event = msgspec.json.decode(payload, type=WireEvent)
    message = _message(event) if event.type in _TURNS else ""
    if not message:
        return None
    who = agent or AgentId(event.agent)
    remembered = event.history or ()
    return Turn(
        agent=who,
        session=session_key(who, event.conversation.platform, event.conversation.id),
        instructions=_instructions(event),
        earlier=tuple(_said(each) for each in remembered),
        message=message,
    )


def session_key(agent: AgentId, platform: str, conversation: str) -> str:
    """Name the session of a conversation.

    OpenClaw compares these in lower case, where two ids of a platform may become one: hence a
    digest. https://docs.openclaw.ai/gateway/openresponses-http-api#session-behavior
    """
    digest = hashlib.sha256(conversation.encode()).hexdigest()[:32]
    return f"agent:{agent}:aegis-http:{platform}:{digest}"


def _message(event: WireEvent) -> str:
    text = event.text.strip()
    if event.command:
        text = f"used the command {event.command.name}: {text}".removesuffix(": ")
    names = [_one_line(each.name or each.id) for each in event.attachments]
    if names:
        text += f"\n(with files that cannot be opened here: {', '.join(names)})"
    if not text:
        return ""
    return f"{_who(event.sender.name, event.sender.id)}: {text}"


def _said(remembered: RememberedMessage) -> Said:
    if remembered.sender.is_self:
        return Said(text=remembered.text, by_agent=True)
    who = _who(remembered.sender.name, remembered.sender.id)
    return Said(text=f"{who}: {remembered.text}")


def _who(name: str | None, person: str) -> str:
    return f"{_one_line(name)} ({person})" if name else person


def _one_line(text: str) -> str:
    # A name with a line break in it could speak in the name of somebody else.
    return " ".join(text.split())[:_MAX_NAME_CHARS]


def _instructions(event: WireEvent) -> str:
    place = "direct conversation" if event.conversation.kind == "direct" else "shared conversation"
    return (
        f"You are spoken to in a {place} on {event.conversation.platform}; each message begins "
        "with its sender. Your answer is posted there as Markdown. Files, buttons and further "
        "messages cannot be sent from here."
    )
