"""The bench can still drive the gateway: a handful of messages through all that it wires."""

from __future__ import annotations

from dataclasses import replace

from loadtests.comparison import compare
from loadtests.profiles import QUICK
from loadtests.report import exit_code
from loadtests.results import Results
from loadtests.rig import receiving
from loadtests.subjects import gateway

TINY = replace(
    QUICK,
    repetitions=1,
    warm_up=40,
    least_drained=40,
    most_drained=40,
    paced=20,
    burst=40,
    tenants=4,
    lanes=20,
)


def test_the_gateway_delivers_what_the_bench_publishes() -> None:
    """Queued, paced and in a burst: every message once, in order, to its tenant."""
    skipped: dict[str, str] = {}
    results = Results(TINY.name, TINY.in_flight, TINY.rate_per_s, skipped=skipped)
    with receiving(lambda _text: None) as receiver:
        launches = [gateway.launch(TINY.in_flight)]
        results.subjects = compare(launches, receiver, TINY, lambda _text: None, skipped)
    measured = results.subjects["gateway"]
    assert (60, 40) == (measured.drain.ledger.arrived, measured.burst.arrived)
    assert 0 == exit_code(results)
    assert measured.latency is not None
    assert 20 == measured.latency.samples
