"""One table: figures down, subjects across, the bar at the end of its line. Measures nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from loadtests.bars import Bar, bars
from loadtests.ledger import Ledger
from loadtests.results import Neighbour, Results, SubjectResult

Row = tuple[str, list[str]]
Cell = Callable[[SubjectResult], str]

_BUSY = 0.5

_ROWS: tuple[tuple[str, Cell], ...] = (
    ("drained/s", lambda each: f"{each.drain.per_s:,.0f}"),
    ("  of messages", lambda each: f"{each.drain.messages:,}"),
    ("p50 ms", lambda each: _ms(each, "p50_ms")),
    ("p95 ms", lambda each: _ms(each, "p95_ms")),
    ("p99 ms", lambda each: _ms(each, "p99_ms")),
    ("CPU us, process", lambda each: f"{each.drain.worker_us:,.0f}"),
    ("CPU us, Redis", lambda each: f"{each.drain.redis_us:,.0f}"),
    ("CPU us, with Redis", lambda each: f"{each.drain.worker_us + each.drain.redis_us:,.0f}"),
    ("peak RSS MB", lambda each: f"{each.peak_rss_mb:,.0f}"),
    ("body bytes", lambda each: f"{each.body_bytes:,.0f}" if each.body_bytes else "-"),
    ("lost", lambda each: _count(each, "lost")),
    ("doubled", lambda each: _count(each, "doubled")),
    ("out of order", lambda each: _count(each, "out_of_order")),
    ("wrong tenant", lambda each: _count(each, "wrong_tenant")),
    ("burst: overlapping", lambda each: _overlapping(each.burst)),
    ("burst: out of order", lambda each: _late(each.burst)),
)


def exit_code(results: Results) -> int:
    """1 when a ledger of the gateway is not clean, whatever the speed."""
    return 0 if all(ledger.clean for ledger in results.gateway_ledgers()) else 1


def show(results: Results, console: Console) -> None:
    """Print the table, and in words what it cannot hold."""
    table = Table(title=f"channel-gateway bench, {results.profile}", title_justify="left")
    table.add_column(f"1 KB messages, {results.in_flight} in flight")
    for name in results.subjects:
        table.add_column(name, justify="right")
    table.add_column("bar (same run)")
    found = bars(results)
    for name, cells in _rows(results):
        table.add_row(name, *cells, "\n".join(_marked(bar) for bar in found if bar.row == name))
    console.print(table)
    for name, why in results.skipped.items():
        console.print(f"skipped: {name}: {why}")
    for line in _remarks(results):
        console.print(line)


def as_json(results: Results) -> bytes:
    """Everything, for machines."""
    found = [{**asdict(bar), "verdict": bar.verdict} for bar in bars(results)]
    document: dict[str, Any] = {
        **asdict(results),
        "bars": found,
        "exit_code": exit_code(results),
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def _rows(results: Results) -> Iterator[Row]:
    subjects = results.subjects.values()
    for name, cell in _ROWS:
        yield name, [cell(each) for each in subjects]
    for name, text in _gateway_rows(results):
        yield name, [text if each.name == "gateway" else "" for each in subjects]


def _gateway_rows(results: Results) -> Iterator[tuple[str, str]]:
    if gateway := results.subjects.get("gateway"):
        yield "accept CPU us", f"{gateway.drain.accept_us:,.0f}"
        yield "accepts/s", f"{gateway.drain.accept_per_s:,.0f}"
    if results.backlog:
        yield "quiet: backlog", _p95s(results.backlog)
    if results.hanging:
        yield "quiet: hang", _p95s(results.hanging)
    if results.slow:
        shares = [f"{each.share:.0%} of {each.in_flight}" for each in results.slow]
        yield "slow agents", "\n".join(shares)
    if resident := results.resident:
        yield "resident MB", f"{resident.gateway_mb:,.0f} + Redis {resident.redis_mb:,.0f}"


def _p95s(neighbour: Neighbour) -> str:
    return f"{neighbour.alone.p95_ms:.2f} -> {neighbour.beside.p95_ms:.2f}"


def _ms(subject: SubjectResult, name: str) -> str:
    return f"{getattr(subject.latency, name):.2f}" if subject.latency else "-"


def _count(subject: SubjectResult, name: str) -> str:
    return f"{getattr(subject.drain.ledger, name):,}" if subject.latency else "-"


def _overlapping(burst: Ledger) -> str:
    return f"{burst.overlapping:,} of {burst.published:,}" if burst.published else "-"


def _late(burst: Ledger) -> str:
    return f"{burst.out_of_order:,}" if burst.published else "-"


def _marked(bar: Bar) -> str:
    colour = {"holds": "green", "missed": "red"}.get(bar.verdict, "yellow")
    return f"[{'dim ' if bar.goal else ''}{colour}]{bar}[/]"


def _remarks(results: Results) -> Iterator[str]:
    yield (
        f"p50-p99: open loop at {results.rate_per_s:g}/s, from the scheduled moment to the 2xx. "
        f"Medians of the repetitions; took {results.took_s:.0f} s."
    )
    if results.load_before > _BUSY:
        yield (
            f"Others were using this machine: {results.load_before:.0%} load a core at the start. "
            "Take the ratios with care."
        )
    if resident := results.resident:
        yield (
            f"resident: {resident.tenants:,} tenants, {resident.conversations:,} conversations; "
            f"{resident.idle_mb:,.0f} MB before them; Redis keeps dedupe keys and audit records."
        )
    if not results.gateway_ledgers():
        return
    total = Ledger()
    for ledger in results.gateway_ledgers():
        total = total.plus(ledger)
    verdict = "clean" if exit_code(results) == 0 else "NOT CLEAN"
    yield f"ledger of the gateway over all runs: {verdict}: {_told(total)}"


def _told(ledger: Ledger) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {count:,}" for name, count in asdict(ledger).items()
    )
