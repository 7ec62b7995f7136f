"""`channel-gateway dlq`: look at what could not be delivered, send it again, or let it go."""

from __future__ import annotations

import asyncio
import getpass
import re
import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer
from rich.progress import Progress

from gateway.archive.pages import AuditFilter
from gateway.cli.arguments import AsJson, TenantArgument, moment, tenant_id
from gateway.cli.console import err, json_out, pairs, table
from gateway.cli.session import with_stores
from gateway.core.deliveries import DeadLetter, Direction, Fault, Reason, fault_of
from gateway.core.ids import DeliveryId, TenantId
from gateway.redrive import LetterFilter, Redrive, Redriven

if TYPE_CHECKING:
    from gateway.stores import Stores

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Dead letters: deliveries that were given up."
)

DeliveryArgument = Annotated[
    str, typer.Argument(metavar="DELIVERY", help="Delivery id, as `dlq list` shows it.")
]
_MAX_HISTORY = 200
_CURSOR: Final = re.compile(r"[0-9]{1,15}-[0-9]{1,15}")


@app.command("list")
def list_(
    tenant: TenantArgument,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most rows.")] = 50,
    after: Annotated[str | None, typer.Option(help="Cursor: the `next` of a page.")] = None,
    as_json: AsJson = False,
) -> None:
    """List a tenant's dead letters, oldest first."""
    wanted = tenant_id(tenant)
    if after is not None and not _CURSOR.fullmatch(after):
        raise typer.BadParameter("a cursor is the `next` of an earlier page")
    letters = with_stores(lambda stores: stores.dead_letters.page(wanted, after=after, limit=limit))
    following = letters[-1].cursor if len(letters) == limit else None
    if as_json:
        json_out({"letters": [_fields(letter) for letter in letters], "next": following})
        return
    columns = ("delivery", "direction", "fault", "reason", "attempts", "died at", "conversation")
    table(f"Dead letters of {wanted}", columns, [_row(letter) for letter in letters])
    if following:
        err.print(f"More: --after {following}")


@app.command()
def show(
    tenant: TenantArgument,
    delivery: DeliveryArgument,
    payload: Annotated[bool, typer.Option(help="Also what was said.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one dead letter. What people said is shown only on demand."""
    wanted = tenant_id(tenant)

    async def work(stores: Stores) -> tuple[DeadLetter, list[dict[str, object]]]:
        letter = await stores.dead_letters.get(wanted, DeliveryId(delivery))
        return letter, await _history(stores, wanted, letter.id)

    letter, history = with_stores(work)
    fields = _fields(letter)
    if payload:
        fields["payload"] = letter.payload.decode(errors="replace")
    if as_json:
        json_out(fields | {"history": history})
    else:
        pairs(f"Dead letter {letter.id}", fields)
        columns = ("at", "action", "attempt", "reason", "detail")
        table("Its history", columns, [tuple(each.values()) for each in history])


@app.command()
def replay(  # noqa: PLR0913 - one parameter an option, as typer reads them
    tenant: TenantArgument,
    delivery: Annotated[str | None, typer.Argument(metavar="[DELIVERY]")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All that match.")] = False,
    direction: Annotated[Direction | None, typer.Option(help="Only this direction.")] = None,
    reason: Annotated[Reason | None, typer.Option(help="Only this reason.")] = None,
    fault: Annotated[Fault | None, typer.Option(help="Only this one's trouble.")] = None,
    conversation: Annotated[str | None, typer.Option(help="Only this conversation.")] = None,
    since: Annotated[str | None, typer.Option(help="Died since: ISO 8601, or 2h.")] = None,
    until: Annotated[str | None, typer.Option(help="Died before: ISO 8601, or 2h.")] = None,
    rate: Annotated[float, typer.Option(min=0.1, max=1000, help="Most per second.")] = 20.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send dead letters again, under the same delivery ids, oldest first. Ctrl-C stops it."""
    if (delivery is None) == (not everything):
        raise typer.BadParameter("name one DELIVERY, or give --all")
    filters = (direction, reason, fault, conversation, since, until)
    if delivery is not None and (dry_run or any(each is not None for each in filters)):
        # Ignored, a dry run would be a replay.
        raise typer.BadParameter("--dry-run and filters go with --all")
    wanted = tenant_id(tenant)
    chosen = LetterFilter(
        direction=direction,
        reason=reason,
        fault=fault,
        conversation=conversation,
        since_ms=_unix_ms(since),
        until_ms=_unix_ms(until),
    )
    if delivery is not None:
        replayed = with_stores(lambda stores: _replay_one(stores, wanted, DeliveryId(delivery)))
        result = Redriven(replayed=int(replayed), gone=int(not replayed), stopped=False)
    elif dry_run:
        count = with_stores(lambda stores: Redrive(stores.dead_letters).count(wanted, chosen))
        _tell(as_json, {"matching": count}, f"{count} of {wanted} would be queued again.")
        return
    else:
        result = with_stores(lambda stores: _replay_all(stores, wanted, chosen, rate))
    ended = " before it was stopped" if result.stopped else ""
    left = f"{result.gone} were gone already, or superseded"
    _tell(
        as_json,
        msgspec.to_builtins(result),
        f"{result.replayed} of {wanted} queued again{ended}; {left}.",
    )


@app.command()
def discard(
    tenant: TenantArgument,
    delivery: DeliveryArgument,
    reason: Annotated[str, typer.Option(help="Why; kept in the audit trail.")],
    as_json: AsJson = False,
) -> None:
    """Drop a dead letter for good."""
    wanted = tenant_id(tenant)
    done = with_stores(lambda stores: _discard(stores, wanted, delivery, reason))
    words = f"{delivery} was {'discarded' if done else 'gone already'}."
    _tell(as_json, {"discarded": done}, words)


async def _history(
    stores: Stores, tenant: TenantId, delivery: DeliveryId
) -> list[dict[str, object]]:
    wanted = AuditFilter(tenant=tenant, delivery_id=delivery)
    page = await stores.archive.search(wanted, limit=_MAX_HISTORY)
    return [
        {
            "at": _moment(entry.at_ms).isoformat(timespec="milliseconds"),
            "action": entry.record.action.value,
            "attempt": entry.record.attempt or None,
            "reason": entry.record.reason,
            "detail": entry.record.detail,
        }
        for entry in reversed(page.entries)
    ]


async def _replay_one(stores: Stores, tenant: TenantId, delivery: DeliveryId) -> bool:
    letter = await stores.dead_letters.get(tenant, delivery)
    return await stores.dead_letters.replay(letter, actor=getpass.getuser())


async def _replay_all(
    stores: Stores, tenant: TenantId, chosen: LetterFilter, rate: float
) -> Redriven:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    redrive = Redrive(stores.dead_letters)
    total = await redrive.count(tenant, chosen)
    with Progress(console=err, transient=True) as view:
        bar = view.add_task(f"replaying {total} of {tenant}", total=total)
        return await redrive.replay(
            tenant,
            chosen,
            actor=getpass.getuser(),
            per_s=rate,
            stop=stop,
            progress=lambda count: view.update(bar, completed=count),
        )


async def _discard(stores: Stores, tenant: TenantId, delivery: str, reason: str) -> bool:
    letter = await stores.dead_letters.get(tenant, DeliveryId(delivery))
    return await stores.dead_letters.discard(letter, actor=getpass.getuser(), reason=reason)


def _tell(as_json: bool, document: object, words: str) -> None:
    if as_json:
        json_out(document)
    else:
        typer.echo(words)


def _unix_ms(text: str | None) -> int | None:
    return None if text is None else round(moment(text).timestamp() * 1000)


def _row(letter: DeadLetter) -> tuple[object, ...]:
    died_at = _moment(letter.died_at_ms).isoformat(timespec="seconds")
    fault, reason = fault_of(letter.reason).value, letter.reason.value
    where = letter.conversation
    return letter.id, letter.direction.value, fault, reason, letter.attempts, died_at, where


def _fields(letter: DeadLetter) -> dict[str, object]:
    return {
        "delivery": letter.id,
        "direction": letter.direction.value,
        "conversation": letter.conversation,
        "fault": fault_of(letter.reason).value,
        "reason": letter.reason.value,
        "detail": letter.detail,
        "attempts": letter.attempts,
        "accepted_at": _moment(letter.accepted_at_ms).isoformat(),
        "died_at": _moment(letter.died_at_ms).isoformat(),
    }


def _moment(unix_ms: int) -> datetime:
    return datetime.fromtimestamp(unix_ms / 1000, UTC)
