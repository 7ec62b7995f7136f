"""`channel-gateway slack`: the app in Slack and the workspaces that have it. Tokens never stand in
arguments.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.arguments import AsJson, TenantArgument, duration, tenant_id
from gateway.cli.console import err, json_out, pairs, reported, table
from gateway.cli.session import with_stores
from gateway.core.errors import ConfigError

if TYPE_CHECKING:
    from gateway.archive.installations import InstallationRecord
    from gateway.core.installs import NewInstallation
    from gateway.stores import Stores

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="The Slack app and its workspaces."
)


@app.command()
def manifest(
    name: Annotated[str, typer.Option(help="Name of the app, 35 characters at most.")] = (
        "Channel Gateway"
    ),
    command: Annotated[str, typer.Option(help="Slash command; empty for none.")] = "/ask",
    token_rotation: Annotated[
        bool, typer.Option("--token-rotation", help="Let tokens expire. Cannot be undone in Slack.")
    ] = False,
) -> None:
    """Print the app's manifest, as JSON to paste at https://api.slack.com/apps?new_app=1.

    Where events go and where workspaces install the app is taken from the settings.
    """
    with reported():
        from adapters.slack.oauth.manifest import ManifestOptions, checked  # noqa: PLC0415
        from adapters.slack.oauth.manifest import manifest as made  # noqa: PLC0415
        from gateway.settings import load_settings  # noqa: PLC0415

        settings = load_settings()
        if problems := settings.problems_of_installs():
            raise ConfigError("\n".join(problems))
        options = ManifestOptions(
            name=name,
            command=command,
            public_url=settings.public_url,
            over_sockets=settings.slack_mode != "http",
            over_http=settings.slack_mode != "socket",
            rotates=token_rotation,
        )
        json_out(made(checked(options)))


@app.command("install-link")
def install_link(
    tenant: TenantArgument,
    valid: Annotated[str, typer.Option(help="How long it can be used, 30d at most.")] = "24h",
    as_json: AsJson = False,
) -> None:
    """Print a link by which one workspace can join a tenant, once. It is shown here only."""
    wanted, lasting = tenant_id(tenant), duration(valid)

    async def work(stores: Stores) -> str:
        from gateway.installing import install_url  # noqa: PLC0415 - see session.py
        from gateway.settings import load_settings  # noqa: PLC0415

        settings = load_settings()
        # Before a link is made that leads nowhere.
        install_url(settings, "")
        return install_url(settings, await stores.invitations.invite(wanted, lasting))

    url = with_stores(work)
    if as_json:
        json_out({"tenant": wanted, "url": url})
    else:
        err.print(f"A Slack workspace can join tenant {wanted} with this, within {valid}, once:")
        typer.echo(url)


@app.command("add-workspace")
def add_workspace(
    tenant: TenantArgument,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read the bot token from standard input.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before binding.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bind the workspace of a bot token to a tenant: needs no review by Slack and no web server.

    The token is that of an app of this manifest, from its page OAuth & Permissions. Slack is asked
    whose it is; on a terminal you are asked whether that is right.
    """
    wanted, token = tenant_id(tenant), _token(token_stdin)

    async def work(stores: Stores) -> NewInstallation:
        from gateway.installing import examined  # noqa: PLC0415 - see session.py
        from gateway.settings import load_settings  # noqa: PLC0415

        new = await examined(load_settings(), token)
        err.print(f"Slack says: workspace {new.workspace} ({new.name}), ", end="", markup=False)
        err.print(f"bot user {new.credential.bot_user}.", markup=False)
        if token.startswith("xoxe."):
            err.print(
                "This token ends within twelve hours: only an install link gives lasting ones."
            )
        if sys.stdin.isatty() and not yes:
            typer.confirm(f"Bind it to tenant {wanted}?", abort=True, err=True)
        await stores.installations.add(wanted, new)
        return new

    new = with_stores(work)
    if as_json:
        json_out(
            {
                "tenant": wanted,
                "workspace": new.workspace,
                "name": new.name,
                "org_wide": new.org_wide,
                "bot_user": new.credential.bot_user,
            }
        )
    else:
        typer.echo(f"slack workspace {new.workspace} belongs to tenant {wanted}.")


@app.command()
def installs(
    tenant: Annotated[str | None, typer.Option(help="Only those of one tenant.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the installations: what they may do, until when, and what is wrong with them."""
    wanted = None if tenant is None else tenant_id(tenant)
    found = [
        _shown(each)
        for each in with_stores(lambda stores: stores.installations.reads.all(wanted))
        if each.platform == "slack"
    ]
    if as_json:
        json_out(found)
    elif len(found) == 1:
        pairs(f"Installation {found[0]['workspace']}", found[0])
    else:
        columns = ("workspace", "name", "tenant", "state", "expires", "trouble")
        table("Installations", columns, [[each[name] for name in columns] for each in found])


def _shown(record: InstallationRecord) -> dict[str, object]:
    grant = record.grant
    trouble = record.trouble
    if record.rotation_failures:
        trouble = f"{trouble} ({record.rotation_failures} times)"
    ended = record.ended_at and f"{record.ended} at {record.ended_at:%Y-%m-%d %H:%M} UTC"
    return {
        "workspace": record.workspace,
        "name": grant.name,
        "tenant": record.tenant,
        "state": ended or "active",
        "expires": grant.expires_at and grant.expires_at.isoformat(timespec="seconds"),
        "trouble": trouble,
        "org wide": grant.org_wide,
        "bot user": record.bot_user,
        "installed by": grant.installed_by,
        "scopes": ",".join(grant.scopes),
    }


def _token(from_stdin: bool) -> str:
    if from_stdin or not sys.stdin.isatty():
        token = sys.stdin.readline().strip()
    else:
        answer: str = typer.prompt("Bot token", hide_input=True, err=True)
        token = answer.strip()
    if not token:
        raise typer.BadParameter("a bot token is needed: on standard input, or when asked")
    return token
