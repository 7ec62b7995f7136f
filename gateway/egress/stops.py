"""What follows when a user stops an answer: the agent is told, and the answer ends as it stands."""

from __future__ import annotations

import structlog

from gateway.core.errors import QueueFullError
from gateway.core.events import InboundEvent
from gateway.core.ids import MessageId, TenantId
from gateway.core.ports import Accept
from gateway.egress.streams import Streaming

log = structlog.get_logger()


class Stops:
    """Both may be repeated: the event has a dedupe key, and a stream ends once."""

    def __init__(self, hear: Accept | None, streaming: Streaming) -> None:
        """`hear` is the way of events to agents, like any that a platform sends."""
        self._hear = hear
        self._streaming = streaming

    async def __call__(self, tenant: TenantId, stream: MessageId, event: InboundEvent) -> None:
        """Tell and end. Raises StoreError, and QueueFullError while the agent cannot be told."""
        if self._hear is not None:
            await self._hear(event)
        log.info("stream.stopped", tenant_id=tenant, stream=stream)
        try:
            await self._streaming.halt(tenant, stream)
        except QueueFullError:
            # The sweep will end it: nothing more is shown meanwhile.
            log.warning("stream.not_ended", tenant_id=tenant, stream=stream)
