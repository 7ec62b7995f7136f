"""`channel-gateway dlq`: what could not be delivered, for a person and for a machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.archive.audit import AuditArchive
from gateway.archive.connection import connect
from gateway.archive.migrations import migrate
from gateway.core.audit import AuditAction, AuditRecord
from gateway.core.deliveries import Direction, Reason
from gateway.core.ids import TenantId
from gateway.core.retry import Dead
from gateway.store.deliveries import Settled
from gateway.store.keys import shard_of
from tests.cli.conftest import Answer, CommandLine
from tests.support.commands import run_command
from tests.support.evidence import unarchived
from tests.support.queues import ACME, GLOBEX, Queues, open_queues

SHARDS = 4


@dataclass(frozen=True)
class Office:
    """The dead letters of a small gateway, and the command line."""

    cli: CommandLine
    queues: Queues

    async def bury(
        self,
        tenant: TenantId,
        conversation: str,
        name: str,
        reason: Reason = Reason.AGENT_REJECTED,
    ) -> None:
        """Accept a delivery and give it up."""
        lease = await self.queues.lease(shard=shard_of(tenant, SHARDS).number)
        await self.queues.accept(tenant, conversation, name)
        [delivery] = await self.queues.take(lease)
        record = AuditRecord(
            tenant=tenant,
            action=AuditAction.DELIVERY_DEAD,
            delivery_id=name,
            direction=Direction.INBOUND,
            attempt=1,
            reason=reason,
        )
        died = Dead(reason=reason, detail="HTTP 400 \x1b[2J")
        settled = Settled(delivery=delivery, settlement=died, audit=record)
        await self.queues.store.settle(lease, [settled])
        await self.queues.leases().release(lease)

    async def archive(self) -> None:
        """Bring all records to where `dlq show` looks for them."""
        async with connect(self.cli.env["DATABASE_URL"]) as pool:
            await migrate(pool)
            await AuditArchive(pool).write(await unarchived(self.queues.client, SHARDS))

    async def last_record(self, tenant: TenantId) -> AuditRecord:
        """What was done last."""
        return (await self.queues.audit(shard_of(tenant, SHARDS).number))[-1].record

    async def dlq(self, command: str, *args: str) -> Any:
        """Run a command on ACME's letters and read its JSON."""
        return (await self.cli.done("dlq", command, ACME, *args, "--json")).json

    async def delivered_next(self) -> list[str]:
        """What a worker would be handed now."""
        lease = await self.queues.lease(shard=shard_of(ACME, SHARDS).number)
        return [delivery.id for delivery in await self.queues.take(lease)]


@pytest.fixture
async def office(cli: CommandLine) -> AsyncIterator[Office]:
    """Three letters of ACME in two conversations, and one of GLOBEX, its neighbour."""
    async with open_queues(cli.env["REDIS_URL"], shards=SHARDS) as queues:
        await queues.admit(ACME, GLOBEX)
        opened = Office(cli, queues)
        await opened.bury(ACME, "c1", "d1")
        await opened.bury(ACME, "c2", "d2", Reason.AGENT_TIMEOUT)
        await opened.bury(ACME, "c1", "d3", Reason.GATEWAY_FAULT)
        await opened.bury(GLOBEX, "c1", "g1")
        yield opened


async def test_letters_are_listed_page_by_page(office: Office) -> None:
    """Oldest first, with whose fault it was; the neighbour's are not among them."""
    first = await office.dlq("list", "--limit", "2")
    rest = await office.dlq("list", "--limit", "2", "--after", first["next"])

    letters = [*first["letters"], *rest["letters"]]
    assert ["d1", "d2", "d3"] == [letter["delivery"] for letter in letters]
    assert ["tenant", "tenant", "pipeline"] == [letter["fault"] for letter in letters]
    assert rest["next"] is None


async def test_a_person_sees_a_table_that_cannot_steer_the_terminal(office: Office) -> None:
    """And on the error stream how to go on."""
    shown = await office.cli.done("dlq", "list", ACME, "--limit", "2")
    one = await office.cli.done("dlq", "show", ACME, "d1")

    assert "agent_timeout" in shown.out
    assert "--after" in shown.err
    assert "HTTP 400" in one.out
    assert "\x1b[2J" not in one.out


async def test_a_letter_is_shown_with_its_history(office: Office) -> None:
    """From the archive, oldest first; what was said, only on demand."""
    await office.archive()

    shown = await office.dlq("show", "d2")
    assert "payload" not in shown
    assert "d2" == (await office.dlq("show", "d2", "--payload"))["payload"]

    assert ("d2", "in", "c2", "tenant", "agent_timeout", 1) == tuple(
        shown[name]
        for name in ("delivery", "direction", "conversation", "fault", "reason", "attempts")
    )
    assert [("event.routed", None, ""), ("delivery.dead", 1, "agent_timeout")] == [
        (each["action"], each["attempt"], each["reason"]) for each in shown["history"]
    ]


async def test_a_dry_run_counts_what_matches(office: Office) -> None:
    """All that is given must hold; nothing is sent."""
    expected = {
        (): 3,
        ("--reason", "agent_timeout"): 1,
        ("--fault", "tenant"): 2,
        ("--fault", "platform"): 0,
        ("--conversation", "c1"): 2,
        ("--conversation", "c1", "--fault", "pipeline"): 1,
        ("--direction", "out"): 0,
        ("--since", "1h"): 3,
        ("--until", "1h"): 0,
        ("--since", "2000-01-01T00:00:00", "--until", "2000-01-02T00:00:00+02:00"): 0,
    }

    dry_run = ("replay", "--all", "--dry-run")
    counted = {filters: await office.dlq(*dry_run, *filters) for filters in expected}

    assert {filters: {"matching": count} for filters, count in expected.items()} == counted
    assert 3 == await office.queues.dead.count(ACME)


async def test_one_letter_is_replayed_under_its_own_id(office: Office) -> None:
    """On record with who did it; a second time there is nothing to replay."""
    replayed = await office.dlq("replay", "d2")
    again = await office.cli("dlq", "replay", ACME, "d2")

    assert {"replayed": 1, "gone": 0, "stopped": False} == replayed
    assert (1, True) == (again.code, "no dead letter d2" in again.err)
    record = await office.last_record(ACME)
    assert (AuditAction.DEAD_LETTER_REPLAYED, "d2") == (record.action, record.delivery_id)
    assert record.detail
    assert ["d2"] == await office.delivered_next()


async def test_many_letters_are_replayed_by_filter(office: Office) -> None:
    """In a process of its own, for it listens to Ctrl-C."""
    replayed = await run_command(
        office.cli.env, "dlq", "replay", ACME, "--all", "--conversation", "c1", "--rate", "1000"
    )

    assert {"replayed": 2, "gone": 0, "stopped": False} == replayed
    assert ["d1"] == await office.delivered_next()
    assert [1, 1] == [await office.queues.dead.count(each) for each in (ACME, GLOBEX)]


async def test_a_letter_is_discarded_with_a_reason(office: Office) -> None:
    """Which is kept; the others stay."""
    assert {"discarded": True} == await office.dlq("discard", "d1", "--reason", "spam")

    record = await office.last_record(ACME)
    assert AuditAction.DEAD_LETTER_DISCARDED is record.action
    assert record.detail.endswith(": spam")
    assert 2 == await office.queues.dead.count(ACME)
    assert 1 == (await office.cli("dlq", "discard", ACME, "d1", "--reason", "spam")).code


async def test_a_neighbours_letter_is_not_found(office: Office) -> None:
    """By no command."""
    commands: list[tuple[str, ...]] = [("show",), ("replay",), ("discard", "--reason", "mine")]
    answers: list[Answer] = [
        await office.cli("dlq", command, ACME, "g1", *rest) for command, *rest in commands
    ]

    assert [1, 1, 1] == [answer.code for answer in answers]
    assert 1 == await office.queues.dead.count(GLOBEX)


async def test_a_wrong_option_changes_nothing(office: Office) -> None:
    """A usage error: what was not understood must not be taken for its nearest neighbour."""
    wrong = [
        ("replay", ACME),
        ("replay", ACME, "d1", "--all"),
        ("replay", ACME, "d1", "--dry-run"),
        ("replay", ACME, "d1", "--fault", "platform"),
        ("replay", ACME, "--all", "--reason", "bad luck"),
        ("replay", ACME, "--all", "--since", "yesterday"),
        ("replay", ACME, "--all", "--rate", "0"),
        ("discard", ACME, "d1"),
        ("list", ACME, "--after", "the last one"),
        ("list", ACME, "--limit", "0"),
    ]

    codes = {args: (await office.cli("dlq", *args)).code for args in wrong}

    assert dict.fromkeys(wrong, 2) == codes
    assert 3 == await office.queues.dead.count(ACME)
