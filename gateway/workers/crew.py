"""All workers: started, started again when they die, asked how they do, stopped together."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from functools import partial

import structlog

from gateway.supervisor import Supervisor
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.totals import Totals, snapshot
from gateway.workers.process import EXIT_SETTINGS, Plan, WorkerProcess, manner

log = structlog.get_logger()

ASK_EVERY_S = 1.0
"""So much of what a worker counted can be lost when it is killed."""

_ANSWER_WITHIN_S = 2.0
_SLOW_AFTER_S = 5.0
_HUNG_AFTER_S = 30.0


class Crew:
    """The workers of one gateway, by their numbers."""

    def __init__(self, plans: Sequence[Plan]) -> None:
        self._plans = plans
        self._living: dict[int, WorkerProcess] = {}
        self._supervisor = Supervisor()
        self._metrics = Metrics()
        self._totals = Totals(self._metrics.across)
        self._codes: list[int] = []
        self._is_stopping = False
        self._first_is_up = asyncio.Event()
        self.all_up = asyncio.Event()
        self.misconfigured = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> int:
        """Keep all running until `stop` is set, then stop them; return the worst exit code."""
        keepers = [
            asyncio.create_task(self._supervisor.keep(plan.name, partial(self._live, plan)))
            for plan in self._plans
        ]
        asking = asyncio.create_task(self._keep_asking())
        try:
            await stop.wait()
        finally:
            self._is_stopping = True
            for keeper in keepers:
                keeper.cancel()
            await asyncio.wait(keepers)
            asking.cancel()
            await asyncio.wait([asking])
        return max(self._codes, default=0)

    def kill(self) -> None:
        """End all at once."""
        for each in self._living.values():
            each.signal(signal.SIGKILL)

    def addresses(self) -> tuple[str, str]:
        """Where agents and platforms reach the workers; empty for a listener that none has."""
        heard = [each.listening for each in self._living.values() if each.listening]
        return (
            next((each.agent_api for each in heard if each.agent_api), ""),
            next((each.public for each in heard if each.public), ""),
        )

    def health(self) -> dict[str, str | None]:
        """What every worker says of itself, and what has to be said of it."""
        found = self._supervisor.health()
        for plan in self._plans:
            worker = self._living.get(plan.number)
            if worker is None:
                found[plan.name] = found.get(plan.name) or "not started yet"
            elif worker.report is None:
                found[plan.name] = "starting"
            else:
                found[plan.name] = _silence(worker, _SLOW_AFTER_S)
                for part, trouble in worker.report.health.items():
                    found[f"{plan.name}: {part}"] = trouble
        return found

    def life(self) -> dict[str, str | None]:
        """Which workers have not answered for so long that they never will."""
        return {
            plan.name: _silence(self._living[plan.number], _HUNG_AFTER_S)
            for plan in self._plans
            if plan.number in self._living
        }

    async def scrape(self) -> bytes:
        """Answer a scrape of all."""
        await self._ask()
        self._metrics.workers.set(len(self._living))
        counted = [each.report.counted for each in self._living.values() if each.report]
        return self._totals.exposition([snapshot(self._metrics.registry), *counted])

    async def _keep_asking(self) -> None:
        while True:
            await asyncio.sleep(ASK_EVERY_S)
            await self._ask()
            self._go_on()

    async def _ask(self) -> None:
        asked = [asyncio.create_task(each.ask()) for each in self._living.values()]
        if not asked:
            return
        _, silent = await asyncio.wait(asked, timeout=_ANSWER_WITHIN_S)
        for each in silent:
            each.cancel()

    async def _live(self, plan: Plan) -> None:
        """Run a worker through one life. Cancelled, it is told to stop, and waited for."""
        if plan is not self._plans[0]:
            # What is wrong with settings or stores is said once, not by all of them.
            await self._first_is_up.wait()
        life = asyncio.create_task(self._life_of(plan))
        try:
            await asyncio.shield(life)
        except asyncio.CancelledError:
            if plan.number in self._living:
                self._living[plan.number].signal(signal.SIGTERM)
            await asyncio.gather(life, return_exceptions=True)
            raise

    async def _life_of(self, plan: Plan) -> None:
        worker = await WorkerProcess.start(plan, self._changed)
        log.info("worker.started", pid=worker.pid, worker=plan.name)
        if self._is_stopping:
            worker.signal(signal.SIGTERM)
        self._living[plan.number] = worker
        try:
            code = await worker.ended()
        except BaseException:
            # Nobody would hear it any more, and a second one would be started beside it.
            worker.signal(signal.SIGKILL)
            raise
        finally:
            del self._living[plan.number]
        self._note_end(plan, worker, code)

    def _note_end(self, plan: Plan, worker: WorkerProcess, code: int) -> None:
        if worker.report is not None:
            self._totals.keep(worker.report.counted)
        # SIGTERM ends one that is not yet far enough to hear it.
        is_well = code == 0 or (worker.listening is None and code == -signal.SIGTERM)
        if self._is_stopping:
            self._codes.append(0 if is_well else 1)
        else:
            self._metrics.worker_ends.inc()
            log.error("worker.died", pid=worker.pid, worker=plan.name, ended=manner(code))
        if code == EXIT_SETTINGS:
            self._codes.append(EXIT_SETTINGS)
            self.misconfigured.set()
        self._go_on()

    def _changed(self) -> None:
        up = [each for each in self._living.values() if each.listening is not None]
        if up:
            self._first_is_up.set()
        if len(up) == len(self._plans):
            self.all_up.set()
        self._go_on()

    def _go_on(self) -> None:
        """Let the workers go on with their stop that need wait for nobody."""
        living = self._living.values()
        # One that hangs must not hold up the others for ever.
        heard = [each for each in living if each.silent_s < _SLOW_AFTER_S]
        for each in living:
            those = heard if self._is_stopping else [each]
            each.go_on(min((one.stages_ended for one in those), default=each.stages_ended))


def _silence(worker: WorkerProcess, limit_s: float) -> str | None:
    silent_s = worker.silent_s
    return f"has not answered for {silent_s:.0f} s" if silent_s > limit_s else None
