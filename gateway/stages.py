"""Starts named tasks in stages and stops them in the same order: intake first, the archive last."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from gateway.supervisor import Run, Supervisor

log = structlog.get_logger()

Stage = Mapping[str, Run]
StageEnded = Callable[[], Awaitable[None]]


async def at_once() -> None:
    """Wait for nobody between two stages."""


async def run_stages(
    stages: Sequence[Stage],
    supervisor: Supervisor,
    until: asyncio.Event,
    ended: StageEnded = at_once,
) -> None:
    """Run all stages until `until` is set; then stop one stage after the other, and await `ended`
    after each.

    Each stage's work may still flow into the stages after it while it stops, so that nothing that
    was accepted waits for the next start if it need not.
    """
    running = [
        [asyncio.create_task(supervisor.keep(name, run), name=name) for name, run in stage.items()]
        for stage in stages
    ]
    try:
        await until.wait()
    finally:
        for stage, tasks in zip(stages, running, strict=True):
            if stage:
                log.info("stage.stopping", workers=list(stage))
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await ended()
