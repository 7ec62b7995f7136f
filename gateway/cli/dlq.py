"""`channel-gateway dlq`: look at what could not be delivered, send it again, or let it go."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.arguments import AsJson, TenantArgument, tenant_id
from gateway.cli.console import err, json_out, pairs, table
from gateway.cli.session import with_stores
from gateway.core.ids import DeliveryId, TenantId

if TYPE_CHECKING:
    from gateway.core.deliveries import DeadLetter
    from gateway.store.deadletters import DeadLetterStore
    from gateway.stores import Stores

app = typer.Typer(no_args_is_help=True, help="Dead letters: deliveries that were given up.")

DeliveryArgument = Annotated[
    str, typer.Argument(metavar="DELIVERY", help="Delivery id, as `dlq list` shows it.")
]
_PAGE = 200


@app.command("list")
def list_(
    tenant: TenantArgument,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most rows.")] = 50,
    after: Annotated[str | None, typer.Option(help="Cursor: the `next` of a page.")] = None,
    as_json: AsJson = False,
) -> None:
    """List a tenant's dead letters, oldest first."""
    wanted = tenant_id(tenant)
    letters = with_stores(lambda stores: stores.dead_letters.page(wanted, after=after, limit=limit))
    following = letters[-1].cursor if len(letters) == limit else None
    if as_json:
        json_out({"letters": [_fields(letter) for letter in letters], "next": following})
        return
    columns = ("delivery", "direction", "reason", "attempts", "died at", "conversation")
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
    letter = with_stores(lambda stores: stores.dead_letters.get(wanted, DeliveryId(delivery)))
    fields = _fields(letter)
    if payload:
        fields["payload"] = letter.payload.decode(errors="replace")
    if as_json:
        json_out(fields)
    else:
        pairs(f"Dead letter {letter.id}", fields)


@app.command()
def replay(
    tenant: TenantArgument,
    delivery: Annotated[str | None, typer.Argument(metavar="[DELIVERY]")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of the tenant's.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send dead letters again, under the same delivery ids, at the end of their conversations."""
    if (delivery is None) == (not everything):
        raise typer.BadParameter("name one DELIVERY, or give --all")
    wanted = tenant_id(tenant)
    count = with_stores(lambda stores: _replay(stores, wanted, delivery))
    if as_json:
        json_out({"replayed": count})
    else:
        typer.echo(f"{count} of {wanted} queued again.")


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
    if as_json:
        json_out({"discarded": done})
    else:
        typer.echo(f"{delivery} was {'discarded' if done else 'gone already'}.")


async def _replay(stores: Stores, tenant: TenantId, delivery: str | None) -> int:
    letters = stores.dead_letters
    if delivery is not None:
        letter = await letters.get(tenant, DeliveryId(delivery))
        return int(await letters.replay(letter, actor=getpass.getuser()))
    count = 0
    async for letter in _all(letters, tenant, until=datetime.now(UTC)):
        count += await letters.replay(letter, actor=getpass.getuser())
    return count


async def _all(
    letters: DeadLetterStore, tenant: TenantId, *, until: datetime
) -> AsyncIterator[DeadLetter]:
    """Walk over what is dead by now: what dies again meanwhile must not be walked over for ever."""
    after: str | None = None
    while page := await letters.page(tenant, after=after, limit=_PAGE):
        for letter in page:
            if _moment(letter.died_at_ms) > until:
                return
            yield letter
        after = page[-1].cursor


async def _discard(stores: Stores, tenant: TenantId, delivery: str, reason: str) -> bool:
    letter = await stores.dead_letters.get(tenant, DeliveryId(delivery))
    return await stores.dead_letters.discard(letter, actor=getpass.getuser(), reason=reason)


def _row(letter: DeadLetter) -> tuple[object, ...]:
    died_at = _moment(letter.died_at_ms).isoformat(timespec="seconds")
    reason, attempts = letter.reason.value, letter.attempts
    return letter.id, letter.direction.value, reason, attempts, died_at, letter.conversation


def _fields(letter: DeadLetter) -> dict[str, object]:
    return {
        "delivery": letter.id,
        "direction": letter.direction.value,
        "conversation": letter.conversation,
        "reason": letter.reason.value,
        "detail": letter.detail,
        "attempts": letter.attempts,
        "accepted_at": _moment(letter.accepted_at_ms).isoformat(),
        "died_at": _moment(letter.died_at_ms).isoformat(),
    }


def _moment(unix_ms: int) -> datetime:
    return datetime.fromtimestamp(unix_ms / 1000, UTC)
