"""Looks for what an earlier attempt may have posted, before anything is posted again."""

from __future__ import annotations

from collections.abc import Collection

from gateway.core.deliveries import Reason
from gateway.core.errors import SendError
from gateway.core.messages import (
    Act,
    FileUpload,
    OutboundMessage,
    SentMessage,
    StreamFinish,
    StreamStart,
)
from gateway.core.ports import Readback, UploadReadback
from gateway.core.streaming import Streams
from gateway.egress.access import Door
from gateway.telemetry.metrics import Metrics


class Tally:
    """Counts what platforms were asked, by how it ended."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def __call__(self, act: Act, outcome: str) -> None:
        """Count one request."""
        self._metrics.platform_requests.labels(act.conversation.platform, outcome).inc()


class LookUp:
    """Where it cannot be known whether something was posted, that is an error and no `None`."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    async def message(self, message: OutboundMessage, door: Door) -> SentMessage | None:
        """Find the platform's copy of a message. Raises SendError: permanent when it can never be
        known, else the doubt remains.
        """
        sender = door.outlet.sender
        if not isinstance(sender, Readback):
            raise _unknowable()
        try:
            found = await sender.find_sent(message, door.credential)
        except SendError as exc:
            # Whether it was posted is still not known, whatever became of the question.
            exc.ambiguous = True
            raise
        return self._counted(message, found)

    async def start(
        self, start: StreamStart, known: Collection[str], door: Door
    ) -> SentMessage | None:
        """Find a message that may have begun to grow, or been posted in its stead. Raises SendError
        as for a message.
        """
        sender = door.outlet.sender
        if not isinstance(sender, Streams):
            return await self.message(as_post(start, ""), door)
        try:
            found = await sender.find_start(start, known, door.credential)
        except SendError as exc:
            exc.ambiguous = True
            raise
        return self._counted(start, found)

    async def upload(self, upload: FileUpload, file: str, door: Door) -> SentMessage | None:
        """Find the platform's copy of a file, which has this id there. Raises SendError as for a
        message.
        """
        sender = door.outlet.sender
        if not isinstance(sender, UploadReadback):
            raise _unknowable()
        try:
            found = await sender.find_upload(upload, file, door.credential)
        except SendError as exc:
            exc.ambiguous = True
            raise
        return self._counted(upload, found)

    def _counted(self, act: Act, found: SentMessage | None) -> SentMessage | None:
        if found is not None:
            self._tally(act, "found")
        return found


def as_post(act: StreamStart | StreamFinish, text: str) -> OutboundMessage:
    """Make the message that is posted where none grows. Begin and end have one marker: whichever of
    them was posted is found by it.
    """
    end = act if isinstance(act, StreamFinish) else None
    return OutboundMessage(
        id=act.id,
        conversation=act.conversation,
        part=act.part,
        parts=act.parts,
        text=text,
        created_at=act.created_at,
        components=end.components if end else (),
        raw=end.raw if end else None,
    )


def _unknowable() -> SendError:
    detail = "an earlier attempt may have posted it, and the platform cannot tell"
    return SendError(Reason.OUTCOME_UNKNOWN, detail, permanent=True)
