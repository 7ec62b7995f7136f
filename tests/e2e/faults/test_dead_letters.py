"""Dead letters as an operator meets them: looked at, sent again, stopped half-way, let go."""

from __future__ import annotations

import signal
from collections import Counter
from typing import Any

import pytest

from gateway.core.audit import AuditAction
from gateway.core.deliveries import Direction
from gateway.demo.world import World
from gateway.sandbox.agent import Answer
from tests.e2e.faults.load import ACME, SHORT, Load
from tests.support.commands import run_command, start_command
from tests.support.conservation import FLAWLESS, at_rest, conversation_of, verdict
from tests.support.evidence import Account, account, records, unarchived
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e

PLACES = ("D0ANNA", "D0BORIS", "D0CARLA")
EACH = 10


async def dlq(world: World, command: str, *args: str) -> Any:
    """`channel-gateway dlq`."""
    return await run_command(world.environment(), "dlq", command, ACME, *args)


async def bury_thirty(world: World) -> list[dict[str, object]]:
    """ACME's agent refuses ten messages in each of three conversations; returns the letters."""
    world.agents[ACME].fail_next(Answer(400), times=len(PLACES) * EACH)
    load = Load(world)
    for _ in range(EACH):
        for place in PLACES:
            load.say(ACME, place)
    await at_rest(world)
    first = await dlq(world, "list", "--limit", "20")
    second = await dlq(world, "list", "--limit", "20", "--after", first["next"])
    assert (20, 10, None) == (len(first["letters"]), len(second["letters"]), second["next"])
    return [*first["letters"], *second["letters"]]


def arrivals(world: World, conversation: object) -> list[str]:
    """Delivery ids in the order in which ACME's agent got them in this conversation."""
    deliveries = world.agents[ACME].deliveries
    return [each.delivery_id for each in deliveries if conversation_of(each.body) == conversation]


async def everything_is_archived(world: World) -> bool:
    """Whether the archive knows all that happened."""
    return not await unarchived(world.stores.redis, world.settings.shards)


async def test_dead_letters_are_replayed_in_order_and_stopped_when_asked(world: World) -> None:
    """Thirty died: one is let go, some are sent again until Ctrl-C, then all the others."""
    await world.start_gateway(SHORT)
    letters = await bury_thirty(world)
    await eventually(lambda: everything_is_archived(world))
    last = letters[-1]

    shown = await dlq(world, "show", str(last["delivery"]))
    assert ["event.routed", "delivery.dead"] == [each["action"] for each in shown["history"]]
    assert ("tenant", "agent_rejected", "HTTP 400", 1) == tuple(
        shown[name] for name in ("fault", "reason", "detail", "attempts")
    )
    only_here = ("--conversation", str(last["conversation"]))
    assert {"matching": EACH} == await dlq(world, "replay", "--all", "--dry-run", *only_here)
    assert {"discarded": True} == await dlq(
        world, "discard", str(last["delivery"]), "--reason", "spam"
    )

    slow = await start_command(
        world.environment(), "dlq", "replay", ACME, "--all", "--rate", "4", "--json"
    )
    await eventually(lambda: len(world.agents[ACME].accepted_ids) >= 3)
    slow.interrupt(signal.SIGINT)
    stopped = await slow.json()
    assert (True, 0) == (stopped["stopped"], stopped["gone"])
    assert 3 <= stopped["replayed"] < 29

    rest = await dlq(world, "replay", "--all", "--rate", "1000")
    assert {"replayed": 29 - stopped["replayed"], "gone": 0, "stopped": False} == rest
    await at_rest(world)
    await expect_everything_on_record(world)
    for conversation in {letter["conversation"] for letter in letters}:
        died = [letter["delivery"] for letter in letters if letter["conversation"] == conversation]
        again = [each for each in died if each != last["delivery"]]
        assert died + again == arrivals(world, conversation)


async def expect_everything_on_record(world: World) -> None:
    """What died, what was sent again and what was let go, by the audit trail."""
    assert FLAWLESS == await verdict(world)
    trail = await records(world)
    assert Account(30, 29, 29, 30) == account(trail, Direction.INBOUND)
    actions = Counter(each.action for each in trail if each.tenant == ACME)
    assert 29 == actions[AuditAction.DEAD_LETTER_REPLAYED]
    [discarded] = [each for each in trail if each.action is AuditAction.DEAD_LETTER_DISCARDED]
    assert discarded.detail.endswith(": spam")
