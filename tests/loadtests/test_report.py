"""Bars, the exit code, the table and the JSON document."""

from __future__ import annotations

import io
from dataclasses import replace

import orjson
import pytest
from rich.console import Console

from loadtests.bars import bars
from loadtests.figures import Latency
from loadtests.ledger import Ledger
from loadtests.report import as_json, exit_code, show
from loadtests.results import Drain, Neighbour, Resident, Results, Slow, SubjectResult

CLEAN = Ledger(published=10, arrived=10)


def subject(name: str, per_s: float, p95_ms: float = 2.0) -> SubjectResult:
    """A subject that cost 100 us in its process and 20 in Redis."""
    drain = Drain(
        messages=10,
        per_s=per_s,
        worker_us=100,
        redis_us=20,
        ledger=CLEAN,
        accept_per_s=5_000,
        accept_us=50,
    )
    latency = Latency(1.0, p95_ms, 5.0, 100)
    return SubjectResult(name, drain, latency, 80, 1024, CLEAN, (per_s,))


def results() -> Results:
    """A run in which everything was measured."""
    alone, beside = Latency(1, 2, 3, 10), Latency(1, 4, 5, 10)
    return Results(
        profile="quick",
        in_flight=64,
        rate_per_s=200,
        subjects={
            "gateway": subject("gateway", 3_000),
            "bullmq": subject("bullmq", 2_000, p95_ms=1.0),
            "bullmq fetch": subject("bullmq fetch", 1_000),
        },
        skipped={"taskiq": "no network"},
        backlog=Neighbour(alone, beside, 2.0, CLEAN),
        hanging=Neighbour(alone, alone, 1.0, CLEAN),
        slow=[Slow(64, 1_200, 0.94, CLEAN)],
        resident=Resident(10, 100, 60, 90, 20, CLEAN),
    )


def test_bars_compare_within_the_same_run() -> None:
    """Rates at least, latencies at most."""
    found = {
        (bar.row, bar.text): (bar.value, bar.verdict) for bar in bars(results()) if not bar.goal
    }
    assert {
        ("drained/s", "bullmq x 1 or more"): (1.5, "holds"),
        ("drained/s", "bullmq fetch x 1 or more"): (3.0, "holds"),
        ("p95 ms", "bullmq x 1 or less"): (2.0, "missed"),
        ("quiet: backlog", "x 1.5 or less"): (2.0, "missed"),
        ("quiet: hang", "x 1.5 or less"): (1.0, "holds"),
    } == found


def test_a_missing_peer_leaves_its_bars_open() -> None:
    """Not measured is neither held nor missed."""
    alone = results()
    del alone.subjects["bullmq"], alone.subjects["bullmq fetch"]
    verdicts = {bar.row: bar.verdict for bar in bars(alone) if not bar.goal}
    assert ("not measured", "not measured") == (verdicts["drained/s"], verdicts["p95 ms"])


def test_a_missed_bar_is_no_failure() -> None:
    """A slow machine must not fail the bench."""
    assert 0 == exit_code(results())


@pytest.mark.parametrize(
    "fault", ["lost", "doubled", "out_of_order", "wrong_tenant", "overlapping"]
)
def test_a_ledger_of_the_gateway_that_is_not_clean_fails(fault: str) -> None:
    """In whichever of its runs it happened."""
    bad = results()
    bad.slow = [replace(bad.slow[0], ledger=replace(CLEAN, **{fault: 1}))]
    assert 1 == exit_code(bad)


def test_a_peers_ledger_does_not_fail_the_bench() -> None:
    """That peers break the order is a finding about them."""
    broken = results()
    peer = broken.subjects["bullmq"]
    broken.subjects["bullmq"] = replace(peer, burst=replace(CLEAN, out_of_order=500))
    assert 0 == exit_code(broken)


def test_the_table_shows_figures_bars_and_what_was_skipped() -> None:
    """One table, and words for the rest."""
    out = io.StringIO()
    show(results(), Console(file=out, width=160))
    text = out.getvalue()
    for words in ("3,000", "bullmq x 1 or more: 1.50, holds", "skipped: taskiq: no network"):
        assert words in text
    assert "clean: published 60" in text


def test_an_empty_run_can_be_shown() -> None:
    """Nothing measured is no crash."""
    empty = Results("quick", 64, 200)
    show(empty, Console(file=io.StringIO()))
    assert 0 == exit_code(empty)


def test_json_holds_everything() -> None:
    """Figures, bars with their verdicts, and the exit code."""
    document = orjson.loads(as_json(results()))
    assert 3_000 == document["subjects"]["gateway"]["drain"]["per_s"]
    assert 0 == document["exit_code"]
    assert {"holds", "missed"} <= {bar["verdict"] for bar in document["bars"]}
