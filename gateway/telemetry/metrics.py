"""Prometheus metrics of one process. Labels come from closed enums; a tenant is never a label.

Where several processes are one gateway, counters and histograms add up (see totals.py); a gauge
says for itself what becomes of theirs.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from gateway.telemetry.tallies import Counts, Levels, Spreads
from gateway.telemetry.totals import Across

CONTENT_TYPE = CONTENT_TYPE_LATEST
_FAST_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
_SLOW_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Every metric of the gateway. One instance a process, handed to those who count."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.across: dict[str, Across] = {}
        self._intake()
        self._delivery()
        self._containers()
        self._edges()
        self._sockets()
        self._process()

    def exposition(self) -> bytes:
        """Text for a scrape."""
        return generate_latest(self.registry)

    async def scrape(self) -> bytes:
        """Answer a scrape of this process alone."""
        return self.exposition()

    def _counter(self, name: str, text: str, *labels: str) -> Counts:
        return Counts(f"gateway_{name}", text, labels, self.registry)

    def _gauge(self, name: str, text: str, *labels: str, across: Across = sum) -> Gauge:
        """`across` makes one value of those of several processes: the sum of what each has, or the
        largest where all look at the same thing.
        """
        self.across[f"gateway_{name}"] = across
        return Gauge(f"gateway_{name}", text, labels, registry=self.registry)

    def _level(self, name: str, text: str, *labels: str) -> Levels:
        self.across[f"gateway_{name}"] = sum
        return Levels(f"gateway_{name}", text, labels, self.registry)

    def _histogram(self, name: str, text: str, bounds: tuple[float, ...], *labels: str) -> Spreads:
        return Spreads(f"gateway_{name}", text, labels, bounds, self.registry)

    def _intake(self) -> None:
        self.events_received = self._counter(
            "events_received_total", "Platform events taken in", "platform", "kind"
        )
        self.events_ignored = self._counter(
            "events_ignored_total", "Frames that are no event", "platform", "reason"
        )
        self.events_unacknowledged = self._counter(
            "events_unacknowledged_total",
            "Events left for the platform to re-send",
            "platform",
            "reason",
        )
        self.events_routed = self._counter(
            "events_routed_total", "Decisions", "platform", "outcome", "reason"
        )
        self.routing_duration = self._histogram(
            "routing_duration_seconds", "Event in hand to decision stored", _FAST_S, "platform"
        )
        self.tenant_resolve = self._counter(
            "tenant_resolve_total", "Look-ups of a workspace", "outcome"
        )
        self.dedupe_hits = self._counter(
            "dedupe_hits_total", "Commits that were known already", "direction"
        )

    def _delivery(self) -> None:
        self.delivery_attempts = self._counter(
            "delivery_attempts_total",
            "Attempts by how they ended",
            "direction",
            "outcome",
            "reason",
        )
        self.delivery_duration = self._histogram(
            "delivery_duration_seconds", "One attempt", _SLOW_S, "direction"
        )
        self.end_to_end = self._histogram(
            "end_to_end_seconds", "Commit to delivered", _SLOW_S, "direction"
        )
        self.retries = self._counter("retries_total", "Attempts put off", "direction", "reason")
        self.dead_letters = self._counter(
            "dead_letters_total", "Deliveries given up", "direction", "reason"
        )
        self.dead_letter_depth = self._gauge("dead_letter_depth", "Dead letters kept", across=max)
        self.queue_depth = self._gauge("queue_depth", "Deliveries queued", "direction", across=max)
        self.queue_oldest_age = self._gauge(
            "queue_oldest_age_seconds",
            "Age of the oldest queued delivery",
            "direction",
            across=max,
        )
        self.inflight = self._level("inflight", "Attempts running", "direction")
        self.shards_owned = self._gauge("shards_owned", "Shards this replica works on", "role")
        self.isolation_violations = self._counter(
            "isolation_violations_total", "Attempts to cross from one tenant to another"
        )

    def _containers(self) -> None:
        self.breaker_state = self._gauge(
            "breaker_state", "Breakers that are not closed", "state", "shard"
        )
        self.breaker_changes = self._counter(
            "breaker_changes_total", "Breakers opened, closed, endpoints disabled", "change"
        )
        self.endpoints = self._gauge(
            "endpoints", "Endpoints by what their last health check found", "health", "shard"
        )
        self.endpoint_switches = self._counter(
            "endpoint_switches_total", "Tenants sent another way: to the plugin, or direct", "way"
        )
        self.endpoints_direct = self._gauge(
            "endpoints_direct", "Endpoints that are spoken to without a plugin", "shard"
        )

    def _edges(self) -> None:
        self.platform_requests = self._counter(
            "platform_requests_total", "Calls to platforms", "platform", "outcome"
        )
        self.platform_rate_limited = self._counter(
            "platform_rate_limited_total", "Calls that a platform refused for now", "platform"
        )
        self.installations = self._gauge(
            "installations",
            "Installations that are active, in trouble, ended",
            "platform",
            "state",
            across=max,
        )
        self.installations_ended = self._counter(
            "installations_ended_total", "Installations found to be over", "platform", "reason"
        )
        self.token_renewals = self._counter(
            "token_renewals_total", "Renewals of platform tokens", "platform", "outcome"
        )
        self.api_requests = self._counter(
            "api_requests_total", "Requests of agents", "route", "status"
        )

    def _sockets(self) -> None:
        self.connections = self._gauge("connections", "Open sockets to a platform", "platform")
        self.connection_last_event_age = self._gauge(
            "connection_last_event_age_seconds",
            "Since anything came in, through `any` connection and through each",
            "platform",
            "connection",
            across=min,
        )
        self.connections_counted = self._gauge(
            "connections_counted",
            "Open sockets of the app, by the platform's count",
            "platform",
            across=max,
        )
        self.ping_duration = self._histogram(
            "ping_duration_seconds", "From a ping to its answer", _FAST_S, "platform"
        )
        self.events_recovered = self._counter(
            "events_recovered_total", "Events that were missed and read again", "platform"
        )
        self.frames = self._counter("frames_total", "Frames read", "platform", "kind")
        self.reconnects = self._counter("reconnects_total", "Sockets lost", "platform", "reason")

    def _process(self) -> None:
        self.audit_lag = self._gauge(
            "audit_lag_seconds", "Age of the oldest unarchived record", across=max
        )
        self.audit_archived = self._counter("audit_archived_total", "Records archived")
        # Stays at 0: records wait in Redis while the archive is away. It exists to be alerted on.
        self.audit_dropped = self._counter("audit_dropped_total", "Records lost")
        self.store_errors = self._counter("store_errors_total", "Faults of a store", "store")
        self.workers = self._gauge("workers", "Worker processes that run, where there are several")
        self.worker_ends = self._counter("worker_ends_total", "Worker processes that died")
        self.event_loop_lag = self._gauge(
            "event_loop_lag_seconds", "How late the loop runs", across=max
        )
        build = self._gauge("build_info", "Version of the gateway", "version", across=max)
        build.labels(version=_version()).set(1)


def _version() -> str:
    try:
        return version("channel-proxy-gateway")
    except PackageNotFoundError:
        return "unknown"
