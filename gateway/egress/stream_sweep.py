"""Ends streams whose agents have fallen silent, with what they have said.

Every replica may do it, for to end a stream twice changes nothing: no lease is needed.
"""

from __future__ import annotations

import asyncio

import structlog

from gateway.core.errors import QueueFullError
from gateway.egress.streams import Streaming
from gateway.store.streams import StreamTexts

log = structlog.get_logger()

ABANDONED_AFTER_S = 120.0
EVERY_S = 15.0


class StreamSweep:
    """Looks for them now and then."""

    def __init__(self, texts: StreamTexts, streaming: Streaming) -> None:
        self._texts = texts
        self._streaming = streaming

    async def run(self) -> None:
        """Sweep until cancelled. Raises StoreError."""
        while True:
            await self.sweep()
            await asyncio.sleep(EVERY_S)

    async def sweep(self, idle_s: float = ABANDONED_AFTER_S) -> None:
        """End what has been silent for so long. Raises StoreError."""
        for tenant, stream in await self._texts.abandoned(idle_s):
            try:
                await self._streaming.give_up(tenant, stream)
            except QueueFullError:
                # Its turn comes with the next sweep; others need not wait for it.
                continue
            log.info("stream.abandoned", tenant_id=tenant, stream=stream)
