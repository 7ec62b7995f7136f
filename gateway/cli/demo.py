"""`channel-gateway demo`: the whole road on this machine, with nothing to set up."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.console import EXIT_FAILED, out, reported

if TYPE_CHECKING:
    from gateway.demo.world import World


app = typer.Typer(add_completion=False)


@app.command()
def demo(
    serve: Annotated[bool, typer.Option("--serve", help="Keep it all running after.")] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Keep the data here.")] = None,
) -> None:
    """Two companies in one Slack app, two agents, and the real gateway between them.

    Starts private servers and sandbox platforms on loopback, lets people talk, shows what came of
    it, and proves that nothing crossed. Exit code 0 means that every check held.
    """
    with reported(), contextlib.suppress(KeyboardInterrupt):
        held = asyncio.run(_demo(serve=serve, data_dir=data_dir))
        if not held:
            raise typer.Exit(EXIT_FAILED)


async def _demo(*, serve: bool, data_dir: Path | None) -> bool:
    # Imported here, so that `--help` need not pay for all of it.
    from gateway.demo.show import show_ending, show_transcript  # noqa: PLC0415
    from gateway.demo.story import ending, talk  # noqa: PLC0415

    with out.status("starting Redis and PostgreSQL") as status:
        async with _world(data_dir) as world:
            status.update("starting the gateway")
            await world.start_gateway()
            out.print(f"The gateway is up: process {world.gateway.pid}, {world.gateway.agent_api}")

            def progress(what: str) -> None:
                out.print(f"[dim]·[/] {what}")
                status.update(what)

            await talk(world, progress)
            status.update("reading the audit trail")
            end = await ending(world)
            status.stop()
            show_transcript(out, world)
            show_ending(out, end)
            if serve:
                await _keep_running(world)
    return all(check.holds for check in end.checks)


@asynccontextmanager
async def _world(data_dir: Path | None) -> AsyncIterator[World]:
    from gateway.demo.story import COMPANIES  # noqa: PLC0415 - see above
    from gateway.demo.world import open_world  # noqa: PLC0415
    from gateway.embedded import EmbeddedServerError, join_or_start  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="channel-gateway-demo-") as scratch:
        # PostgreSQL runs under another account when we are root, and must be able to get there.
        os.chmod(scratch, 0o755)  # noqa: S103 - holds sandbox data only
        try:
            async with join_or_start(data_dir or Path(scratch)) as servers:
                redis_url, database_url = servers.redis_url, servers.database_url
                assert redis_url and database_url  # noqa: S101, PT018 - both were asked for
                async with open_world(redis_url, database_url, COMPANIES) as world:
                    yield world
        except EmbeddedServerError as exc:
            from gateway.core.errors import ConfigError  # noqa: PLC0415

            raise ConfigError(str(exc)) from exc


async def _keep_running(world: World) -> None:
    gateway = world.gateway
    out.print(f"\nRunning until Ctrl-C. Agent API {gateway.agent_api}/v1/messages")
    out.print(f"Health {gateway.ops}/readyz   Metrics {gateway.ops}/metrics")
    for tenant, key in world.keys.items():
        out.print(f"  key of {tenant}: {key}")
    await gateway.ended(timeout_s=7 * 24 * 3600)
