"""`channel-gateway serve`: run the gateway until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from typing import Annotated

import typer

from gateway.cli.console import reported


def serve(
    role: Annotated[
        list[str] | None, typer.Option(help="Only this role (ingress, bridge, egress); repeatable.")
    ] = None,
) -> None:
    """Run the gateway. Settings come from the environment; logs are JSON lines on stderr.

    Stops on SIGTERM or Ctrl-C: takes nothing more in, finishes what is in flight within
    GATEWAY_STOP_DEADLINE_S seconds, and hands its shards back.
    """
    with reported():
        # Imported here, so that `--help` and the other commands need not pay for all of it.
        import uvloop  # noqa: PLC0415

        from gateway.settings import load_settings  # noqa: PLC0415
        from gateway.telemetry.logs import configure_logs  # noqa: PLC0415

        settings = load_settings(serving=True, roles=role).checked_for_serving()
        configure_logs(settings.log_level)
        uvloop.run(_serve(settings))


async def _serve(settings: object) -> None:
    import structlog  # noqa: PLC0415 - see above

    from gateway.app import Listening  # noqa: PLC0415
    from gateway.app import serve as serve_until  # noqa: PLC0415
    from gateway.settings import Settings  # noqa: PLC0415

    assert isinstance(settings, Settings)  # noqa: S101 - typed as object to stay importable cheaply
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def announce(listening: Listening) -> None:
        structlog.get_logger().info(
            "gateway.listening",
            agent_api=listening.agent_api,
            ops=listening.ops,
            public=listening.public,
        )

    await serve_until(settings, stop=stop, announce=announce)
