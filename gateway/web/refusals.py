"""What egress refuses, in the words of the agent API."""

from __future__ import annotations

from typing import Final, TypeVar

from gateway.egress.requests import Refusal
from gateway.web.errors import ApiError
from gateway.web.operations import Code

T = TypeVar("T")

_WORDS: Final = {
    Refusal.UNKNOWN_CONVERSATION: (
        Code.UNKNOWN_CONVERSATION,
        "no such conversation of yours",
        "conversation",
    ),
    Refusal.UNKNOWN_MESSAGE: (Code.UNKNOWN_MESSAGE, "no such message of yours", "id"),
    Refusal.UNKNOWN_FILE: (Code.UNKNOWN_FILE, "no such file of yours", "files"),
    Refusal.TARGET_UNKNOWN: (Code.UNKNOWN_TARGET, "no such user or channel", "to"),
    Refusal.BLANK_TEXT: (Code.BLANK_TEXT, "there is nothing that can be shown", "text"),
    Refusal.TOO_LONG: (
        Code.MESSAGE_TOO_LONG,
        "the message has more parts than your queue holds",
        "text",
    ),
    Refusal.KEY_REUSED: (
        Code.KEY_REUSED,
        "the key was used for another request",
        "Idempotency-Key",
    ),
    Refusal.STREAM_CLOSED: (Code.STREAM_CLOSED, "the stream has ended", "id"),
    Refusal.OFFSET_MISMATCH: (
        Code.OFFSET_MISMATCH,
        "the stream does not have so many characters",
        "offset",
    ),
}


def granted(result: T | Refusal) -> T:
    """Give the result. Raises ApiError when it is a refusal."""
    if isinstance(result, Refusal):
        code, message, field = _WORDS[result]
        raise ApiError(code, message, field=field)
    return result
