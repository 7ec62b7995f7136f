"""Looks for what an earlier attempt may have posted, before anything is posted again."""

from __future__ import annotations

from gateway.core.deliveries import Reason
from gateway.core.errors import SendError
from gateway.core.messages import Act, FileUpload, OutboundMessage, SentMessage
from gateway.core.ports import Readback, UploadReadback
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

    async def upload(self, upload: FileUpload, door: Door) -> SentMessage | None:
        """Find the platform's copy of a file. Raises SendError as for a message."""
        sender = door.outlet.sender
        if not isinstance(sender, UploadReadback):
            raise _unknowable()
        try:
            found = await sender.find_upload(upload, door.credential)
        except SendError as exc:
            exc.ambiguous = True
            raise
        return self._counted(upload, found)

    def _counted(self, act: Act, found: SentMessage | None) -> SentMessage | None:
        if found is not None:
            self._tally(act, "found")
        return found


def _unknowable() -> SendError:
    detail = "an earlier attempt may have posted it, and the platform cannot tell"
    return SendError(Reason.OUTCOME_UNKNOWN, detail, permanent=True)
