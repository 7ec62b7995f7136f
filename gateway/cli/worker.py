"""`channel-gateway worker`: what `serve` starts several of. Not for people."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.console import reported

if TYPE_CHECKING:
    from gateway.settings import Settings
    from gateway.workers.worker import Inherited

app = typer.Typer(add_completion=False)


@app.command()
def worker(
    number: Annotated[int, typer.Option()],
    line: Annotated[int, typer.Option()],
    agents: Annotated[list[int] | None, typer.Option()] = None,
    public: Annotated[list[int] | None, typer.Option()] = None,
) -> None:
    """Be one of several workers. Only `serve` starts this; all but the number are file descriptors
    that come with the process.
    """
    with reported():
        import uvloop  # noqa: PLC0415

        from gateway.settings import load_settings  # noqa: PLC0415
        from gateway.telemetry.logs import configure_logs  # noqa: PLC0415
        from gateway.workers.worker import Inherited  # noqa: PLC0415

        settings = load_settings(serving=True).checked_for_serving()
        configure_logs(settings.log_level, worker_number=number)
        inherited = Inherited(line, tuple(agents or ()), tuple(public or ()))
        uvloop.run(_work(settings, inherited))


async def _work(settings: Settings, inherited: Inherited) -> None:
    from gateway.workers.worker import work  # noqa: PLC0415

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await work(settings, inherited, stop)
