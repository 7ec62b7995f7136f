"""`channel-gateway openclaw`: what a tenant's OpenClaw container needs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from gateway.cli.arguments import AsJson, TenantArgument, duration, tenant_id
from gateway.cli.console import err, json_out
from gateway.cli.session import with_stores
from gateway.provisioning.openclaw import (
    ENV_FILE,
    PATCH_FILE,
    PLUGIN_FOLDER,
    OpenClawSetup,
    Secrets,
    setup_of,
)

if TYPE_CHECKING:
    from gateway.core.ids import TenantId
    from gateway.provisioning.operations import Provisioning
    from gateway.stores import Stores

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Containers that run OpenClaw.")


@app.callback()
def openclaw() -> None:
    """Containers that run OpenClaw."""


@app.command()
def setup(
    tenant: TenantArgument,
    *,
    gateway_url: Annotated[
        str, typer.Option(metavar="URL", help="The agent API, as the container reaches it.")
    ] = "http://127.0.0.1:8080",
    folder: Annotated[
        str, typer.Option(metavar="PATH", help="OpenClaw's folder, as the container sees it.")
    ] = "/home/node/.openclaw",
    write: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write all files, plugin included.")
    ] = None,
    new_secrets: Annotated[
        bool, typer.Option("--new-secrets", help="Make an agent key and a signing secret.")
    ] = False,
    grace: Annotated[str, typer.Option(help="How long the old ones stay valid.")] = "24h",
    as_json: AsJson = False,
) -> None:
    """Print or write the configuration and the commands for the tenant's container."""
    wanted, lasting = tenant_id(tenant), duration(grace)
    if urlsplit(gateway_url).scheme not in {"http", "https"}:
        raise typer.BadParameter("--gateway-url: must be http://... or https://...")
    if not folder.startswith("/"):
        raise typer.BadParameter("--folder: must be an absolute path")

    async def work(stores: Stores) -> OpenClawSetup:
        record = (await stores.provisioning.show(wanted)).tenant
        made = await _secrets(stores.provisioning, wanted, lasting) if new_secrets else None
        return setup_of(record.spec, gateway_url=gateway_url, folder=folder, secrets=made)

    if write is not None:
        # Before secrets are made that could not be written down.
        _write(write, _copy_plugin)
    result = with_stores(work)
    if write is not None:
        _write(write, lambda target: _write_files(result, target))
    if as_json:
        json_out(result)
    else:
        _show(result, write)


async def _secrets(provisioning: Provisioning, tenant: TenantId, grace: timedelta) -> Secrets:
    return Secrets(
        agent_key=await provisioning.rotate_agent_key(tenant, grace),
        signing_secret=await provisioning.rotate_signing_secret(tenant, grace),
    )


def _write(folder: Path, write: Callable[[Path], None]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write(folder)
    except OSError as exc:
        raise typer.BadParameter(f"--write: {exc}") from exc


def _write_files(result: OpenClawSetup, folder: Path) -> None:
    (folder / PATCH_FILE).write_text(result.patch)
    env = folder / ENV_FILE
    env.unlink(missing_ok=True)
    # Made with these permissions, not given them later: it holds secrets.
    with os.fdopen(os.open(env, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(result.env)


def _copy_plugin(folder: Path) -> None:
    source, target = Path(str(files("plugin_bridge"))) / "openclaw", folder / PLUGIN_FOLDER
    target.mkdir(exist_ok=True)
    package = json.loads((source / "package.json").read_text())
    for name in ("package.json", *package["files"]):
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, dirs_exist_ok=True)
        else:
            shutil.copyfile(source / name, target / name)


def _show(result: OpenClawSetup, written: Path | None) -> None:
    if written is None:
        typer.echo(f"# {PATCH_FILE}\n{result.patch}\n# {ENV_FILE}\n{result.env}")
        typer.echo("# --write DIR makes these files and the plugin's folder\n")
    else:
        typer.echo(f"# written to {written}; run there:\n")
    typer.echo("# with Docker\n" + "\n".join(result.docker))
    typer.echo("\n# without\n" + "\n".join(result.plain))
    for note in result.notes:
        err.print(f"Note: {note}", markup=False, soft_wrap=True)
