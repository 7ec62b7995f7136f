"""What only the gateway promises: fairness, slow agents, memory. Each in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count

from gateway.core.ids import TenantId
from gateway.settings import Settings
from gateway.store.keys import shard_of
from loadtests.cpu import rss_mb
from loadtests.figures import latency, medians, ratio
from loadtests.ledger import Ledger, verify
from loadtests.measures import fill, paced, span_s, usual_plan, wait
from loadtests.messages import Arrival, Plan
from loadtests.profiles import Profile
from loadtests.results import Neighbour, Resident, Slow
from loadtests.rig import Progress, Receiver, Rig, at_work
from loadtests.subjects import gateway

_NOISY = "noisy"
_QUIET_LANES = 16
_HUNG = 2_000
_WARM_UP = 200
_HUNG_LANES = 100
_NOISY_LANES = 1_000
_UNDER_WAY_S = 1.0
"""How long a neighbour has before the quiet tenant speaks: attempts are in flight by then."""


@contextmanager
def _gateway(receiver: Receiver, in_flight: int) -> Iterator[Rig]:
    receiver.reset()
    with at_work(gateway.launch(in_flight), receiver) as rig:
        yield rig


def beside_backlog(receiver: Receiver, profile: Profile, progress: Progress) -> Neighbour:
    """A quiet tenant beside one of the same shard with a long queue and a fast agent."""
    noisy = Plan("noise", receiver.base_url(), (_NOISY,), _NOISY_LANES, profile.backlog)
    text = f"gateway: a neighbour with {profile.backlog:,} queued"
    return _neighbour(receiver, profile, noisy, lambda turn: progress(f"{text}, {turn}"))


def beside_hanging(receiver: Receiver, profile: Profile, progress: Progress) -> Neighbour:
    """A quiet tenant beside one of the same shard whose agent never answers."""
    noisy = Plan("noise", receiver.base_url("hang"), (_NOISY,), _HUNG_LANES, _HUNG)
    text = "gateway: a neighbour whose agent hangs"
    return _neighbour(receiver, profile, noisy, lambda turn: progress(f"{text}, {turn}"))


def _neighbour(receiver: Receiver, profile: Profile, noisy: Plan, progress: Progress) -> Neighbour:
    """Medians of several runs: the p95 of one says as much of the machine as of the gateway."""
    alone, beside, total = [], [], Ledger()
    for number in range(profile.repetitions):
        progress(f"{number + 1}/{profile.repetitions}")
        quiet, disturbed, ledger = _beside(receiver, profile, noisy)
        alone.append(latency([arrival.latency_ms for arrival in quiet]))
        beside.append(latency([arrival.latency_ms for arrival in disturbed]))
        total = total.plus(ledger)
    base, with_noise = medians(alone), medians(beside)
    return Neighbour(base, with_noise, ratio(with_noise.p95_ms, base.p95_ms), total)


def _beside(
    receiver: Receiver, profile: Profile, noisy: Plan
) -> tuple[Sequence[Arrival], Sequence[Arrival], Ledger]:
    """One run: what the quiet tenant got alone, what it got beside the other, and all that came."""
    with _gateway(receiver, profile.in_flight) as rig:
        warm, alone, beside = (
            _quiet_plan(receiver, profile, run) for run in ("warm", "alone", "beside")
        )
        for plan in (alone, noisy):
            rig.child.ask("bind", plan=plan.as_json())
        rig.child.ask("start")
        paced(rig, replace(warm, count=_WARM_UP), profile)
        quiet, ledger, _ = paced(rig, alone, profile)
        rig.child.ask("stop")
        rig.child.ask("backlog", plan=noisy.as_json(), timeout_s=profile.longest_wait_s)
        rig.child.ask("start")
        time.sleep(_UNDER_WAY_S)
        disturbed, other_ledger, _ = paced(rig, beside, profile)
        noise = receiver.arrivals(noisy.run)
    total = ledger.plus(other_ledger).plus(_cut_off(noisy, noise))
    return quiet, _while_noisy(disturbed, noise), total


def _quiet_plan(receiver: Receiver, profile: Profile, run: str) -> Plan:
    return Plan(run, receiver.base_url(), (_quiet_name(),), _QUIET_LANES, profile.neighbour_paced)


def _quiet_name() -> str:
    """A tenant of the noisy one's shard: elsewhere it would be easy to be fair."""
    shards = Settings(demo=True).shards
    wanted = shard_of(TenantId(_NOISY), shards)
    names = (f"quiet{number}" for number in count())
    return next(name for name in names if shard_of(TenantId(name), shards) == wanted)


def _while_noisy(quiet: Sequence[Arrival], noise: Sequence[Arrival]) -> Sequence[Arrival]:
    """Only what was due while the neighbour's queue was not empty yet, if it was emptied at all."""
    if not noise:
        return quiet
    end_ns = max(arrival.at_ns for arrival in noise)
    return [arrival for arrival in quiet if arrival.message.due_ns <= end_ns]


def _cut_off(noisy: Plan, noise: Sequence[Arrival]) -> Ledger:
    # It was stopped in the middle of its queue: nothing of it is lost, and only what came counts.
    ledger = verify(noisy.keys(), noise, all_due=False)
    return replace(ledger, published=ledger.arrived)


def slow_agents(receiver: Receiver, profile: Profile, in_flight: int, progress: Progress) -> Slow:
    """All agents take their time: the rate as a share of what the in-flight cap allows."""
    progress(f"gateway: agents that take {profile.slow_ms} ms, {in_flight} in flight")
    delay_s = profile.slow_ms / 1000
    possible_per_s = in_flight / delay_s
    with _gateway(receiver, in_flight) as rig:
        usual = usual_plan(profile, receiver, "slow", round(possible_per_s * profile.slow_s))
        plan = replace(usual, base_url=receiver.base_url(str(profile.slow_ms)))
        rig.child.ask("bind", plan=plan.as_json())
        _, expected = fill(rig, plan)
        rig.child.ask("start")
        finished = wait(rig, plan, len(expected), profile)
        arrivals, overlapping = receiver.seen(plan.run)
    took_s = span_s(arrivals) + delay_s
    per_s = len(arrivals) / took_s
    ledger = verify(expected, arrivals, all_due=finished, overlapping=overlapping)
    return Slow(in_flight, per_s, per_s / possible_per_s, ledger)


def resident(receiver: Receiver, profile: Profile, progress: Progress) -> Resident:
    """One message in each of many conversations, accepted and delivered; then the memory."""
    tenants, lanes = profile.resident_tenants, profile.resident_conversations
    progress(f"gateway: {tenants:,} tenants, {lanes:,} conversations")
    with _gateway(receiver, profile.in_flight) as rig:
        names = tuple(f"m{number:05d}" for number in range(tenants))
        plan = Plan("resident", receiver.base_url(), names, lanes, lanes)
        idle_mb = rss_mb(rig.child.pid)
        rig.child.ask("bind", plan=plan.as_json(), timeout_s=profile.longest_wait_s)
        rig.child.ask("start")
        answer, expected = fill(rig, plan, profile.resident_s)
        finished = wait(rig, plan, len(expected), profile)
        ledger = verify(expected, receiver.arrivals(plan.run), all_due=finished)
        gateway_mb, redis_mb = rss_mb(rig.child.pid), rss_mb(rig.redis.pid)
    return Resident(tenants, int(answer["count"]), idle_mb, gateway_mb, redis_mb, ledger)
