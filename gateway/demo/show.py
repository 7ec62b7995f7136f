"""How the demo looks on a terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console, Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gateway.core.audit import AuditEntry
from gateway.demo.story import COMPANIES, Check, Ending, transcript
from gateway.demo.world import World

_SHOWN_METRICS = (
    "gateway_events_received_total",
    "gateway_events_routed_total",
    "gateway_dedupe_hits_total",
    "gateway_delivery_attempts_total",
    "gateway_isolation_violations_total",
    "gateway_dead_letters_total",
    "gateway_queue_depth",
)


def show_transcript(console: Console, world: World) -> None:
    """Print what the people of each company saw."""
    for company in COMPANIES:
        lines: list[Text] = []
        for where, who, text in transcript(world, company):
            style = "cyan" if who == "agent" else "bold"
            first, *rest = text.splitlines()
            lines.append(Text.assemble((f"{where:18}", "dim"), (f"{who:>6}  ", style), first))
            lines += [Text(" " * 26 + line) for line in rest]
        title = f"{company.name} ({company.team}, tenant {company.tenant})"
        console.print(Panel(Group(*lines), title=title, title_align="left"))


def show_ending(console: Console, ending: Ending) -> None:
    """Print the audit trail, a few metrics, and the checks."""
    console.print(_audit_table(ending.audit))
    console.print(_metrics_table(ending.metrics))
    for check in ending.checks:
        console.print(_check_line(check))


def _audit_table(entries: list[AuditEntry]) -> Table:
    title = f"Audit trail ({len(entries)} records)"
    table = Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0)
    )
    for column, width in (("s", 5), ("tenant", 9), ("action", 19), ("outcome", 20), ("where", 0)):
        table.add_column(column, no_wrap=True, min_width=width or None)
    for entry in entries:
        record = entry.record
        after_s = (entry.at_ms - entries[0].at_ms) / 1000
        outcome = record.reason or record.outcome
        # Without platform and thread: all of them are Slack's, and threads are long numbers.
        where = ":".join(record.conversation.split(":")[1:3])
        table.add_row(f"{after_s:.3f}", record.tenant, record.action.value, outcome, escape(where))
    return table


def _metrics_table(metrics: dict[str, float]) -> Table:
    table = Table(
        title="Metrics", title_justify="left", show_header=False, box=box.SIMPLE, pad_edge=False
    )
    table.add_column(justify="right")
    table.add_column(overflow="fold")
    for name, value in metrics.items():
        if name.startswith(_SHOWN_METRICS) and value:
            short = name.removeprefix("gateway_").replace('platform="slack",', "")
            table.add_row(f"{value:g}", escape(short))
    return table


def _check_line(check: Check) -> Text:
    word, style = ("yes", "green") if check.holds else ("NO", "bold red")
    return Text.assemble((f"{word:>5}  ", style), check.claim)
