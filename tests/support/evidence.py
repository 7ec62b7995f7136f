"""What can be known of a gateway from outside: its records in both stores, and its metrics."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from gateway.archive.audit import AuditArchive
from gateway.archive.pages import MAX_PAGE, AuditCursor, AuditFilter
from gateway.core.audit import AuditAction, AuditEntry, AuditRecord
from gateway.core.deliveries import Direction
from gateway.demo.world import World
from gateway.sandbox.process import GatewayProcess
from gateway.store.auditlog import AuditLog
from gateway.store.connection import Client
from gateway.store.depths import depth
from gateway.store.keys import Shard


async def archived(archive: AuditArchive) -> list[AuditEntry]:
    """All that the archive has, oldest first."""
    found: list[AuditEntry] = []
    cursor: AuditCursor | None = None
    while True:
        page = await archive.after(AuditFilter(), after=cursor, limit=MAX_PAGE)
        found += page.entries
        if page.next is None:
            return found
        cursor = page.next


async def unarchived(client: Client, shards: int) -> list[AuditEntry]:
    """All that still waits in Redis."""
    log = AuditLog(client)
    waiting = [await log.read(Shard(number), 100_000) for number in range(shards)]
    return [entry for entries in waiting for entry in entries]


async def records(world: World) -> list[AuditRecord]:
    """All there are, each once: an entry that is just being archived may be in both stores."""
    # In the direction of the flow, so that none can slip through between the two reads.
    entries = await unarchived(world.stores.redis, world.settings.shards)
    entries += await archived(world.stores.archive)
    once = {entry.id: entry for entry in entries}
    return [entry.record for entry in sorted(once.values(), key=_moment)]


def _moment(entry: AuditEntry) -> tuple[int, int]:
    # Within one millisecond the number decides, which is no text: 10 comes after 9.
    ms, _, number = entry.id.partition(":")[2].partition("-")
    return int(ms), int(number)


async def queued(world: World, *directions: Direction) -> int:
    """Deliveries that are neither delivered nor given up; both ways, unless said otherwise."""
    depths = [
        await depth(world.stores.redis, Shard(number), direction)
        for number in range(world.settings.shards)
        for direction in directions or Direction
    ]
    return sum(each.queued for each in depths)


async def idle(world: World) -> bool:
    """Whether nothing is on its way."""
    return await queued(world) == 0


async def metric(gateway: GatewayProcess, name: str, **labels: str) -> float:
    """The sum of a metric's samples that carry these labels."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{gateway.ops}/metrics") as answer,
    ):
        families = text_string_to_metric_families(await answer.text())
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


@dataclass(frozen=True)
class Account:
    """Where everything is that was ever accepted, one way, by the audit log alone."""

    accepted: int
    replayed: int
    delivered: int
    dead: int

    @property
    def on_its_way(self) -> int:
        """What law 7 says must still be queued or in flight."""
        return self.accepted + self.replayed - self.delivered - self.dead


def account(found: list[AuditRecord], direction: Direction) -> Account:
    """Count. A message of several parts is that many deliveries."""
    actions: Counter[AuditAction] = Counter()
    for record in found:
        if record.direction != direction:
            continue
        if record.action in _COMMITS:
            actions[record.action] += _parts(record) if record.outcome == "accepted" else 0
        else:
            actions[record.action] += 1
    return Account(
        accepted=sum(actions[action] for action in _COMMITS),
        replayed=actions[AuditAction.DEAD_LETTER_REPLAYED],
        delivered=actions[AuditAction.DELIVERY_DELIVERED],
        dead=actions[AuditAction.DELIVERY_DEAD],
    )


_COMMITS = (
    AuditAction.EVENT_ROUTED,
    AuditAction.MESSAGE_SUBMITTED,
    AuditAction.MESSAGE_EDITED,
    AuditAction.MESSAGE_DELETED,
    AuditAction.REACTION_CHANGED,
    AuditAction.STREAM_OPENED,
    AuditAction.STREAM_FINISHED,
)


def _parts(record: AuditRecord) -> int:
    if record.action is AuditAction.EVENT_ROUTED:
        return 1
    return int(record.detail.partition(" ")[0])
