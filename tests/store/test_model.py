"""The queues against a model that is nothing but lists: whatever happens, in whatever order."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TypeAlias

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.deliveries import DeadLetter, Delivery, Direction, Reason
from gateway.core.ids import DeliveryId, TenantId
from gateway.core.retry import Again, Dead, Done, Settlement
from gateway.store.depths import depth
from gateway.store.leases import Lease
from tests.support.queues import DEAD, DONE, TENANTS, Queues, again, open_queues

CONCURRENCY = 2
LaneName: TypeAlias = tuple[TenantId, str]

LANES = st.tuples(st.sampled_from(TENANTS), st.sampled_from(["c1", "c2", "c3"]))
SETTLEMENTS = st.sampled_from(
    [
        DONE,
        DONE,
        again(),
        again(uncertain=True),
        again(counts=False),
        again(3600),
        DEAD,
        Dead(reason=Reason.AGENT_TIMEOUT, detail="", uncertain=True),
    ]
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), LANES, st.integers(1, 3)),
        st.tuples(st.just("take"), st.integers(1, 5)),
        st.tuples(st.just("settle"), st.integers(0, 99), SETTLEMENTS),
        st.tuples(st.just("recover")),
        st.tuples(st.just("replay"), st.integers(0, 99)),
        st.tuples(st.just("discard"), st.integers(0, 99)),
        st.tuples(st.just("time")),
    ),
    max_size=60,
)


@dataclass
class Lane:
    """What one conversation has, oldest first, and what is known of its head."""

    names: list[str] = field(default_factory=list)
    held: Delivery | None = None
    waiting: bool = False
    attempts: int = 0
    uncertain: bool = False

    def leave(self) -> str:
        """The head is no more."""
        self.held, self.attempts, self.uncertain = None, 0, False
        return self.names.pop(0)


@dataclass
class Model:
    """All lanes of all tenants, and where everything went that left them."""

    lanes: dict[LaneName, Lane] = field(default_factory=dict)
    accepted: int = 0
    delivered: list[str] = field(default_factory=list)
    dead: list[tuple[LaneName, str, bool]] = field(default_factory=list)
    discarded: int = 0
    in_doubt: set[str] = field(default_factory=set)

    def lane(self, name: LaneName) -> Lane:
        """One lane, empty at first."""
        return self.lanes.setdefault(name, Lane())

    def active(self, tenant: TenantId) -> int:
        """How many lanes of the tenant are in flight."""
        return sum(bool(lane.held) for name, lane in self.lanes.items() if name[0] == tenant)

    def may_start(self) -> set[LaneName]:
        """Lanes whose head could be handed out now."""
        return {
            name
            for name, lane in self.lanes.items()
            if lane.names
            and not lane.held
            and not lane.waiting
            and self.active(name[0]) < CONCURRENCY
        }

    def queued(self) -> int:
        """Everything that is on its way."""
        return sum(len(lane.names) for lane in self.lanes.values())


@dataclass
class Run:
    """One life of the queues, mirrored by the model."""

    queues: Queues
    lease: Lease
    model: Model = field(default_factory=Model)

    async def commit(self, name: LaneName, count: int) -> None:
        """Accept `count` deliveries at once."""
        first = self.model.accepted
        names = [f"d{number}" for number in range(first, first + count)]
        await self.queues.accept(*name, *names)
        self.model.lane(name).names += names
        self.model.accepted += count

    async def take(self, limit: int) -> None:
        """Take, and compare with what may be taken: order, one per lane, limits, nothing idle."""
        taken = await self.queues.take(self.lease, limit)
        for delivery in taken:
            lane_name = (delivery.tenant, str(delivery.conversation))
            lane = self.model.lane(lane_name)
            assert lane_name in self.model.may_start()
            assert lane.names[0] == delivery.id
            doubt = lane.uncertain or (lane.attempts == 0 and delivery.id in self.model.in_doubt)
            assert (lane.attempts + 1, doubt) == (delivery.attempt, delivery.uncertain)
            lane.held = delivery
        assert len(taken) <= limit
        assert len(taken) == limit or not self.model.may_start()

    async def settle(self, pick: int, settlement: Settlement) -> None:
        """Settle one of those in flight; a second time has no effect."""
        held = [(name, lane) for name, lane in self.model.lanes.items() if lane.held]
        if not held:
            return
        name, lane = held[pick % len(held)]
        delivery = lane.held
        assert delivery is not None
        assert await self.queues.settle(self.lease, delivery, settlement)
        assert not await self.queues.settle(self.lease, delivery, DONE)
        self._settled(name, lane, delivery, settlement)

    def _settled(
        self, name: LaneName, lane: Lane, delivery: Delivery, settlement: Settlement
    ) -> None:
        match settlement:
            case Done():
                self.model.delivered.append(lane.leave())
            case Dead(uncertain=uncertain):
                self.model.dead.append((name, lane.leave(), delivery.uncertain or uncertain))
            case Again(delay_s=delay_s, counts=counts, uncertain=uncertain):
                lane.held, lane.waiting = None, delay_s > 0
                if counts:
                    lane.attempts, lane.uncertain = lane.attempts + 1, uncertain

    async def recover(self) -> None:
        """The owner dies, another one takes over."""
        await self.queues.leases().release(self.lease)
        self.lease = await self.queues.lease()
        held = [lane for lane in self.model.lanes.values() if lane.held]
        assert len(held) == await self.queues.store.recover(self.lease)
        for lane in held:
            lane.held, lane.attempts, lane.uncertain = None, lane.attempts + 1, True

    async def replay(self, pick: int) -> None:
        """Give a dead letter another chance."""
        if not self.model.dead:
            return
        name, delivery, in_doubt = self.model.dead.pop(pick % len(self.model.dead))
        letter = await self._letter(name, delivery)
        assert await self.queues.dead.replay(letter, actor="ann")
        self.model.lane(name).names.append(delivery)
        (self.model.in_doubt.add if in_doubt else self.model.in_doubt.discard)(delivery)

    async def discard(self, pick: int) -> None:
        """Drop a dead letter."""
        if not self.model.dead:
            return
        name, delivery, _ = self.model.dead.pop(pick % len(self.model.dead))
        letter = await self._letter(name, delivery)
        assert await self.queues.dead.discard(letter, actor="ann", reason="")
        self.model.discarded += 1

    async def _letter(self, name: LaneName, delivery: str) -> DeadLetter:
        return await self.queues.dead.get(name[0], DeliveryId(delivery))

    async def time(self) -> None:
        """Everything that waits is due."""
        await self.queues.due_now()
        for lane in self.model.lanes.values():
            lane.waiting = False

    async def check_counts(self) -> None:
        """Nothing is lost and nothing is doubled, by the model, the queues and the log."""
        model = self.model
        gone = len(model.delivered) + len(model.dead) + model.discarded
        assert model.accepted == gone + model.queued()
        found = await depth(self.queues.client, self.lease.shard, Direction.INBOUND)
        assert model.queued() == found.queued
        assert len(model.dead) == sum([await self.queues.dead.count(each) for each in TENANTS])
        actions = Counter(action for action, _ in await self.queues.outcomes())
        assert len(model.delivered) == actions["delivery.delivered"]
        replayed = actions["dead_letter.replayed"]
        assert len(model.dead) + model.discarded + replayed == actions["delivery.dead"]


async def finish(run: Run) -> None:
    """Deliver whatever is left."""
    await run.recover()
    while run.model.queued():
        await run.time()
        await run.take(100)
        for _ in range(run.model.queued()):
            await run.settle(0, DONE)
    assert len(set(run.model.delivered)) == len(run.model.delivered)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
async def test_whatever_happens_lanes_keep_their_order_and_nothing_is_lost(
    clean_redis: str, steps: list[tuple[object, ...]]
) -> None:
    """Per conversation in order and one at a time; accepted = delivered + dead + queued."""
    async with open_queues(clean_redis) as queues:
        await queues.client.flushall()
        await queues.admit(*TENANTS, concurrency=CONCURRENCY)
        run = Run(queues, await queues.lease())
        for name, *arguments in steps:
            await getattr(run, str(name))(*arguments)
            await run.check_counts()
        await finish(run)
        await run.check_counts()
