"""The engine on real queues, with attempts that a test writes by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.core.deliveries import Delivered, Delivery, Direction, Outcome
from gateway.core.tenants import Endpoint
from gateway.engine.capacity import Capacity
from gateway.engine.ownership import Ownership
from gateway.engine.worker import ShardWorker, Workshop
from gateway.store.keys import Shard
from gateway.store.leases import BRIDGE, Lease
from gateway.telemetry.metrics import Metrics
from tests.support.cluster import as_one_server
from tests.support.queues import TENANTS, Queues, open_queues
from tests.support.wires import Wire, wired_queues

LEASE_S = 60.0

Answer = Callable[[Delivery], Awaitable[Outcome]]


@dataclass
class Attempts:
    """The far side: notes what it gets and answers as it is told; delivered, if not told."""

    seen: list[Delivery] = field(default_factory=list)
    cancelled: list[Delivery] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)

    async def __call__(self, delivery: Delivery, _endpoint: Endpoint | None) -> Outcome:
        self.seen.append(delivery)
        answer = self.answers.get(delivery.id)
        try:
            return await answer(delivery) if answer else Delivered(receipt="ok")
        except asyncio.CancelledError:
            self.cancelled.append(delivery)
            raise

    def hold(self, name: str) -> asyncio.Event:
        """Let the attempts at this delivery wait until the event is set."""
        gate = asyncio.Event()

        async def wait(_delivery: Delivery) -> Outcome:
            await gate.wait()
            return Delivered(receipt="late")

        self.answers[name] = wait
        return gate

    def first_fails(self, name: str, answer: Answer) -> None:
        """Answer the first attempt so; later ones are delivered."""

        async def once(delivery: Delivery) -> Outcome:
            del self.answers[name]
            return await answer(delivery)

        self.answers[name] = once

    def of(self, name: str) -> list[Delivery]:
        """The attempts at one delivery."""
        return [delivery for delivery in self.seen if delivery.id == name]

    @property
    def names(self) -> list[str]:
        """What was attempted, in order."""
        return [delivery.id for delivery in self.seen]


@dataclass
class Works:
    """Queues, the far side, and workers between them, whose wire to Redis can be cut."""

    queues: Queues
    wired: Queues
    link: Wire
    attempts: Attempts = field(default_factory=Attempts)
    metrics: Metrics = field(default_factory=Metrics)
    running: list[asyncio.Task[None]] = field(default_factory=list)

    def shop(self, *, capacity: int = 100, stop_deadline_s: float = 5.0) -> Workshop:
        """What workers share."""
        return Workshop(
            store=self.wired.store,
            attempt=self.attempts,
            capacity=Capacity(capacity),
            metrics=self.metrics,
            stop_deadline_s=stop_deadline_s,
        )

    def worker(self, lease: Lease, shop: Workshop | None = None) -> ShardWorker:
        """A worker that runs."""
        worker = ShardWorker(lease, shop or self.shop())
        self.running.append(asyncio.create_task(worker.run()))
        return worker

    def owner(
        self, name: str, *, shop: Workshop | None = None
    ) -> tuple[Ownership, asyncio.Task[None]]:
        """A replica that runs. Its leases outlast every test that does not end them, and are kept
        as often as short ones: no pause of this process ends one.
        """
        used = shop or self.shop()
        owner = Ownership(
            self.wired.leases(name, ttl_s=LEASE_S),
            lambda lease: ShardWorker(lease, used),
            self.metrics,
            role=BRIDGE,
            shards=self.queues.shards,
            lease_s=0.3,
        )
        return owner, self.track(owner.run())

    def track(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run something until the test ends."""
        task = asyncio.create_task(work)
        self.running.append(task)
        return task

    async def usurp(self) -> Lease:
        """Take the only shard from whoever owns it."""
        await self.queues.client.delete(Shard(0).lease(BRIDGE))
        return await self.queues.lease()

    async def in_flight(self, count: int) -> bool:
        """Whether so many lanes are taken."""
        return count == await self.queues.client.hlen(Shard(0).in_flight(Direction.INBOUND))

    async def actions(self) -> list[str]:
        """What the log says, oldest first."""
        return [action for action, _ in await self.queues.outcomes()]

    async def delivered(self, count: int) -> bool:
        """Whether the log knows of so many that were delivered."""
        return (await self.actions()).count("delivery.delivered") == count


@pytest.fixture
def clean_redis(any_redis_url: str) -> str:
    """One server, then a cluster."""
    return any_redis_url


@pytest.fixture
async def works(clean_redis: str, tmp_path: Path) -> AsyncIterator[Works]:
    """One shard, three tenants; whatever was started ends with the test."""
    async with (
        open_queues(clean_redis) as queues,
        wired_queues(tmp_path, clean_redis) as (link, wired),
    ):
        await as_one_server(queues.client, Shard(0).prefix)
        await queues.admit(*TENANTS)
        opened = Works(queues, wired, link)
        yield opened
        for task in opened.running:
            task.cancel()
        await asyncio.gather(*opened.running, return_exceptions=True)
