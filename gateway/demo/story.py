"""What happens in the demo: two companies talk at once, and both try what must not work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from gateway.archive.pages import AuditFilter
from gateway.core.audit import AuditAction, AuditEntry
from gateway.core.ids import UNROUTED, TenantId, WorkspaceId
from gateway.demo.world import Company, World
from gateway.sandbox.wire import JsonObject

CHANNEL, DIRECT = "C0GENERAL", "D0ANNA"
ACME = Company(
    tenant=TenantId("acme"), team=WorkspaceId("T0ACME"), name="Acme Coffee",
    reply=lambda body: _barista(str(body["text"])),
)  # fmt: skip
GLOBEX = Company(
    tenant=TenantId("globex"), team=WorkspaceId("T0GLOBEX"), name="Globex Bank",
    reply=lambda body: _teller(str(body["text"])), inline=True,
)  # fmt: skip
COMPANIES = (ACME, GLOBEX)
STRANGER = WorkspaceId("T0STRANGER")
SAME_TS = "1767225600.000100"

_QUESTIONS = {
    ACME.team: ("What do you have today?", "Two of the second, please.", "Is the shop open?"),
    GLOBEX.team: ("What is my balance?", "Move 20 to savings.", "Is the branch open?"),
}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be true at the end."""

    claim: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Ending:
    """What the demo shows after the talk."""

    audit: list[AuditEntry]
    metrics: dict[str, float]
    checks: list[Check]


async def talk(world: World, progress: Callable[[str], None]) -> None:
    """Let the people of both companies talk at the same time."""
    progress("both companies write in #general, with the same channel, user and ts")
    for team, (first, _, _) in _QUESTIONS.items():
        world.slack.say(team, CHANNEL, "U0ANNA", first, ts=SAME_TS, mention=True)
    await _answers(world, CHANNEL, 1)
    progress("they go on in the thread, and in direct messages")
    for team, (_, second, third) in _QUESTIONS.items():
        world.slack.say(team, CHANNEL, "U0ANNA", second, thread_ts=SAME_TS, mention=True)
        world.slack.say(team, DIRECT, "U0ANNA", third)
    await asyncio.gather(_answers(world, CHANNEL, 2), _answers(world, DIRECT, 1))
    progress("somebody chats without a mention, and a workspace of nobody writes too")
    world.slack.say(ACME.team, CHANNEL, "U0BEN", "Lunch at noon?")
    world.slack.add_team(STRANGER, name="Stranger")
    world.slack.say(STRANGER, CHANNEL, "U0EVE", "Hello?", mention=True)
    await world.slack.settled(timeout_s=10)
    progress("Acme's agent tries to speak into Globex's channel")
    agent = world.agents[ACME.tenant]
    await agent.send(
        f"slack:{GLOBEX.team}:{CHANNEL}", "Hello from next door", idempotency_key="demo-crossing"
    )


async def ending(world: World) -> Ending:
    """Gather the audit trail and the metrics, and check that nothing crossed."""
    entries = await _audit(world)
    return Ending(audit=entries, metrics=await _metrics(world), checks=_checks(world, entries))


def transcript(world: World, company: Company) -> list[tuple[str, str, str]]:
    """Lines of (where, who, text) as the company's people saw them."""
    lines = []
    for channel in (CHANNEL, DIRECT):
        for message in world.slack.messages(company.team, channel):
            where = "#general" if channel == CHANNEL else "direct"
            where += " (thread)" if message.thread_ts not in {None, message.ts} else ""
            who = "agent" if message.bot_id else str(message.user).removeprefix("U0").lower()
            lines.append((where, who, message.text))
    return lines


async def _answers(world: World, channel: str, count: int) -> None:
    waits = (
        world.slack.wait_for_bot_messages(company.team, channel, count, timeout_s=30)
        for company in COMPANIES
    )
    await asyncio.gather(*waits)


async def _audit(world: World) -> list[AuditEntry]:
    # The archive follows within a second; every accepted thing must end in a delivery.
    async with asyncio.timeout(20):
        while True:
            page = await world.stores.archive.search(AuditFilter(), limit=200)
            entries = list(reversed(page.entries))
            if _settled(entries):
                return entries
            await asyncio.sleep(0.2)


def _settled(entries: list[AuditEntry]) -> bool:
    accepted = sum(_is_accepted(entry) for entry in entries)
    done = sum(entry.record.action is AuditAction.DELIVERY_DELIVERED for entry in entries)
    refused = any(entry.record.action is AuditAction.ISOLATION_VIOLATION for entry in entries)
    strangers = any(entry.record.tenant == UNROUTED for entry in entries)
    return refused and strangers and accepted == done > 0


def _is_accepted(entry: AuditEntry) -> bool:
    stored = {AuditAction.EVENT_ROUTED, AuditAction.MESSAGE_SUBMITTED}
    return entry.record.action in stored and entry.record.outcome == "accepted"


async def _metrics(world: World) -> dict[str, float]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{world.gateway.ops}/metrics") as response,
    ):
        lines = (await response.text()).splitlines()
    values = {}
    for line in lines:
        name, _, value = line.rpartition(" ")
        if name.startswith("gateway_") and "_bucket" not in name and "_created" not in name:
            values[name] = float(value)
    return values


def _checks(world: World, entries: list[AuditEntry]) -> list[Check]:
    checks = []
    for company in COMPANIES:
        bodies: list[JsonObject] = [
            delivery.body for delivery in world.agents[company.tenant].deliveries
        ]
        only_own = {company.tenant} == {body["tenant"] for body in bodies}
        checks.append(Check(f"{company.name}'s agent heard its own people only", only_own))
        texts = [text for _, who, text in transcript(world, company) if who == "agent"]
        once = len(texts) == len(set(texts)) == 3
        checks.append(Check(f"{company.name} got 3 answers, each once", once))
    crossing = world.agents[ACME.tenant].reply_statuses[-1] == 404
    checks.append(Check("the agent that reached for another tenant got 404", crossing))
    nobody = [entry for entry in entries if entry.record.tenant == UNROUTED]
    checks.append(Check("the unbound workspace's event went nowhere, on record", bool(nobody)))
    lost = bool(world.slack.unacked())
    checks.append(Check("Slack got an acknowledgement for every event", not lost))
    return checks


def _barista(question: str) -> str:
    if "have" in question:
        return "Fresh today:\n\n1. **Guji** — peach, jasmine\n2. **Huila** — cocoa, plum"
    if "Two" in question:
        return "Two **Huila**, coming up."
    return "We are open *until six*."


def _teller(question: str) -> str:
    if "balance" in question:
        return "| account | balance |\n| --- | --- |\n| current | 120 |\n| savings | 80 |"
    if "Move" in question:
        return "Moved **20**. Savings: ~~80~~ **100**."
    return "The branch opens at *nine*."
