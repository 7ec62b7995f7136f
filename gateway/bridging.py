"""How deliveries reach containers: through their plugins, or direct. Wires, and decides nothing."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.engine.ownership import MakeWorker
from gateway.monitor import EndpointMonitor
from gateway.sealing import Seal
from gateway.store.breakers import BreakerStore
from gateway.telemetry.metrics import Metrics
from plugin_bridge.bridge import Bridge, ReplyToken, TakeReplies
from plugin_bridge.direct.mode import DirectMode
from plugin_bridge.health import HealthProbe
from plugin_bridge.transport import Transport


@dataclass(frozen=True, slots=True)
class Outgoing:
    """How containers are reached."""

    transport: Transport
    probe: HealthProbe

    def bridge(self, seal: Seal, replies: TakeReplies, reply_token: ReplyToken) -> Bridge:
        """Make what attempts deliveries."""
        direct = DirectMode(self.transport, seal.open, replies)
        return Bridge(self.transport, seal.open, replies, reply_token, direct.attempt)

    def monitors(self, breakers: BreakerStore, metrics: Metrics) -> MakeWorker:
        """Make what makes the monitor of a shard."""
        return lambda lease: EndpointMonitor(
            lease, breakers, self.probe, metrics, probe_direct=self.probe.direct
        )
