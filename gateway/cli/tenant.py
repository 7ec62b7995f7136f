"""`channel-gateway tenant`: add, change, suspend and remove tenants; new keys for them."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from gateway.archive.records import TenantRecord, TenantSpec
from gateway.cli import tenant_options as options
from gateway.cli.arguments import AsJson, TenantArgument, duration, tenant_id
from gateway.cli.console import err, json_out, pairs, table
from gateway.cli.session import with_stores
from gateway.cli.tenant_state import let_go, state_of
from gateway.cli.tenant_view import belongings, fields
from gateway.provisioning.views import TenantView

if TYPE_CHECKING:
    from gateway.stores import Stores

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Tenants: who they are and what they may do."
)


class Secret(StrEnum):
    """What can be rotated."""

    AGENT = "agent"
    SIGNING = "signing"


@app.command()
def add(  # noqa: PLR0913 - one parameter an option, as typer reads them
    tenant: TenantArgument,
    *,
    endpoint: Annotated[str, typer.Option(metavar="URL", help="Where its container listens.")],
    name: options.Name = None,
    timeout: options.Timeout = None,
    agent: options.Agent = None,
    channel_agent: options.ChannelAgent = None,
    rate: options.Rate = None,
    burst: options.Burst = None,
    max_queued: options.MaxQueued = None,
    concurrency: options.Concurrency = None,
    max_file: options.MaxFile = None,
    max_files: options.MaxFiles = None,
    when_full: options.WhenFull = None,
    max_attempts: options.MaxAttempts = None,
    max_age: options.MaxAge = None,
    dm: options.DirectMessages = None,
    mention: options.Mention = None,
    open_channel: options.OpenChannel = None,
    allow_channel: options.AllowChannel = None,
    allow_user: options.AllowUser = None,
    history: options.History = None,
    history_scope: options.Scope = None,
    reactions: options.Reacts = None,
    commander: options.Commander = None,
    reply_token: options.ReplyToken = None,
    mode: options.HowSpokenTo = None,
    direct_url: options.DirectUrl = None,
    direct_surface: options.DirectSurface = None,
    direct_agent: options.DirectAgent = None,
    direct_timeout: options.DirectTimeout = None,
    direct_token_stdin: options.DirectTokenStdin = False,
    as_json: AsJson = False,
) -> None:
    """Add a tenant; prints its agent key and its signing secret, once."""
    given = options.TenantOptions(
        endpoint=endpoint,
        name=name,
        timeout=timeout,
        agent=agent,
        channel_agent=channel_agent,
        rate=rate,
        burst=burst,
        max_queued=max_queued,
        concurrency=concurrency,
        max_file=max_file,
        max_files=max_files,
        when_full=when_full,
        max_attempts=max_attempts,
        max_age=max_age,
        dm=dm,
        mention=mention,
        open_channel=open_channel,
        allow_channel=allow_channel,
        allow_user=allow_user,
        history=history,
        history_scope=history_scope,
        reactions=reactions,
        commander=commander,
        reply_token=reply_token,
        mode=mode,
        direct=options.DirectOptions(direct_url, direct_surface, direct_agent, direct_timeout),
    )
    token = options.read_direct_token(direct_url, from_stdin=direct_token_stdin)
    spec = given.applied_to(TenantSpec(id=tenant_id(tenant), endpoint_url=endpoint))
    created = with_stores(lambda stores: stores.provisioning.add_tenant(spec, token))
    if as_json:
        json_out(created)
        return
    _once(
        f"Tenant {created.id} is added.",
        {"agent key": created.agent_key, "signing secret": created.signing_secret},
    )


@app.command("set")
def set_(  # noqa: PLR0913 - one parameter an option, as typer reads them
    tenant: TenantArgument,
    *,
    endpoint: Annotated[str | None, typer.Option(metavar="URL", help="New endpoint.")] = None,
    name: options.Name = None,
    timeout: options.Timeout = None,
    agent: options.Agent = None,
    channel_agent: options.ChannelAgent = None,
    rate: options.Rate = None,
    burst: options.Burst = None,
    max_queued: options.MaxQueued = None,
    concurrency: options.Concurrency = None,
    max_file: options.MaxFile = None,
    max_files: options.MaxFiles = None,
    when_full: options.WhenFull = None,
    max_attempts: options.MaxAttempts = None,
    max_age: options.MaxAge = None,
    dm: options.DirectMessages = None,
    mention: options.Mention = None,
    open_channel: options.OpenChannel = None,
    allow_channel: options.AllowChannel = None,
    allow_user: options.AllowUser = None,
    history: options.History = None,
    history_scope: options.Scope = None,
    reactions: options.Reacts = None,
    commander: options.Commander = None,
    reply_token: options.ReplyToken = None,
    mode: options.HowSpokenTo = None,
    direct_url: options.DirectUrl = None,
    direct_surface: options.DirectSurface = None,
    direct_agent: options.DirectAgent = None,
    direct_timeout: options.DirectTimeout = None,
    direct_token_stdin: options.DirectTokenStdin = False,
    as_json: AsJson = False,
) -> None:
    """Change what is given. A repeatable option replaces its whole list, '' empties it."""
    given = options.TenantOptions(
        endpoint=endpoint,
        name=name,
        timeout=timeout,
        agent=agent,
        channel_agent=channel_agent,
        rate=rate,
        burst=burst,
        max_queued=max_queued,
        concurrency=concurrency,
        max_file=max_file,
        max_files=max_files,
        when_full=when_full,
        max_attempts=max_attempts,
        max_age=max_age,
        dm=dm,
        mention=mention,
        open_channel=open_channel,
        allow_channel=allow_channel,
        allow_user=allow_user,
        history=history,
        history_scope=history_scope,
        reactions=reactions,
        commander=commander,
        reply_token=reply_token,
        mode=mode,
        direct=options.DirectOptions(direct_url, direct_surface, direct_agent, direct_timeout),
    )
    token = options.read_direct_token(direct_url, from_stdin=direct_token_stdin)
    wanted = tenant_id(tenant)

    async def work(stores: Stores) -> TenantRecord:
        changed = await stores.provisioning.edit_tenant(wanted, given.applied_to, token)
        if endpoint is not None or direct_url is not None or mode is not None:
            await let_go(stores, wanted)
        return changed

    _show_changed(with_stores(work), as_json)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List all tenants."""
    tenants = with_stores(lambda stores: stores.provisioning.tenants())
    if as_json:
        json_out(tenants)
        return
    rows = [
        (record.spec.id, record.spec.name, record.status, record.spec.endpoint_url)
        for record in tenants
    ]
    table("Tenants", ("id", "name", "status", "endpoint"), rows)


@app.command()
def show(tenant: TenantArgument, as_json: AsJson = False) -> None:
    """Show a tenant, its rules and its workspaces."""
    wanted = tenant_id(tenant)

    async def work(stores: Stores) -> tuple[TenantView, dict[str, object]]:
        return await stores.provisioning.show(wanted), await state_of(stores, wanted)

    view, state = with_stores(work)
    if as_json:
        json_out(msgspec.to_builtins(view) | {"state": state})
    else:
        pairs(f"Tenant {wanted}", fields(view.tenant) | belongings(view) | state)


@app.command()
def suspend(tenant: TenantArgument, as_json: AsJson = False) -> None:
    """Drop a tenant's events and let its deliveries wait."""
    wanted = tenant_id(tenant)
    with_stores(lambda stores: stores.provisioning.suspend(wanted))
    _done(as_json, {"tenant": wanted, "status": "suspended"}, f"Tenant {wanted} is suspended.")


@app.command()
def resume(tenant: TenantArgument, as_json: AsJson = False) -> None:
    """End a suspension, and try an endpoint again that was disabled (HTTP 410)."""
    wanted = tenant_id(tenant)

    async def work(stores: Stores) -> None:
        await stores.provisioning.resume(wanted)
        await let_go(stores, wanted)

    with_stores(work)
    _done(as_json, {"tenant": wanted, "status": "active"}, f"Tenant {wanted} is active.")


@app.command()
def remove(
    tenant: TenantArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Unbind its workspaces, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove a tenant with its keys and secrets. A day later its dead letters are discarded."""
    wanted = tenant_id(tenant)
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("add --yes: there is no terminal to ask on")
        typer.confirm(f"Remove tenant {wanted} with its keys and secrets?", abort=True, err=True)
    with_stores(lambda stores: stores.provisioning.remove(wanted, force=force))
    _done(as_json, {"tenant": wanted, "removed": True}, f"Tenant {wanted} is removed.")


@app.command("rotate-key")
def rotate_key(
    tenant: TenantArgument,
    which: Annotated[Secret, typer.Option(help="Which of the two.")] = Secret.AGENT,
    grace: Annotated[str, typer.Option(help="How long the old one stays valid.")] = "24h",
    as_json: AsJson = False,
) -> None:
    """Make a new agent key or signing secret; prints it once."""
    wanted, lasting = tenant_id(tenant), duration(grace)
    if which is Secret.AGENT:
        name = "agent key"
        secret = with_stores(lambda stores: stores.provisioning.rotate_agent_key(wanted, lasting))
    else:
        name = "signing secret"
        secret = with_stores(
            lambda stores: stores.provisioning.rotate_signing_secret(wanted, lasting)
        )
    if as_json:
        json_out({"id": wanted, name.replace(" ", "_"): secret})
    else:
        _once(f"The old {name} of tenant {wanted} ends in {grace}.", {name: secret})


def _show_changed(record: TenantRecord, as_json: bool) -> None:
    if as_json:
        json_out(record)
    else:
        pairs(f"Tenant {record.spec.id}", fields(record))


def _once(what: str, secrets: dict[str, str]) -> None:
    err.print(f"{what} This is shown once:")
    for name, secret in secrets.items():
        # Plain lines, not a table: a folded secret cannot be copied.
        typer.echo(f"{name}: {secret}")


def _done(as_json: bool, result: dict[str, object], text: str) -> None:
    if as_json:
        json_out(result)
    else:
        typer.echo(text)
