"""Which shards this replica works on. Takes free leases up to its fair share, keeps them, and hands
them back when it stops or when others join.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Protocol

import structlog

from gateway.core.errors import StoreError
from gateway.store.keys import Shard
from gateway.store.leases import Lease, LeaseStore
from gateway.telemetry.metrics import Metrics

log = structlog.get_logger()

_FLOOR_S = 0.1


class Worker(Protocol):
    """Works on one shard for as long as its lease is ours."""

    async def run(self) -> None: ...
    def stop(self) -> None: ...
    def wake(self) -> None: ...


MakeWorker = Callable[[Lease], Worker]


class Ownership:
    """Runs one worker per owned shard of one role."""

    def __init__(
        self,
        leases: LeaseStore,
        make_worker: MakeWorker,
        metrics: Metrics,
        *,
        role: str,
        shards: int,
        lease_s: float,
    ) -> None:
        self._leases = leases
        self._make_worker = make_worker
        self._metrics = metrics
        self._role = role
        self._shards = [Shard(number) for number in range(shards)]
        self._interval_s = lease_s / 3
        self._owned: dict[int, tuple[Lease, Worker, asyncio.Task[None]]] = {}
        self._ended = asyncio.Event()
        self._trouble: str | None = "not started"

    def health(self) -> str | None:
        """None while leases can be kept, else what is wrong."""
        return self._trouble

    def wake(self, number: int) -> None:
        """Tell the shard's worker, if it is ours, that there is work."""
        if owned := self._owned.get(number):
            owned[1].wake()

    def wake_all(self) -> None:
        """Tell all workers to look: a wake message may have been lost."""
        for _, worker, _ in self._owned.values():
            worker.wake()

    async def run(self) -> None:
        """Own shards until cancelled; then stop the workers in order and hand the leases back."""
        try:
            while True:
                try:
                    await _to_its_end(self._round())
                    self._trouble = None
                except StoreError as exc:
                    self._trouble = str(exc)
                    self._metrics.store_errors.labels("redis").inc()
                await self._rest()
        finally:
            self._trouble = "stopped"
            await asyncio.shield(self._hand_back_all())

    async def _rest(self) -> None:
        # A floor, so that a store that fails at once is not asked again at once.
        await asyncio.sleep(_FLOOR_S)
        # Jitter, so that replicas started together do not all race for the same shard.
        rest_s = self._interval_s * random.uniform(0.8, 1.0)  # noqa: S311 - only a pace
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(rest_s):
                await self._ended.wait()
        self._ended.clear()

    async def _round(self) -> None:
        # First of all: whatever else fails, what runs must not lose its lease for it.
        for number in list(self._owned):
            await self._keep(number)
        live = await self._leases.live_replicas(self._role)
        share = math.ceil(len(self._shards) / max(live, 1))
        for _, worker, _ in list(self._owned.values())[share:]:
            # Kept until the worker has ended: somebody else would do again what it has in flight.
            worker.stop()
        # Everybody starts at another place, or all would ask for the same leases.
        for shard in random.sample(self._shards, len(self._shards)):
            if len(self._owned) >= share:
                break
            if shard.number not in self._owned:
                await self._try_own(shard)
        self._metrics.shards_owned.labels(self._role).set(len(self._owned))

    async def _keep(self, number: int) -> None:
        lease, _, task = self._owned[number]
        if task.done():
            await self._drop(number)
            await self._leases.release(lease)
        elif not await self._leases.renew(lease):
            log.warning("lease.lost", shard=number, role=self._role)
            await self._drop(number)

    async def _try_own(self, shard: Shard) -> None:
        lease = await self._leases.acquire(shard, self._role)
        if lease is not None:
            worker = self._make_worker(lease)
            task = asyncio.create_task(worker.run(), name=f"{self._role}-s{shard.number}")
            task.add_done_callback(partial(self._note_end, asyncio.get_running_loop().time()))
            self._owned[shard.number] = (lease, worker, task)

    def _note_end(self, started_s: float, _task: asyncio.Task[None]) -> None:
        # Looked after now; but one that fails at once waits for the next round, or a store that is
        # down would be asked without a pause.
        if asyncio.get_running_loop().time() - started_s > self._interval_s:
            self._ended.set()

    async def _drop(self, number: int) -> None:
        _, _, task = self._owned.pop(number)
        task.cancel()
        await self._outcome(number, task)

    async def _keep_if_possible(self, number: int) -> None:
        with contextlib.suppress(StoreError):
            await self._keep(number)

    async def _outcome(self, number: int, task: asyncio.Task[None]) -> None:
        await asyncio.wait([task])
        if not task.cancelled() and (fault := task.exception()):
            log.warning("shard.abandoned", shard=number, role=self._role, exc_info=fault)

    async def _hand_back_all(self) -> None:
        for _, worker, _ in self._owned.values():
            worker.stop()
        while self._owned:
            # Kept meanwhile: what is in flight may take longer than a lease lasts.
            await asyncio.gather(*(self._keep_if_possible(number) for number in list(self._owned)))
            if tasks := [task for _, _, task in self._owned.values()]:
                await asyncio.wait(
                    tasks, timeout=self._interval_s, return_when=asyncio.FIRST_COMPLETED
                )
        with contextlib.suppress(StoreError):
            await self._leases.leave(self._role)
        self._metrics.shards_owned.labels(self._role).set(0)


async def _to_its_end(work: Coroutine[None, None, None]) -> None:
    """Await `work`; a cancel takes effect only after it. Cut off between a lease and its record, it
    would leave the lease to nobody until it runs out.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()
        raise
