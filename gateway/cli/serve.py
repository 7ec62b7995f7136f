"""`channel-gateway serve`: run the gateway until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.console import reported

if TYPE_CHECKING:
    from gateway.settings import Settings
    from gateway.web.server import Listening

# Imports stand in the functions, so that `--help` and the other commands need not pay for them.

app = typer.Typer(add_completion=False)

_STOPS = (signal.SIGTERM, signal.SIGINT)


@app.command()
def serve(
    role: Annotated[
        list[str] | None, typer.Option(help="Only this role (ingress, bridge, egress); repeatable.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="So many processes share the work (GATEWAY_WORKERS).")
    ] = None,
) -> None:
    """Run the gateway. Settings come from the environment; logs are JSON lines on stderr.

    Stops on SIGTERM or Ctrl-C: takes nothing more in, finishes what is in flight within
    GATEWAY_STOP_DEADLINE_S seconds, and hands its shards back. With several workers a second signal
    ends them at once.
    """
    with reported():
        from gateway.settings import load_settings  # noqa: PLC0415
        from gateway.telemetry.logs import configure_logs  # noqa: PLC0415

        settings = load_settings(serving=True, roles=role, workers=workers).checked_for_serving()
        configure_logs(settings.log_level)
        if settings.workers > 1:
            raise typer.Exit(asyncio.run(_serve_with_workers(settings)))

        import uvloop  # noqa: PLC0415

        uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    from gateway.app import serve as serve_until  # noqa: PLC0415

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _STOPS:
        loop.add_signal_handler(number, stop.set)
    await serve_until(settings, stop=stop, announce=_announce)


async def _serve_with_workers(settings: Settings) -> int:
    from gateway.workers.serving import serve as serve_until  # noqa: PLC0415

    stop, at_once = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def hear() -> None:
        (at_once if stop.is_set() else stop).set()

    for number in _STOPS:
        loop.add_signal_handler(number, hear)
    return await serve_until(settings, stop=stop, at_once=at_once, announce=_announce)


def _announce(listening: Listening) -> None:
    import structlog  # noqa: PLC0415

    structlog.get_logger().info(
        "gateway.listening",
        agent_api=listening.agent_api,
        ops=listening.ops,
        public=listening.public,
    )
