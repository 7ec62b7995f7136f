"""The attempts of one shard's worker: begun when it is their turn, watched until they end. Decides
nothing: outcomes come from the attempt, what follows from core.retry.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import structlog

from gateway.core.deliveries import (
    Deferred,
    Delivery,
    Direction,
    Outcome,
    Permanent,
    Reason,
    Retryable,
)
from gateway.core.errors import StoreError
from gateway.core.ids import DeliveryId
from gateway.core.retry import Again, RetryPolicy
from gateway.core.tenants import Endpoint
from gateway.engine.attempt_log import AttemptLog
from gateway.engine.capacity import Capacity
from gateway.store.deliveries import DeliveryStore, Settled
from gateway.telemetry.metrics import Metrics

log = structlog.get_logger()

Attempt = Callable[[Delivery, Endpoint | None], Awaitable[Outcome]]

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


@dataclass(frozen=True, slots=True)
class Owner:
    """What attempts ask and tell the worker that they belong to."""

    is_ours: Callable[[], Awaitable[bool]]
    """Whether the lease is still ours; asked when that is in doubt."""

    ended: Callable[[], None]
    failed: Callable[[BaseException], None]
    """A fault of ours, which is no outcome."""


class Attempts:
    """`done` is what has ended, to be settled by the owner."""

    def __init__(self, direction: Direction, workshop: Workshop, owner: Owner) -> None:
        self.done: list[Settled] = []
        self._shop = workshop
        self._owner = owner
        self._running: set[asyncio.Task[None]] = set()
        self._unbegun: dict[DeliveryId, Delivery] = {}
        self._draining = False
        self._log = AttemptLog(direction, workshop.metrics)
        self._inflight = workshop.metrics.inflight.labels(direction)

    @property
    def any(self) -> bool:
        """Whether any runs, or will."""
        return bool(self._running or self._unbegun)

    def add(self, delivery: Delivery, endpoint: Endpoint | None, asked_s: float) -> None:
        """Attempt a delivery as soon as it is its turn. `asked_s` is when it was taken at the
        earliest (monotonic); its place was reserved, and is given back.
        """
        self._unbegun[delivery.id] = delivery
        begin = partial(self._begin, delivery, endpoint, asked_s)
        self._shop.capacity.turnstile.enter(delivery.tenant, begin)

    def interrupt(self) -> None:
        """End all, as attempts that may or may not have arrived."""
        self._draining = True
        self._cancel()

    async def abandon(self) -> None:
        """End all without an outcome: they are somebody else's now."""
        self._draining = False
        self._cancel()
        if self._running:
            await asyncio.wait(set(self._running))

    def _cancel(self) -> None:
        unbegun, self._unbegun = self._unbegun, {}
        if self._draining:
            self.done += [_untouched(delivery) for delivery in unbegun.values()]
        self._shop.capacity.release(len(unbegun))
        for task in self._running:
            task.cancel()
        self._owner.ended()

    def _begin(self, delivery: Delivery, endpoint: Endpoint | None, asked_s: float) -> None:
        if self._unbegun.pop(delivery.id, None) is None:
            self._shop.capacity.turnstile.leave()  # it ended before it was its turn
            return
        task = asyncio.create_task(self._run(delivery, endpoint, asked_s))
        self._running.add(task)
        self._inflight.inc()
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        # Here and not in the task, which may be cancelled before it has begun.
        self._running.discard(task)
        self._inflight.inc(-1)
        self._shop.capacity.turnstile.leave()
        self._shop.capacity.release(1)
        self._owner.ended()
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._owner.failed(fault)

    async def _run(self, delivery: Delivery, endpoint: Endpoint | None, asked_s: float) -> None:
        # This process may have been paused since, and its successor have sent this already.
        if time.monotonic() - asked_s > SURE_S and not await self._owner.is_ours():
            return
        started_s = time.perf_counter()
        policy = self._shop.retry or (endpoint.retry if endpoint else RetryPolicy())
        if delivery.attempt > policy.max_attempts:
            # Only recoveries count this far: it may be what ended its workers.
            outcome: Outcome = Permanent(
                reason=Reason.INTERRUPTED, detail="its attempts never ended"
            )
        else:
            outcome = await self._outcome(delivery, endpoint)
        took_s = time.perf_counter() - started_s
        self.done.append(self._log.conclude(delivery, outcome, policy, took_s=took_s))

    async def _outcome(self, delivery: Delivery, endpoint: Endpoint | None) -> Outcome:
        try:
            return await self._shop.attempt(delivery, endpoint)
        except asyncio.CancelledError:
            if not self._draining:
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


def _untouched(delivery: Delivery) -> Settled:
    later = Again(
        delay_s=0.0, counts=False, uncertain=False, reason=Reason.INTERRUPTED, detail="not begun"
    )
    return Settled(delivery=delivery, settlement=later, audit=None)
