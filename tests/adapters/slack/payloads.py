"""The Slack documents under tests/payloads/slack, and events parsed from them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from adapters.slack.inbound import parse_command, parse_envelope, parse_interactive
from adapters.slack.inbound_context import Parsed
from gateway.core.events import Ignored, InboundEvent

PAYLOADS = Path(__file__).parents[2] / "payloads" / "slack"
NAMES = sorted(path.stem for path in PAYLOADS.glob("*.json"))
"""Bodies of the Events API; `interactive/` and `commands/` hold the others."""

INTERACTIONS = sorted(f"interactive/{path.stem}" for path in PAYLOADS.glob("interactive/*.json"))
COMMANDS = sorted(f"commands/{path.stem}" for path in PAYLOADS.glob("commands/*.json"))
RECEIVED_AT = datetime(2023, 11, 14, 22, 13, 21, tzinfo=UTC)

Document = dict[str, object]


def load(name: str) -> Document:
    """Return the payload of that name, a fresh copy each time."""
    document = json.loads((PAYLOADS / f"{name}.json").read_text())
    assert isinstance(document, dict)
    return document


def inner(payload: Document) -> Document:
    """Return the event inside a payload, to be changed in place."""
    event = payload["event"]
    assert isinstance(event, dict)
    return event


def parse(payload: object, retry: int = 0) -> InboundEvent | Ignored:
    """Parse a payload of one event at a fixed moment."""
    heard = parse_all(payload, retry)
    if isinstance(heard, Ignored):
        return heard
    [event] = heard
    return event


def parse_all(payload: object, retry: int = 0) -> Parsed:
    """Parse a payload at a fixed moment."""
    return parse_envelope(payload, received_at=RECEIVED_AT, retry=retry)


def parsed(name: str) -> InboundEvent:
    """Return the event of a payload that is one."""
    event = parse(load(name))
    assert isinstance(event, InboundEvent), event
    return event


def parse_other(name: str, payload: object) -> Parsed:
    """Parse a payload that is no event; the name's folder tells what it is."""
    if name.startswith("commands/"):
        return parse_command(payload, received_at=RECEIVED_AT)
    return parse_interactive(payload, received_at=RECEIVED_AT)


def heard(name: str) -> InboundEvent:
    """Return the one event of a command or an interaction."""
    events = parse_other(name, load(name))
    assert isinstance(events, tuple), events
    (event,) = events
    return event
