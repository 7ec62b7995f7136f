"""`channel-gateway audit`: what was decided, about what, and why."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from gateway.archive.pages import MAX_PAGE, AuditFilter, AuditPage, moment
from gateway.cli import arguments
from gateway.cli.arguments import AsJson
from gateway.cli.console import err, json_out, table
from gateway.cli.session import with_stores
from gateway.core.audit import AuditAction, AuditEntry

if TYPE_CHECKING:
    from gateway.stores import Stores

app = typer.Typer(add_completion=False, no_args_is_help=True, help="The audit trail.")

_COLUMNS = ("at", "tenant", "action", "outcome", "reason", "conversation", "delivery", "detail")

Tenant = Annotated[str | None, typer.Option(help="Only one tenant's; _unrouted for nobody's.")]


@app.command()
def tail(
    tenant: Tenant = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for new ones.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=MAX_PAGE, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the newest records, the newest last. JSON is one document a line."""
    wanted = AuditFilter(tenant=None if tenant is None else arguments.audited_tenant(tenant))

    async def work(stores: Stores) -> None:
        # Imported here because PostgreSQL's client takes longer to load than `--help` to print.
        from gateway.archive import follow as following  # noqa: PLC0415

        if follow:
            async for entry in following.follow(stores.archive, wanted, count=limit):
                _print(entry, as_json)
        else:
            for entry in await following.latest(stores.archive, wanted, limit):
                _print(entry, as_json)

    with suppress(KeyboardInterrupt):
        with_stores(work)


@app.command()
def search(  # noqa: PLR0913 - one parameter an option, as typer reads them
    *,
    tenant: Tenant = None,
    action: Annotated[AuditAction | None, typer.Option(help="What happened.")] = None,
    event: Annotated[str | None, typer.Option(help="Id of an event.")] = None,
    delivery: Annotated[str | None, typer.Option(help="Id of a delivery.")] = None,
    since: Annotated[str | None, typer.Option(help="ISO 8601, or 2h for two hours ago.")] = None,
    until: Annotated[str | None, typer.Option(help="ISO 8601, or a duration ago.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_PAGE, help="How many.")] = 50,
    before: Annotated[str | None, typer.Option(help="`next` of the page before.")] = None,
    as_json: AsJson = False,
) -> None:
    """Find records, the newest first, a page at a time."""
    wanted = AuditFilter(
        tenant=None if tenant is None else arguments.audited_tenant(tenant),
        action=action,
        event_id=event,
        delivery_id=delivery,
        since=None if since is None else arguments.moment(since),
        until=None if until is None else arguments.moment(until),
    )
    place = None if before is None else arguments.cursor(before)
    page = with_stores(lambda stores: stores.archive.search(wanted, before=place, limit=limit))
    if as_json:
        json_out({"entries": page.entries, "next": None if page.next is None else str(page.next)})
    else:
        _show(page)


def _show(page: AuditPage) -> None:
    table("Audit records", _COLUMNS, [_cells(entry) for entry in page.entries])
    if page.next is not None:
        err.print(f"More: --before {page.next}", markup=False, soft_wrap=True)


def _print(entry: AuditEntry, as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.encode(entry))
    else:
        typer.echo("  ".join(cell for cell in _cells(entry) if cell))


def _cells(entry: AuditEntry) -> tuple[str, ...]:
    record = entry.record
    cells = (
        moment(entry.at_ms).isoformat(timespec="milliseconds"),
        record.tenant,
        record.action.value,
        record.outcome,
        record.reason,
        record.conversation,
        record.delivery_id or record.event_id,
        record.detail,
    )
    return tuple(_printable(cell) for cell in cells)


def _printable(text: str) -> str:
    # An answer of an agent can be quoted in a detail; it must not steer the operator's terminal.
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
