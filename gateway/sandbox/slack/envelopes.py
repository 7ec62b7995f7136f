"""Carries payloads to the app until it acknowledges them, and remembers every try.

Contract: an envelope wants `{"envelope_id": ...}` back within three seconds; an Events API payload
that got none comes again under a new envelope id, with `retry_attempt` and `retry_reason`, at most
three times. Interactive payloads and slash commands come once, and who caused them sees an error.
https://docs.slack.dev/apis/events-api/using-socket-mode/ and
https://docs.slack.dev/apis/events-api/#retries
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

import orjson

from gateway.sandbox.changes import Changes
from gateway.sandbox.slack.rules import SlackRules
from gateway.sandbox.wire import JsonObject


class Line(Protocol):
    """A connected app, as far as sending to it goes."""

    @property
    def number(self) -> int:
        """Tells the connections apart in the ledger."""

    def send(self, text: str) -> None:
        """Put a text frame on the wire, in order, without waiting."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One envelope that was sent. `sockets` are numbered from 1 in the order they connected.

    `event_type` is an event's type, an interaction's type or the name of a slash command.

    `acked` is also true for an answer that came too late to stop the redelivery: compare
    `acked_after_s` with the deadline. `response` is the payload of the acknowledgement.
    """

    envelope_id: str
    type: str
    event_id: str | None
    event_type: str | None
    team_id: str | None
    retry_attempt: int
    socket: int
    at: datetime
    acked: bool = False
    acked_after_s: float | None = None
    acked_on_socket: int | None = None
    response: object = None


@dataclass(slots=True, eq=False)
class _Outstanding:
    envelope: JsonObject
    retried: bool
    attempt: int = 0
    reason: str = "timeout"
    envelope_id: str = ""
    timer: asyncio.TimerHandle | None = None


class Courier:
    """Every envelope's way from offer to acknowledgement or the end of its retries."""

    def __init__(
        self, rules: SlackRules, changes: Changes, next_line: Callable[[], Line | None]
    ) -> None:
        self.deliveries: list[Delivery] = []
        self.given_up: list[str] = []
        self.stray_frames: list[str] = []
        self._rules = rules
        self._changes = changes
        self._next_line = next_line
        self._outstanding: set[_Outstanding] = set()
        self._waiting: dict[str, _Outstanding] = {}
        self._sent: dict[str, tuple[int, float]] = {}

    @property
    def outstanding(self) -> int:
        """Envelopes that are neither acknowledged nor given up."""
        return len(self._outstanding)

    def offer_event(self, payload: JsonObject) -> None:
        """Send an Events API payload, and again until it is acknowledged."""
        envelope: JsonObject = {
            "type": "events_api",
            "accepts_response_payload": False,
            "payload": payload,
        }
        self._begin(_Outstanding(envelope, retried=True))

    def offer_once(self, envelope: JsonObject) -> str:
        """Send any envelope as it is, once; returns its id (made up when it has none)."""
        envelope = {"envelope_id": str(uuid.uuid4())} | envelope
        envelope_id = str(envelope["envelope_id"])
        self._begin(_Outstanding(envelope, retried=False, envelope_id=envelope_id))
        return envelope_id

    def on_frame(self, text: str, socket: int) -> None:
        """Take what the app said: an acknowledgement, or something that Slack would not know."""
        envelope_id, response = _parse_ack(text)
        if envelope_id is None or envelope_id not in self._sent:
            self.stray_frames.append(text)
        else:
            self._note_ack(envelope_id, response, socket)
            outstanding = self._waiting.pop(envelope_id, None)
            if outstanding is not None:
                self._finish(outstanding)
        self._changes.announce()

    def failed(self, envelope_id: str, reason: str, *, again: bool) -> None:
        """Take a refusal: it comes again as if its time had run out, unless the app forbids it."""
        outstanding = self._waiting.get(envelope_id)
        if outstanding is None or outstanding.timer is None:
            return
        outstanding.timer.cancel()
        outstanding.reason = reason
        outstanding.retried = outstanding.retried and again
        self._expire(outstanding)

    def lose_patience(self) -> None:
        """Let the time run out of all that waits for an acknowledgement, now."""
        for outstanding in list(self._waiting.values()):
            if outstanding.timer is not None:
                outstanding.timer.cancel()
            self._expire(outstanding)

    def stop(self) -> None:
        """Send nothing more."""
        for outstanding in list(self._outstanding):
            self._finish(outstanding)

    def _begin(self, outstanding: _Outstanding) -> None:
        self._outstanding.add(outstanding)
        self._send(outstanding)

    def _send(self, outstanding: _Outstanding) -> None:
        if outstanding.retried:
            outstanding.envelope_id = str(uuid.uuid4())
        self._waiting[outstanding.envelope_id] = outstanding
        line = self._next_line()
        if line is not None:
            self._transmit(outstanding, line)
        # With nobody connected the clock runs all the same: the event waits for its redelivery.
        outstanding.timer = asyncio.get_running_loop().call_later(
            self._rules.ack_deadline_s, self._expire, outstanding
        )
        self._changes.announce()

    def _transmit(self, outstanding: _Outstanding, line: Line) -> None:
        envelope = outstanding.envelope
        if outstanding.retried:
            reason = outstanding.reason if outstanding.attempt else ""
            outstanding.reason = "timeout"
            envelope = envelope | {
                "envelope_id": outstanding.envelope_id,
                "retry_attempt": outstanding.attempt,
                "retry_reason": reason,
            }
        self._sent[outstanding.envelope_id] = (
            len(self.deliveries),
            asyncio.get_running_loop().time(),
        )
        self.deliveries.append(_delivery(outstanding, line.number))
        line.send(orjson.dumps(envelope).decode())

    def _expire(self, outstanding: _Outstanding) -> None:
        self._waiting.pop(outstanding.envelope_id, None)
        delays_s = self._rules.redelivery_delays_s if outstanding.retried else ()
        if outstanding.attempt >= len(delays_s):
            self.given_up.append(_event_id(outstanding.envelope) or outstanding.envelope_id)
            self._finish(outstanding)
            self._changes.announce()
            return
        outstanding.attempt += 1
        outstanding.timer = asyncio.get_running_loop().call_later(
            delays_s[outstanding.attempt - 1], self._send, outstanding
        )

    def _finish(self, outstanding: _Outstanding) -> None:
        if outstanding.timer is not None:
            outstanding.timer.cancel()
        self._outstanding.discard(outstanding)

    def _note_ack(self, envelope_id: str, response: object, socket: int) -> None:
        index, sent_at_s = self._sent[envelope_id]
        if self.deliveries[index].acked:
            return
        self.deliveries[index] = replace(
            self.deliveries[index],
            acked=True,
            acked_after_s=asyncio.get_running_loop().time() - sent_at_s,
            acked_on_socket=socket,
            response=response,
        )


def _parse_ack(text: str) -> tuple[str | None, object]:
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None, None
    if not isinstance(frame, dict) or not isinstance(frame.get("envelope_id"), str):
        return None, None
    return frame["envelope_id"], frame.get("payload")


def _delivery(outstanding: _Outstanding, socket: int) -> Delivery:
    payload = outstanding.envelope.get("payload")
    payload = payload if isinstance(payload, dict) else {}
    return Delivery(
        envelope_id=outstanding.envelope_id,
        type=str(outstanding.envelope.get("type")),
        event_id=payload.get("event_id"),
        event_type=_event_type(payload),
        team_id=_team_id(payload),
        retry_attempt=outstanding.attempt,
        socket=socket,
        at=datetime.now(UTC),
    )


def _event_type(payload: JsonObject) -> str | None:
    event = payload.get("event")
    named = event.get("type") if isinstance(event, dict) else payload.get("command")
    named = named or payload.get("type")
    return named if isinstance(named, str) else None


def _team_id(payload: JsonObject) -> str | None:
    team = payload.get("team")
    named = team.get("id") if isinstance(team, dict) else payload.get("team_id")
    return named if isinstance(named, str) else None


def _event_id(envelope: JsonObject) -> str | None:
    payload = envelope.get("payload")
    return payload.get("event_id") if isinstance(payload, dict) else None
