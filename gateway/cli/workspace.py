"""`channel-gateway workspace`: give workspaces to tenants. A token never stands in arguments."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gateway.cli.arguments import AsJson, TenantArgument, tenant_id
from gateway.cli.console import err, json_out, table
from gateway.cli.session import with_stores
from gateway.core.ids import Platform, WorkspaceId
from gateway.core.tenants import Credential
from gateway.provisioning.views import BoundWorkspace

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Workspaces: which tenant they belong to."
)

PlatformArgument = Annotated[Platform, typer.Argument(help="Where people talk.")]
WorkspaceArgument = Annotated[
    str, typer.Argument(metavar="WORKSPACE", help="The platform's id of it, such as T0123ABCD.")
]


@app.command()
def bind(
    tenant: TenantArgument,
    platform: PlatformArgument,
    workspace: WorkspaceArgument,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read the bot token from standard input.")
    ] = False,
    bot_user: Annotated[str | None, typer.Option(help="The bot's own user id there.")] = None,
    as_json: AsJson = False,
) -> None:
    """Bind a workspace to a tenant. On a terminal the bot token is asked for, unseen.

    Binding again with a token replaces the stored one, without a token keeps it.
    """
    wanted = tenant_id(tenant)
    token = _token(token_stdin)
    if bot_user and not token:
        raise typer.BadParameter("--bot-user needs a token: give both")
    credential = Credential(bot_token=token, bot_user=bot_user) if token else None
    bound = with_stores(
        lambda stores: stores.provisioning.bind(
            wanted, platform, WorkspaceId(workspace), credential
        )
    )
    if not bound.has_credential:
        err.print("No bot token is stored: the gateway can listen there, but not answer.")
    if as_json:
        json_out(bound)
    else:
        typer.echo(f"{platform.value} workspace {bound.workspace} belongs to tenant {wanted}.")


@app.command()
def unbind(
    platform: PlatformArgument, workspace: WorkspaceArgument, as_json: AsJson = False
) -> None:
    """Take a workspace, with its token, from its tenant."""
    tenant = with_stores(
        lambda stores: stores.provisioning.unbind(platform, WorkspaceId(workspace))
    )
    if as_json:
        json_out({"tenant": tenant, "platform": platform, "workspace": workspace})
    else:
        typer.echo(f"{platform.value} workspace {workspace} was taken from tenant {tenant}.")


@app.command("list")
def list_(
    tenant: Annotated[str | None, typer.Option(help="Only those of one tenant.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the bound workspaces."""
    wanted = None if tenant is None else tenant_id(tenant)
    bound = with_stores(lambda stores: stores.provisioning.bindings(wanted))
    if as_json:
        json_out(bound)
    else:
        columns = ("platform", "workspace", "tenant", "epoch", "token", "bot user")
        table("Workspaces", columns, [_row(workspace) for workspace in bound])


def _token(from_stdin: bool) -> str:
    if from_stdin:
        token = sys.stdin.readline().strip()
        if not token:
            raise typer.BadParameter("--token-stdin: standard input is empty")
        return token
    if not sys.stdin.isatty():
        return ""
    answer: str = typer.prompt(
        "Bot token (empty for none)", default="", hide_input=True, show_default=False, err=True
    )
    return answer.strip()


def _row(bound: BoundWorkspace) -> tuple[object, ...]:
    token = "stored" if bound.has_credential else "none"
    return bound.platform, bound.workspace, bound.tenant, bound.epoch, token, bound.bot_user
