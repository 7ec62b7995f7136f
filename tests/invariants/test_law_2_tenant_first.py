"""Law 2: the tenant is found first, by type; what belongs to nobody goes nowhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.core.audit import AuditAction
from gateway.core.ids import UNROUTED
from gateway.demo.world import World
from tests.support.evidence import idle, records
from tests.support.waiting import eventually
from tests.support.worlds import ACME, GLOBEX

SNIPPET = """\
from gateway.core.events import InboundEvent
from gateway.core.tenants import Binding
from routing.context import RoutingContext, Step
from routing.pipeline import decide
from routing.steps.guards import guard
from routing.steps.tenant import Resolve, resolve_tenant


async def wrong(event: InboundEvent, resolve: Resolve) -> None:
    await guard(event)  # wrong
    await guard(RoutingContext(event=event))  # wrong
    await decide(event, resolve, [resolve_tenant])  # wrong
    await guard(RoutingContext(event=event, binding=await resolve_tenant(event, resolve)))  # wrong


async def right(event: InboundEvent, binding: Binding, resolve: Resolve) -> None:
    await guard(RoutingContext(event=event, binding=binding))
    await decide(event, resolve, [guard])


first: Step = resolve_tenant  # wrong
later: Step = guard
"""


@pytest.mark.e2e
def test_an_event_without_its_tenant_does_not_pass_the_type_checker(tmp_path: Path) -> None:
    """Every line that would let a step see one is an error, and no other line is."""
    path = tmp_path / "snippet.py"
    path.write_text(SNIPPET)
    wrong = {n for n, line in enumerate(SNIPPET.splitlines(), 1) if line.endswith("# wrong")}

    ended = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", str(path)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip

    errors = [line for line in ended.stdout.splitlines() if ": error: " in line]
    assert wrong == {int(line.split(":")[1]) for line in errors}, ended.stdout


@pytest.mark.e2e
async def test_an_unbound_workspace_is_acked_and_audited_and_goes_nowhere(world: World) -> None:
    """Whoever installed the app without being a customer gets silence; nobody else hears of it."""
    await world.start_gateway()
    world.slack.add_team("T0NOBODY")

    world.slack.say("T0NOBODY", "C0GENERAL", "U0ANNA", "hello?", mention=True)
    await world.slack.settled(timeout_s=10)
    assert [] == world.slack.unacked()

    async def audited() -> bool:
        return len(await records(world)) == 2

    await eventually(audited)
    assert {(UNROUTED, AuditAction.EVENT_DROPPED, "unbound_workspace", "T0NOBODY")} == {
        (each.tenant, each.action, each.reason, each.workspace) for each in await records(world)
    }
    assert await idle(world)
    assert [] == world.agents[ACME].deliveries + world.agents[GLOBEX].deliveries
    assert [] == world.slack.bot_messages("T0NOBODY", "C0GENERAL")
