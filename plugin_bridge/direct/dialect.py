"""How a turn is put to one of OpenClaw's HTTP endpoints, and how its answer and its errors read."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from plugin_bridge.direct.turns import Turn

# What OpenClaw says when the agent chose to say nothing (as of 2026.9.6).
SILENCE: Final = "No response from OpenClaw."


class Dialect(Protocol):
    """One endpoint. Pure."""

    @property
    def path(self) -> str:
        """Where it is, below OpenClaw's address."""

    @property
    def setting(self) -> str:
        """What turns it on in OpenClaw's configuration."""

    def question(self, turn: Turn) -> bytes:
        """Write the turn as a request's body."""

    def answer(self, body: bytes) -> str:
        """Read what the agent said, "" for nothing. Raises ValueError."""


class Trouble(msgspec.Struct, frozen=True):
    """What an error's body tells: `began` when the agent was at work before it failed."""

    message: str
    began: bool


class _Error(msgspec.Struct, frozen=True):
    message: str = ""
    type: str = ""


class _Body(msgspec.Struct, frozen=True):
    object: str = ""
    error: _Error | None = None


# What fails while an agent works bears the type of the model's trouble; what OpenClaw refuses by
# itself bears others, such as "unauthorized" or "rate_limited".
_OF_A_TURN: Final = frozenset(
    {
        "api_error",
        "authentication_error",
        "insufficient_quota",
        "permission_error",
        "rate_limit_error",
    }
)


def trouble(body: bytes) -> Trouble | None:
    """Read an error of OpenClaw's; None when the body is somebody else's, such as a proxy's."""
    try:
        read = msgspec.json.decode(body, type=_Body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if read.error is None:
        return None
    began = read.object == "response" or read.error.type in _OF_A_TURN
    return Trouble(read.error.message[:200], began)


def spoken(text: str) -> str:
    """Tell silence from an answer."""
    stripped = text.strip()
    return "" if stripped == SILENCE else stripped
