"""Measures that every subject undergoes: a full queue drained, and the open loop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from loadtests.child import ChildError
from loadtests.cpu import cpu_s
from loadtests.generator import open_loop
from loadtests.ledger import Ledger, verify
from loadtests.messages import Arrival, Key, Plan
from loadtests.profiles import Profile
from loadtests.results import Drain
from loadtests.rig import Receiver, Rig

_FILL_S = 60.0


def usual_plan(profile: Profile, receiver: Receiver, run: str, count: int) -> Plan:
    """Messages over the usual tenants and lanes."""
    return Plan(
        run=run,
        base_url=receiver.base_url(),
        tenants=tuple(f"t{number:05d}" for number in range(profile.tenants)),
        lanes=profile.lanes,
        count=count,
        body_bytes=profile.body_bytes,
    )


def fill(rig: Rig, plan: Plan, limit_s: float = _FILL_S) -> tuple[dict[str, Any], list[Key]]:
    """Hand the whole plan in. Gives the subject's answer, and what is due at the receiver."""
    rig.child.ask("plan", plan=plan.as_json())
    answer = rig.child.ask("fill", limit_s=limit_s, timeout_s=3 * limit_s)
    return answer, _due(plan, int(answer["count"]), answer)


def drain(rig: Rig, plan: Plan, profile: Profile) -> Drain:
    """Queue all messages, then let them be delivered: the rate from the first 2xx to the last.

    Raises ChildError when the subject does not hold still meanwhile: its CPU would be counted low.
    """
    rig.receiver.reset()
    answer, expected = fill(rig, plan)
    if rig.receiver.arrivals(plan.run):
        raise ChildError(f"{rig.launch.name} delivered while its queue was being filled")
    worker_s, redis_s = cpu_s(rig.child.pid), cpu_s(rig.redis.pid)
    rig.child.ask("start")
    count, took_s, ledger = _emptied(rig, plan, expected, profile)
    worker_s, redis_s = cpu_s(rig.child.pid) - worker_s, cpu_s(rig.redis.pid) - redis_s
    rig.child.ask("stop")
    return Drain(
        messages=count,
        per_s=count / took_s if took_s else math.nan,
        worker_us=worker_s / max(count, 1) * 1e6,
        redis_us=redis_s / max(count, 1) * 1e6,
        ledger=ledger,
        accept_per_s=answer["count"] / answer["took_s"],
        accept_us=answer["cpu_s"] / max(answer["count"], 1) * 1e6,
    )


def paced(rig: Rig, plan: Plan, profile: Profile) -> tuple[list[Arrival], Ledger, float]:
    """Publish a plan in the open loop to a started subject.

    Gives what arrived, its ledger, and how late the generator was at worst, in ms.
    """
    child = rig.child
    child.ask("plan", plan=plan.as_json())
    lateness_ms = open_loop(
        lambda number, due_ns: child.tell("publish", n=number, due_ns=due_ns),
        rate_per_s=profile.rate_per_s,
        count=plan.count,
    )
    expected = _due(plan, plan.count, child.ask("published"))
    finished = wait(rig, plan, len(expected), profile)
    arrivals = rig.receiver.arrivals(plan.run)
    return arrivals, verify(expected, arrivals, all_due=finished), lateness_ms


def wait(rig: Rig, plan: Plan, count: int, profile: Profile) -> bool:
    """Wait for a plan's messages as long as the profile allows; see Receiver.wait."""
    return rig.receiver.wait(
        plan.run, count, stall_s=profile.stall_s, longest_s=profile.longest_wait_s
    )


def span_s(arrivals: Sequence[Arrival]) -> float:
    """From the first moment to the last."""
    moments = [arrival.at_ns for arrival in arrivals]
    return (max(moments) - min(moments)) / 1e9 if moments else 0.0


def _emptied(
    rig: Rig, plan: Plan, expected: Sequence[Key], profile: Profile
) -> tuple[int, float, Ledger]:
    if not rig.launch.posts:
        answer = rig.child.ask("drained", timeout_s=profile.longest_wait_s)
        return len(expected), float(answer["took_s"]), Ledger()
    finished = wait(rig, plan, len(expected), profile)
    arrivals, overlapping = rig.receiver.seen(plan.run)
    ledger = verify(expected, arrivals, all_due=finished, overlapping=overlapping)
    return len(arrivals), span_s(arrivals), ledger


def _due(plan: Plan, asked: int, answer: dict[str, Any]) -> list[Key]:
    refused = set(answer["refused"])
    return [plan.message(number).key for number in range(asked) if number not in refused]
