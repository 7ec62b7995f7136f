"""Law 7 after a fault: what the audit log tells must be what agents and people have seen."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from gateway.core.audit import AuditAction, AuditRecord
from gateway.core.deliveries import Direction
from gateway.core.ids import TenantId
from gateway.demo.world import World
from tests.support.evidence import account, idle, queued, records
from tests.support.waiting import eventually

ENDS = {
    AuditAction.DELIVERY_DELIVERED: 1,
    AuditAction.DELIVERY_DEAD: 1,
    AuditAction.DEAD_LETTER_REPLAYED: -1,
}
"""How often a delivery has ended: never, or once, whatever happened on the way."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What went wrong. Nothing, if it is FLAWLESS."""

    unbalanced: tuple[str, ...] = ()
    """Directions in which accepted + replayed is not delivered + dead + in flight."""
    unrecorded: tuple[str, ...] = ()
    """Events that were acknowledged and are not on record."""
    lost: tuple[str, ...] = ()
    """Deliveries that are delivered, says the log, and that nobody got."""
    doubled: tuple[str, ...] = ()
    """What ended twice, reached an agent under two ids, or stands twice in a channel."""
    out_of_order: tuple[str, ...] = ()
    """Conversations that arrived in another order than the one of their commits."""
    misrouted: tuple[str, ...] = ()
    """Deliveries that reached an agent whose they are not."""


FLAWLESS = Verdict()


async def at_rest(world: World, *, timeout_s: float = 30) -> None:
    """Wait until Slack has sent everything and nothing is on its way."""
    await world.slack.settled(timeout_s)
    await eventually(lambda: idle(world), timeout_s=timeout_s)


async def verdict(world: World) -> Verdict:
    """Judge everything since the world began, at a moment when nothing moves.

    People must have written in direct messages only, never the same text twice to one tenant, and
    agents have answered each with one message of one part.
    """
    trail = await records(world)
    history = _History(world, trail)
    return Verdict(
        unbalanced=tuple([each async for each in _unbalanced(world, trail)]),
        unrecorded=tuple(sorted(_acknowledged(world) - {record.event_id for record in trail})),
        lost=tuple(history.lost()),
        doubled=tuple(history.doubled()),
        out_of_order=tuple(history.out_of_order()),
        misrouted=tuple(history.misrouted()),
    )


async def _unbalanced(world: World, trail: list[AuditRecord]) -> AsyncIterator[str]:
    for direction in Direction:
        found, waiting = account(trail, direction), await queued(world, direction)
        if found.on_its_way != waiting:
            yield f"{direction}: {found}, {waiting} queued"


def _acknowledged(world: World) -> set[str]:
    return {each.event_id for each in world.slack.deliveries if each.acked and each.event_id}


class _History:
    """The log, read once, and compared with what was seen at both ends."""

    def __init__(self, world: World, trail: list[AuditRecord]) -> None:
        self._world = world
        self._ends: Counter[str] = Counter()
        self._tenants: dict[str, TenantId] = {}
        self._commits: dict[tuple[Direction, str], list[str]] = defaultdict(list)
        self._delivered: dict[str, AuditRecord] = {}
        for record in trail:
            self._read(record)

    def _read(self, record: AuditRecord) -> None:
        self._ends[record.delivery_id] += ENDS.get(record.action, 0)
        if record.outcome == "accepted":
            direction = Direction(record.direction)
            # An outbound record names the message; what ends is its only part.
            part = "-1" if direction is Direction.OUTBOUND else ""
            name = f"{record.delivery_id}{part}"
            self._tenants[name] = record.tenant
            self._commits[direction, record.conversation].append(name)
        if record.action is AuditAction.DELIVERY_DELIVERED:
            self._delivered[record.delivery_id] = record

    def lost(self) -> Iterator[str]:
        posted = {ts for each in self._channels() for ts in self._posted(each)}
        for name, record in self._delivered.items():
            if record.direction == Direction.OUTBOUND:
                arrived = record.detail in posted
            else:
                arrived = name in self._world.agents[record.tenant].accepted_ids
            if not arrived:
                yield name

    def doubled(self) -> Iterator[str]:
        yield from (name for name, count in self._ends.items() if count > 1)
        for agent in self._world.agents.values():
            names = {(each.body["text"], each.delivery_id) for each in agent.deliveries}
            texts = Counter(text for text, _ in names)
            yield from (str(text) for text, count in texts.items() if count > 1)
        for channel in self._channels():
            posted = Counter(self._posted(channel).values())
            yield from (f"{channel}: {text}" for text, count in posted.items() if count > 1)

    def out_of_order(self) -> Iterator[str]:
        for (direction, conversation), names in self._commits.items():
            if direction is Direction.INBOUND:
                arrived = list(self._arrivals(conversation))
                wrong = arrived != [name for name in names if name in arrived]
            else:
                # The receipt of a post is its ts, by which Slack orders a channel.
                receipts = [self._delivered[name].detail for name in names if self._is_done(name)]
                # Ends that no commit knows would make the comparison one of nothing.
                nameless = not receipts and any(map(self._is_end, self._posted(conversation)))
                wrong = nameless or receipts != sorted(receipts)
            if wrong:
                yield f"{direction} {conversation}"

    def misrouted(self) -> Iterator[str]:
        for tenant, agent in self._world.agents.items():
            for each in agent.deliveries:
                if not tenant == each.body["tenant"] == self._tenants.get(each.delivery_id):
                    yield each.delivery_id

    def _is_done(self, name: str) -> bool:
        return name in self._delivered

    def _is_end(self, ts: str) -> bool:
        return any(ts == record.detail for record in self._delivered.values())

    def _arrivals(self, conversation: str) -> dict[str, None]:
        """Delivery ids of a conversation in the order in which each came for the first time."""
        return {
            each.delivery_id: None
            for agent in self._world.agents.values()
            for each in agent.deliveries
            if conversation_of(each.body) == conversation
        }

    def _channels(self) -> set[str]:
        return {conversation for _, conversation in self._commits}

    def _posted(self, conversation: str) -> dict[str, str]:
        _, team, channel = conversation.split(":")
        return {each.ts: each.text for each in self._world.slack.bot_messages(team, channel)}


def conversation_of(body: dict[str, object]) -> str:
    """The id of the conversation that a delivery belongs to."""
    conversation = body["conversation"]
    assert isinstance(conversation, dict)
    return str(conversation["id"])
