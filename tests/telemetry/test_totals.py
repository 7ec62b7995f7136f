"""Several processes, one scrape."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from gateway.telemetry.metrics import Metrics
from gateway.telemetry.totals import Family, Totals, snapshot


def _values(text: bytes) -> dict[tuple[str, str], float]:
    return {
        (
            sample.name,
            ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items())),
        ): (sample.value)
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def _worked(events: int, took_s: float, lag_s: float, in_flight: int) -> Metrics:
    metrics = Metrics()
    metrics.events_received.labels("slack", "message.created").inc(events)
    metrics.routing_duration.labels("slack").observe(took_s)
    metrics.event_loop_lag.set(lag_s)
    metrics.inflight.labels("in").inc(in_flight)
    return metrics


def test_one_process_reads_the_same_as_by_itself() -> None:
    """Names, types, labels, bounds, order: nothing is lost on the way."""
    metrics = _worked(3, 0.02, 0.1, 5)
    totals = Totals(metrics.across)

    assert metrics.exposition() == totals.exposition([snapshot(metrics.registry)])


def test_counters_and_histograms_add_up_and_a_gauge_as_it_says() -> None:
    """What each has is summed; of what all look at, the worst is shown."""
    first, second = _worked(3, 0.02, 0.1, 5), _worked(4, 0.2, 0.3, 6)
    totals = Totals(first.across)

    shown = _values(totals.exposition([snapshot(each.registry) for each in (first, second)]))

    assert 7 == shown["gateway_events_received_total", "kind=message.created,platform=slack"]
    assert 1 == shown["gateway_routing_duration_seconds_bucket", "le=0.025,platform=slack"]
    assert 2 == shown["gateway_routing_duration_seconds_bucket", "le=0.25,platform=slack"]
    assert 2 == shown["gateway_routing_duration_seconds_count", "platform=slack"]
    assert 0.22 == round(shown["gateway_routing_duration_seconds_sum", "platform=slack"], 9)
    assert 0.3 == shown["gateway_event_loop_lag_seconds", ""]
    assert 11 == shown["gateway_inflight", "direction=in"]


def test_what_an_ended_process_counted_stays_counted_and_its_gauges_go() -> None:
    """No total ever falls, over two ends of a worker; what it held, it holds no more."""
    totals = Totals(Metrics().across)
    for events in (3, 4):
        totals.keep(snapshot(_worked(events, 0.02, 0.1, 5).registry))
    living = snapshot(_worked(10, 0.02, 0.0, 1).registry)

    shown = _values(totals.exposition([living]))

    assert 17 == shown["gateway_events_received_total", "kind=message.created,platform=slack"]
    assert 3 == shown["gateway_routing_duration_seconds_count", "platform=slack"]
    assert 1 == shown["gateway_inflight", "direction=in"]
    assert 0 == shown["gateway_event_loop_lag_seconds", ""]


def test_every_gauge_says_what_becomes_of_several() -> None:
    """One that nobody thought of would be shown as the largest, true or not."""
    metrics = Metrics()
    gauges = {each.name for each in snapshot(metrics.registry) if each.kind == "gauge"}

    assert gauges == set(metrics.across)
    assert all(isinstance(each, Family) for each in snapshot(metrics.registry))
