"""Counts what a platform's sockets do. Fits the observer that socket adapters ask for."""

from __future__ import annotations

import time

from gateway.core.events import Ignored
from gateway.telemetry.metrics import Metrics


class SocketMetrics:
    """The sockets of one platform, as metrics."""

    def __init__(self, platform: str, metrics: Metrics) -> None:
        self._platform = platform
        self._metrics = metrics
        self._last_event = time.monotonic()
        # Computed at the scrape, so that the age grows while nothing happens: a deaf socket shows.
        age = metrics.connection_last_event_age.labels(platform, "any")
        age.set_function(self._age_s)

    def connected(self, open_sockets: int) -> None:
        """So many sockets are open now."""
        self._metrics.connections.labels(self._platform).set(open_sockets)

    def disconnected(self, reason: str) -> None:
        """A socket ended or could not be opened."""
        self._metrics.reconnects.labels(self._platform, reason).inc()

    def counted(self, sockets: int) -> None:
        """So many sockets has the app by the platform's count."""
        self._metrics.connections_counted.labels(self._platform).set(sockets)

    def answered(self, after_s: float) -> None:
        """A ping was answered."""
        self._metrics.ping_duration.labels(self._platform).observe(after_s)

    def silence(self, slot: int, lasting_s: float) -> None:
        """A slot has brought no event for so long."""
        age = self._metrics.connection_last_event_age.labels(self._platform, str(slot))
        age.set(lasting_s)

    def frame(self, kind: str) -> None:
        """A frame came in."""
        self._last_event = time.monotonic()
        self._metrics.frames.labels(self._platform, kind).inc()

    def unacked(self, reason: str) -> None:
        """An envelope was left for the platform to send again."""
        self._metrics.events_unacknowledged.labels(self._platform, reason).inc()

    def ignored(self, ignored: Ignored) -> None:
        """A frame was acknowledged that is no event."""
        self._metrics.events_ignored.labels(self._platform, ignored.reason).inc()

    def _age_s(self) -> float:
        return time.monotonic() - self._last_event
