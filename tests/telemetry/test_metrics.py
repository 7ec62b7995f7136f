"""The names that dashboards and alerts are built on."""

from __future__ import annotations

import re

from gateway.core.events import Ignored, IgnoredReason
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.sockets import SocketMetrics

# Section "Names of metrics" of the plan.
PROMISED = (
    "events_received_total",
    "events_routed_total",
    "routing_duration_seconds",
    "tenant_resolve_total",
    "delivery_attempts_total",
    "delivery_duration_seconds",
    "end_to_end_seconds",
    "retries_total",
    "dead_letters_total",
    "dead_letter_depth",
    "queue_depth",
    "queue_oldest_age_seconds",
    "inflight",
    "dedupe_hits_total",
    "isolation_violations_total",
    "platform_requests_total",
    "platform_rate_limited_total",
    "connections",
    "connection_last_event_age_seconds",
    "reconnects_total",
    "audit_lag_seconds",
    "audit_dropped_total",
    "store_errors_total",
    "event_loop_lag_seconds",
    "build_info",
    "breaker_state",
)


def _names(metrics: Metrics) -> set[str]:
    return set(re.findall(r"^# TYPE (\S+) ", metrics.exposition().decode(), re.MULTILINE))


def test_every_promised_name_is_exposed_from_the_start() -> None:
    """Also before anything was counted, so that an alert can tell 0 from missing."""
    missing = {f"gateway_{name}" for name in PROMISED} - _names(Metrics())

    assert set() == missing


def test_all_names_follow_the_conventions() -> None:
    """One prefix; counters end in _total, times in _seconds."""
    assert [] == [name for name in _names(Metrics()) if not name.startswith("gateway_")]


def test_no_label_names_a_tenant() -> None:
    """Tenants are without number, and what one does is no other's business."""
    metrics = Metrics()
    labels = {
        label
        for collector in metrics.registry.collect()
        for sample in collector.samples
        for label in sample.labels
    }

    assert set() == {label for label in labels if "tenant" in label}


def test_two_processes_worth_of_metrics_do_not_share_anything() -> None:
    """No globals: a second instance starts at 0."""
    first, second = Metrics(), Metrics()
    first.isolation_violations.inc()

    assert 0.0 == second.registry.get_sample_value("gateway_isolation_violations_total")


def test_sockets_are_counted() -> None:
    """What the observer of a socket adapter is told ends up under the plan's names."""
    metrics = Metrics()
    sockets = SocketMetrics("slack", metrics)

    sockets.connected(2)
    sockets.disconnected("refresh_requested")
    sockets.frame("events_api")
    sockets.unacked("store_error")
    sockets.counted(3)
    sockets.answered(0.02)
    sockets.silence(2, 1.5)
    sockets.ignored(Ignored(IgnoredReason.MALFORMED, "payload.event is missing"))

    value = metrics.registry.get_sample_value
    assert [3.0, 1.0, 1.5] == [
        value("gateway_connections_counted", {"platform": "slack"}),
        value("gateway_ping_duration_seconds_count", {"platform": "slack"}),
        value(
            "gateway_connection_last_event_age_seconds", {"platform": "slack", "connection": "2"}
        ),
    ]
    assert [2.0, 1.0, 1.0, 1.0, 1.0] == [
        value("gateway_connections", {"platform": "slack"}),
        value("gateway_reconnects_total", {"platform": "slack", "reason": "refresh_requested"}),
        value("gateway_frames_total", {"platform": "slack", "kind": "events_api"}),
        value(
            "gateway_events_unacknowledged_total", {"platform": "slack", "reason": "store_error"}
        ),
        value("gateway_events_ignored_total", {"platform": "slack", "reason": "malformed"}),
    ]


def test_the_age_of_the_last_event_grows_by_itself() -> None:
    """A deaf socket shows: the age is computed at the scrape, not when something comes in."""
    metrics = Metrics()
    SocketMetrics("slack", metrics)

    ages = [
        metrics.registry.get_sample_value(
            "gateway_connection_last_event_age_seconds",
            {"platform": "slack", "connection": "any"},
        )
        for _ in range(2)
    ]

    assert ages[0] is not None
    assert ages[1] is not None
    assert 0.0 <= ages[0] < ages[1]
