"""Works on one shard in one direction: take, attempt, settle. Decides nothing itself: outcomes come
from the attempt, what follows from core.retry, and what is stored from the store.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import structlog

from gateway.core.breaker import Sign
from gateway.core.errors import LeaseLostError, StoreError
from gateway.core.retry import Again
from gateway.engine.attempts import Attempt, Attempts, Owner, Workshop
from gateway.store.deliveries import SettleAnswer, Settled, Taken
from gateway.store.leases import Lease

__all__ = ["Attempt", "ShardWorker", "Workshop"]

log = structlog.get_logger()

MOST_SETTLED = 256
"""Most settlements per round."""

ENOUGH = 16
PAUSE_S = 0.003
"""Between two rounds, unless there is enough to settle, nothing in flight, or somebody calls."""

POLL_S = 1.0
"""Longest sleep without a wake-up: what a lost wake message costs."""


class ShardWorker:
    """Owns nothing but what it has in flight; everything else is in the store.

    Works in rounds: each settles what has ended and takes what may start, in one round trip.
    """

    def __init__(self, lease: Lease, workshop: Workshop) -> None:
        self._lease = lease
        self._shop = workshop
        owner = Owner(is_ours=self._is_ours, ended=self._set_due, failed=self._fail)
        self._attempts = Attempts(lease.direction, workshop, owner)
        self.stopping = False
        """Nothing more is taken."""
        self._due = asyncio.Event()
        """There is something to do: to settle, to take, or to stop."""
        self._hungry = True
        """Something may wait to be taken."""
        self._room = 0
        """How much capacity is ours and not in use."""
        self._recovered = False
        self._quick: asyncio.Task[None] | None = None
        """A take beside the rounds."""
        self._alarm: asyncio.TimerHandle | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._fault: BaseException | None = None
        self._lost = False
        """What is in flight is somebody else's now."""

    def wake(self) -> None:
        """Look for work now.

        Not in the next round: whose message it is should wait neither for the one that is under way
        nor for the settlements of a neighbour's backlog.
        """
        self._hungry = True
        if self._recovered and self._quick is None and not self.stopping:
            self._quick = asyncio.create_task(self._take_quickly())
            self._quick.add_done_callback(self._quick_ended)

    def stop(self) -> None:
        """Take nothing more; `run` returns when what is in flight is settled."""
        self.stopping = True
        self._due.set()

    async def run(self) -> None:
        """Work until `stop`. Raises StoreError when the shard must be owned anew.

        A store that fails ends the taking, not the attempts: what has been sent can't be called
        back, and cut off it would be sent once more. Only a lost lease ends them.
        """
        recovered = await self._shop.store.recover(self._lease)
        if recovered:
            log.warning("deliveries.recovered", shard=self._lease.shard.number, count=recovered)
        self._recovered = True
        self._shop.store.work_here(self._lease, self.wake)
        try:
            while await self._something_to_do():
                await self._round()
            self._leave()
            if self._quick is not None:
                await asyncio.wait([self._quick])
            await self._drain()
        finally:
            self._leave()
            if self._quick is not None:
                self._quick.cancel()
                await asyncio.wait([self._quick])
            await self._attempts.abandon()
        if self._fault is not None:
            raise self._fault

    def _leave(self) -> None:
        self._shop.store.work_ends(self._lease, self.wake)
        self._shop.capacity.withdraw(self._granted)
        self._shop.capacity.release(self._room)
        self._room = 0
        for timer in (self._alarm, self._pause):
            if timer is not None:
                timer.cancel()

    def _set_due(self) -> None:
        self._due.set()

    def _fail(self, fault: BaseException) -> None:
        # A lost answer leaves open what is ours: nothing is taken before the shard is recovered.
        self._fault = fault
        self._lost = isinstance(fault, LeaseLostError) or not isinstance(fault, StoreError)
        self.stop()

    async def _is_ours(self) -> bool:
        try:
            await self._shop.store.settle(self._lease, [])
        except StoreError as exc:
            self._fail(exc)
            return False
        return True

    async def _something_to_do(self) -> bool:
        while not self.stopping:
            self._due.clear()
            if not self._room and self._is_time():
                # Not before: what it reserved would be nobody's meanwhile.
                if self._hungry:
                    self._room = self._shop.capacity.ask(self._granted)
                if self._attempts.done:
                    return True
            if self._room:
                return True
            await self._due.wait()
        return False

    def _is_time(self) -> bool:
        # Attempts that end one by one are settled in one round all the same. Without a pause a
        # backlog would make a round of each, and its neighbours wait behind those.
        paused = self._pause is not None and self._attempts.any
        return not paused or len(self._attempts.done) >= ENOUGH

    def _end_pause(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        self._due.set()

    def _look(self) -> None:
        self._hungry = True
        self._end_pause()

    def _granted(self, count: int) -> None:
        self._room += count
        self._due.set()

    async def _round(self) -> None:
        self._pause = self._pause or asyncio.get_running_loop().call_later(PAUSE_S, self._end_pause)
        room, self._room = self._room, 0
        await self._exchange(self._ended_ones(), room)

    async def _take_quickly(self) -> None:
        if self._room or (room := self._shop.capacity.ask(self._granted)) == 0:
            self._end_pause()
        else:
            await self._exchange([], room)

    def _quick_ended(self, task: asyncio.Task[None]) -> None:
        self._quick = None
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._fail(fault)
        elif self._hungry:
            self._end_pause()  # somebody called meanwhile

    def _ended_ones(self) -> list[Settled]:
        batch = self._attempts.done[:MOST_SETTLED]
        del self._attempts.done[:MOST_SETTLED]
        return batch

    async def _exchange(self, batch: Sequence[Settled], room: int) -> None:
        started, asked_s = 0, time.monotonic()
        # Before it is asked: what comes meanwhile makes hungry again.
        self._hungry = self._hungry and not room
        try:
            taken = await self._settle_and_take(batch, room)
            if taken is not None:
                for delivery in taken.deliveries:
                    endpoint = taken.endpoints.get(delivery.tenant)
                    self._attempts.add(delivery, endpoint, asked_s)
                    started += 1
                self._rest(taken.due_in_s, hungry=started == room)
        except StoreError as exc:
            self._keep(batch)
            self._fail(exc)
        finally:
            self._shop.capacity.release(room - started)

    async def _settle_and_take(self, batch: Sequence[Settled], room: int) -> Taken | None:
        store = self._shop.store
        if not room:
            answer = await store.settle(self._lease, batch)
            self._hungry = self._hungry or answer.ready
            self._tell(batch, answer)
            return None
        if not batch:
            return await store.take(self._lease, room)
        answer, taken = await store.settle_and_take(self._lease, batch, room)
        self._tell(batch, answer)
        return taken

    def _keep(self, batch: Sequence[Settled]) -> None:
        # To be said again: what is over is over. A retry may have been stored and taken again
        # since, so whether there will be one is left to the recovery.
        over = [each for each in batch if not isinstance(each.settlement, Again)]
        self._attempts.done[:0] = over

    def _rest(self, due_in_s: float | None, *, hungry: bool) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if hungry:
            self._hungry = True
            self._due.set()
            return
        rest_s = POLL_S if due_in_s is None else min(POLL_S, max(due_in_s, 0.001))
        self._alarm = asyncio.get_running_loop().call_later(rest_s, self._look)

    def _tell(self, batch: Sequence[Settled], answer: SettleAnswer) -> None:
        if not all(answer.held):
            log.warning("settle.not_held", count=answer.held.count(False))
        gone = {each.delivery.tenant for each in batch if each.sign is Sign.GONE}
        for tenant in answer.broken:
            change = "disabled" if tenant in gone else "opened"
            self._shop.metrics.breaker_changes.labels(change).inc()
            log.warning("breaker.opened", tenant_id=tenant, change=change)

    async def _drain(self) -> None:
        """Settle what still runs; what does not end in time is interrupted."""
        loop = asyncio.get_running_loop()
        out_of_time = loop.call_later(self._shop.stop_deadline_s, self._attempts.interrupt)
        try:
            while self._attempts.any and not self._lost:
                self._due.clear()
                if self._attempts.done and self._fault is None:
                    await self._exchange(self._ended_ones(), 0)
                else:
                    await self._due.wait()
        finally:
            out_of_time.cancel()
        # Once more after a fault, too.
        while self._attempts.done and not self._lost:
            batch = self._ended_ones()
            self._tell(batch, await self._shop.store.settle(self._lease, batch))
