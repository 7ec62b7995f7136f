"""Keeps named workers running: a worker that dies is started again, ever more slowly, for ever."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger()

Run = Callable[[], Awaitable[None]]

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 15.0
HEALTHY_AFTER_S = 30.0


class Supervisor:
    """Restarts what fails and tells how everybody does. Knows nothing about what they do."""

    def __init__(self) -> None:
        self._trouble: dict[str, str | None] = {}

    def health(self) -> dict[str, str | None]:
        """Per worker: None, or its last fault while it is not running."""
        return dict(self._trouble)

    async def keep(self, name: str, run: Run) -> None:
        """Run `run` until cancelled, again after every end."""
        failures = 0
        self._trouble[name] = None
        while True:
            started = time.monotonic()
            try:
                await run()
                fault = "ended"
                log.warning("worker.ended", worker=name)
            except Exception as exc:  # any fault of a worker is a reason to start it again
                fault = f"{type(exc).__name__}: {exc}"
                log.exception("worker.failed", worker=name)
            self._trouble[name] = fault
            if _is_stopping():
                # Its last act went wrong and hid the cancel: started again, it would never stop.
                return
            failures = 0 if time.monotonic() - started > HEALTHY_AFTER_S else failures + 1
            await asyncio.sleep(_wait_s(failures))
            self._trouble[name] = None


def _is_stopping() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _wait_s(failures: int) -> float:
    ceiling_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(failures, 10))
    return random.uniform(ceiling_s / 2, ceiling_s)  # noqa: S311 - only a pace
