"""What becomes of an envelope, whichever way it came: over a socket or as a request. Acknowledges
nothing: who brought it does so once this has returned.
"""

from __future__ import annotations

import asyncio
import logging

import msgspec

from adapters.slack.authorizations import Authorizations
from adapters.slack.dialogs import Dialogs, Pressed, read_press
from adapters.slack.frames import EVENTS_API, INTERACTIVE, SLASH_COMMANDS, Envelope
from adapters.slack.inbound import read_envelope
from adapters.slack.inbound_context import Parsed
from gateway.core.clock import utc_now
from gateway.core.errors import QueueFullError, SendError, StoreError
from gateway.core.events import Ignored, InboundEvent
from gateway.core.ports import Accept, Ignore

_log = logging.getLogger(__name__)

Answer = dict[str, object]


class Reception:
    """Takes envelopes in."""

    def __init__(
        self,
        accept: Accept,
        ignore: Ignore,
        *,
        dialogs: Dialogs | None = None,
        authorizations: Authorizations | None = None,
        command_reply: str = "",
    ) -> None:
        """Without `dialogs` no form opens; without `authorizations` an event of a shared channel is
        heard by the one installation that Slack names. A person who used a slash command reads
        `command_reply`, if there is one, whatever becomes of the command.
        """
        self._accept = accept
        self._ignore = ignore
        self._dialogs = dialogs
        self._authorizations = authorizations
        self._command_reply = command_reply

    async def take(self, envelope: Envelope) -> Answer | None:
        """Take it in, and return what the acknowledgement shall carry. What raises, be it
        StoreError, QueueFullError or another, is not to be acknowledged.
        """
        pressed = self._pressed(envelope)
        if pressed is not None and self._dialogs is not None:
            await self._dialogs.open(pressed)
            return None
        heard: list[InboundEvent] = []
        for payload in await self._copies(envelope):
            copy = msgspec.structs.replace(envelope, payload=payload)
            heard += self._events(read_envelope(copy, received_at=utc_now()))
        await self._accept_all(heard)
        if heard and envelope.type == SLASH_COMMANDS and envelope.answerable:
            return self._reply()
        return None

    def ignore(self, ignored: Ignored) -> None:
        """Note what is no envelope."""
        self._ignore(ignored)

    def _pressed(self, envelope: Envelope) -> Pressed | None:
        if envelope.type != INTERACTIVE or self._dialogs is None:
            return None
        return read_press(envelope.payload, received_at=utc_now())

    async def _copies(self, envelope: Envelope) -> tuple[object, ...]:
        if envelope.type != EVENTS_API or self._authorizations is None:
            return (envelope.payload,)
        return await self._authorizations.copies(envelope.payload)

    def _events(self, heard: Parsed) -> tuple[InboundEvent, ...]:
        if isinstance(heard, Ignored):
            self._ignore(heard)
            return ()
        return heard

    async def _accept_all(self, heard: list[InboundEvent]) -> None:
        if len(heard) == 1:
            await self._accept(heard[0])
            return
        # Apart: one tenant's full queue must not keep an event from the other who shares it.
        ends = await asyncio.gather(*map(self._accept, heard), return_exceptions=True)
        for fault in filter(None, ends):
            raise fault

    def _reply(self) -> Answer | None:
        if not self._command_reply:
            return None
        return {"response_type": "ephemeral", "text": self._command_reply}


def why_unacked(fault: Exception) -> str:
    """Name the fault by which an envelope was not taken in: a word of a closed set."""
    match fault:
        case StoreError():
            return "store_error"
        case QueueFullError():
            return "queue_full"
        case SendError() | TimeoutError():
            _log.warning("a dialog could not be opened: %s", str(fault) or "no answer in time")
            return "dialog"
        case _:
            _log.error("an envelope could not be taken in", exc_info=fault)
            return "fault"
