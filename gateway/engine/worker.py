"""Works on one shard in one direction: take, attempt, settle. Decides nothing itself: outcomes come
from the attempt, what follows from core.retry, and what is stored from the store.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass

import structlog

from gateway.core.breaker import Sign, sign_of
from gateway.core.clock import unix_ms
from gateway.core.deliveries import Deferred, Delivery, Outcome, Permanent, Reason, Retryable
from gateway.core.errors import LeaseLostError, StoreError
from gateway.core.retry import Again, RetryPolicy, settle
from gateway.core.tenants import Endpoint
from gateway.engine.attempt_log import AttemptLog, record_of
from gateway.engine.capacity import Capacity
from gateway.store.deliveries import DeliveryStore, Settled
from gateway.store.leases import Lease
from gateway.telemetry.metrics import Metrics

log = structlog.get_logger()

Attempt = Callable[[Delivery, Endpoint | None], Awaitable[Outcome]]

PORTION = 32
"""Most deliveries per take: small enough that shards of one process take turns."""

POLL_S = 1.0
"""Longest sleep without a wake-up: what a lost wake message costs."""

GATEWAY_FAULT_WAIT_S = 1.0

SURE_S = 0.5
"""For how long what was taken is begun without a doubt. Well below the shortest lease."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What all workers of a role share."""

    store: DeliveryStore
    attempt: Attempt
    capacity: Capacity
    metrics: Metrics
    stop_deadline_s: float
    retry: RetryPolicy | None = None
    """None for the one of each tenant's endpoint, which is meant for its container."""


class ShardWorker:
    """Owns nothing but what it has in flight; everything else is in the store."""

    def __init__(self, lease: Lease, workshop: Workshop) -> None:
        self._lease = lease
        self._shop = workshop
        self._wake = asyncio.Event()
        self.stopping = False
        """Nothing more is taken."""
        self._attempts: set[asyncio.Task[None]] = set()
        self._done: list[Settled] = []
        self._settle_due = asyncio.Event()
        self._log = AttemptLog(lease.direction, workshop.metrics)
        self._inflight = workshop.metrics.inflight.labels(lease.direction)
        self._drained = False
        self._fault: StoreError | None = None

    def wake(self) -> None:
        """Look for work now."""
        self._wake.set()

    def stop(self) -> None:
        """Take nothing more; `run` returns when what is in flight is settled."""
        self.stopping = True
        self._wake.set()
        self._shop.capacity.ask_again()

    async def run(self) -> None:
        """Work until `stop`. Raises StoreError when the shard must be owned anew.

        A store that fails ends the taking, not the attempts: what has been sent can't be called
        back, and cut off it would be sent once more. Only a lost lease ends them.
        """
        recovered = await self._shop.store.recover(self._lease)
        if recovered:
            log.warning("deliveries.recovered", shard=self._lease.shard.number, count=recovered)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._settle_loop())
                await self._take_loop(group)
                await self._drain()
                self._drained = True
                self._settle_due.set()
            await self._flush()
        except* StoreError as faults:
            # Any one of them says it: what is in flight can't be settled under this lease.
            raise StoreError(str(faults.exceptions[0])) from faults
        if self._fault is not None:
            raise self._fault

    def _fail(self, fault: StoreError) -> None:
        # A lost answer leaves open what is ours: nothing is taken before the shard is recovered.
        if isinstance(fault, LeaseLostError):
            raise fault
        self._fault = fault
        self.stop()

    async def _take_loop(self, group: asyncio.TaskGroup) -> None:
        capacity = self._shop.capacity
        while reserved := await capacity.reserve(PORTION, lambda: not self.stopping):
            self._wake.clear()
            started, asked_s = 0, time.monotonic()
            try:
                taken = await self._shop.store.take(self._lease, reserved)
                for delivery in taken.deliveries:
                    endpoint = taken.endpoints.get(delivery.tenant)
                    self._start(group, self._begin(delivery, endpoint, asked_s))
                    started += 1
            except StoreError as exc:
                self._fail(exc)
                return
            finally:
                capacity.release(reserved - started)
            if started < reserved:
                await self._rest(taken.due_in_s)

    def _start(self, group: asyncio.TaskGroup, attempt: Coroutine[None, None, None]) -> None:
        task = group.create_task(attempt)
        self._attempts.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        # Here and not in the task, which may be cancelled before it has begun.
        self._attempts.discard(task)
        self._shop.capacity.release(1)

    async def _rest(self, due_in_s: float | None) -> None:
        rest_s = POLL_S if due_in_s is None else min(POLL_S, max(due_in_s, 0.001))
        try:
            async with asyncio.timeout(rest_s):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _begin(self, delivery: Delivery, endpoint: Endpoint | None, asked_s: float) -> None:
        if time.monotonic() - asked_s > SURE_S:
            # This process may have been paused since, and its successor have sent this already.
            try:
                await self._shop.store.settle(self._lease, [])
            except StoreError as exc:
                self._fail(exc)
                return
        await self._handle(delivery, endpoint)

    async def _handle(self, delivery: Delivery, endpoint: Endpoint | None) -> None:
        started = time.perf_counter()
        policy = self._shop.retry or (endpoint.retry if endpoint else RetryPolicy())
        if delivery.attempt > policy.max_attempts:
            # Only recoveries count this far: it may be what ended its workers.
            outcome: Outcome = Permanent(
                reason=Reason.INTERRUPTED, detail="its attempts never ended"
            )
        else:
            with self._inflight.track_inprogress():
                outcome = await self._outcome(delivery, endpoint)
        age_s = max(unix_ms() - delivery.accepted_at_ms, 0) / 1000
        settlement = settle(outcome, policy, attempt=delivery.attempt, age_s=age_s)
        took_s = time.perf_counter() - started
        self._log.tell(delivery, outcome, settlement, took_s=took_s, age_s=age_s)
        self._done.append(
            Settled(
                delivery=delivery,
                settlement=settlement,
                audit=record_of(delivery, settlement),
                sign=sign_of(outcome),
            )
        )
        self._settle_due.set()

    async def _outcome(self, delivery: Delivery, endpoint: Endpoint | None) -> Outcome:
        try:
            return await self._shop.attempt(delivery, endpoint)
        except asyncio.CancelledError:
            if not self.stopping:
                raise
            # Stopping and out of time: the other side may or may not have it.
            return Retryable(reason=Reason.INTERRUPTED, after_s=0.0, uncertain=True)
        except StoreError as exc:
            self._shop.metrics.store_errors.labels("redis").inc()
            log.warning("attempt.store_fault", delivery_id=delivery.id, error=str(exc))
            return Deferred(reason=Reason.GATEWAY_FAULT, after_s=GATEWAY_FAULT_WAIT_S)
        except Exception as exc:  # a fault of ours must not take the lane's message with it
            log.exception("attempt.fault", delivery_id=delivery.id)
            return Retryable(reason=Reason.GATEWAY_FAULT, detail=type(exc).__name__, uncertain=True)

    async def _settle_loop(self) -> None:
        while not self._drained and self._fault is None:
            await self._settle_due.wait()
            self._settle_due.clear()
            try:
                await self._flush()
            except StoreError as exc:
                # Said twice, what is over is over. A retry may have been stored and taken again
                # since, so whether there will be one is left to the recovery.
                self._done = [e for e in self._done if not isinstance(e.settlement, Again)]
                self._fail(exc)

    async def _flush(self) -> None:
        # Whatever finished while the last call was under way goes out with this one.
        while self._done:
            batch = self._done[:256]
            answer = await self._shop.store.settle(self._lease, batch)
            del self._done[: len(batch)]
            if not all(answer.held):
                log.warning("settle.not_held", count=answer.held.count(False))
            gone = {each.delivery.tenant for each in batch if each.sign is Sign.GONE}
            for tenant in answer.broken:
                change = "disabled" if tenant in gone else "opened"
                self._shop.metrics.breaker_changes.labels(change).inc()
                log.warning("breaker.opened", tenant_id=tenant, change=change)
            self._wake.set()

    async def _drain(self) -> None:
        running = set(self._attempts)
        if running:
            _, running = await asyncio.wait(running, timeout=self._shop.stop_deadline_s)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
