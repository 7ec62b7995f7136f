"""What stands in one Socket Mode frame. Pure; no frame is too odd to be read.

https://docs.slack.dev/apis/events-api/using-socket-mode/
"""

from __future__ import annotations

import msgspec
import orjson

from adapters.slack.fields import Fields
from gateway.core.events import Ignored, IgnoredReason

EVENTS_API = "events_api"
SLASH_COMMANDS = "slash_commands"
INTERACTIVE = "interactive"

_KNOWN_TYPES = frozenset({"hello", "disconnect", EVENTS_API, SLASH_COMMANDS, INTERACTIVE})
_KNOWN_ENDS = frozenset({"warning", "refresh_requested", "link_disabled", "too_many_websockets"})


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """The connection stands. `connections` is how many the app has by Slack's count, this one
    included; 0 when it does not say.
    """

    connections: int = 0
    type: str = "hello"


class Disconnect(msgspec.Struct, frozen=True, kw_only=True):
    """Slack is about to close the connection."""

    reason: str
    type: str = "disconnect"


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """Something that wants an acknowledgement under its `id`. `retry` counts earlier attempts;
    `answerable` says that the acknowledgement may carry an answer.
    """

    id: str
    type: str
    payload: object
    retry: int
    answerable: bool = False


Frame = Hello | Disconnect | Envelope | Ignored


def read_frame(raw: bytes, *, max_bytes: int) -> Frame:
    """Read one frame; types and reasons are from closed sets, `other` stands for the rest."""
    if len(raw) > max_bytes:
        return Ignored(IgnoredReason.MALFORMED, "the frame is too large")
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return Ignored(IgnoredReason.MALFORMED, "the frame is no JSON")
    if not isinstance(document, dict):
        return Ignored(IgnoredReason.MALFORMED, "the frame is not an object")
    return _read_object(document)


def _read_object(document: dict[str, object]) -> Frame:
    fields = Fields(document)
    kind = _one_of(_KNOWN_TYPES, fields.text("type"))
    envelope_id = fields.text("envelope_id")
    if kind == "hello":
        return Hello(connections=fields.count("num_connections"))
    if kind == "disconnect":
        return Disconnect(reason=_one_of(_KNOWN_ENDS, fields.text("reason")))
    if envelope_id:
        return Envelope(
            id=envelope_id,
            type=kind,
            payload=document.get("payload"),
            retry=fields.count("retry_attempt"),
            answerable=fields.flag("accepts_response_payload"),
        )
    if kind == "other":
        return Ignored(IgnoredReason.NOT_AN_EVENT, "type is not known")
    return Ignored(IgnoredReason.MALFORMED, "envelope_id is missing")


def _one_of(known: frozenset[str], text: str) -> str:
    # These become metric labels, which must not grow with what a stranger sends.
    return text if text in known else "other"
