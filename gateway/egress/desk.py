"""Everything that agents can ask for, made once from what it stands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.core.ids import Platform
from gateway.core.ports import Accept, Files, Outlet
from gateway.egress.acceptance import Acceptance
from gateway.egress.access import Access, Refused
from gateway.egress.changes import Changes
from gateway.egress.composing import Composer
from gateway.egress.outbox import Heard, Outbox, Paces
from gateway.egress.proactive import Proactive
from gateway.egress.reach import Reach
from gateway.egress.stops import Stops
from gateway.egress.stream_sweep import StreamSweep
from gateway.egress.streams import Streaming
from gateway.egress.submit import Submit
from gateway.egress.typing import TypingLeases
from gateway.sealing import Seal
from gateway.store.connection import Client
from gateway.store.deliveries import DeliveryStore
from gateway.store.ledger import Ledger
from gateway.store.places import PlaceNotes
from gateway.store.streams import StreamTexts
from gateway.store.tenants import TenantLookup
from gateway.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Ground:
    """What the outbound half stands on. `shards` is the number of them."""

    redis: Client
    shards: int
    lookup: TenantLookup
    seal: Seal
    deliveries: DeliveryStore
    files: Files
    metrics: Metrics
    refused: Refused | None = None
    hear: Accept | None = None
    """The way of events to agents."""


class Desk:
    """The outbound half. Its parts share one look at whose a workspace is."""

    def __init__(self, ground: Ground, outlets: Mapping[Platform, Outlet]) -> None:
        reach = Reach(ground.lookup, PlaceNotes(ground.redis, ground.shards))
        access = Access(
            ground.lookup,
            reach,
            ground.seal,
            ground.deliveries,
            outlets,
            ground.metrics,
            ground.refused,
        )
        compose = Composer(ground.files)
        self._ground = ground
        self._access = access
        self._texts = StreamTexts(ground.redis, ground.shards)
        self.ledger = Ledger(ground.redis, ground.shards)
        accept = Acceptance(ground.deliveries, self.ledger, ground.metrics)
        self.submit = Submit(access, compose, accept)
        self.changes = Changes(access, self.ledger, compose, accept)
        self.streaming = Streaming(access, self.ledger, self._texts, compose, accept)
        self.typing = TypingLeases(access)
        self.proactive = Proactive(access)
        self.sweep = StreamSweep(self._texts, self.streaming)

    def outbox(self, paces: Paces) -> Outbox:
        """Make what attempts to do all this."""
        ground = self._ground
        return Outbox(
            self._access,
            self.ledger,
            self._texts,
            ground.files,
            paces,
            ground.metrics,
            Heard(self.typing.posted, Stops(ground.hear, self.streaming)),
        )
