"""The subjects side by side: their repetitions take turns, so that a machine that changes its pace
changes it for all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from loadtests.child import ChildError
from loadtests.cpu import peak_rss_mb
from loadtests.figures import Latency, latency, median, medians
from loadtests.ledger import Ledger
from loadtests.measures import drain, paced, usual_plan
from loadtests.messages import Plan
from loadtests.profiles import Profile
from loadtests.results import Drain, SubjectResult
from loadtests.rig import Launch, Progress, Receiver, Rig, at_work
from loadtests.subjects import gateway


@dataclass(slots=True)
class _Runs:
    rig: Rig
    count: int
    drains: list[Drain] = field(default_factory=list)
    paces: list[Latency] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)
    burst: Ledger = field(default_factory=Ledger)
    body_bytes: float = 0.0
    worst_lateness_ms: float = 0.0


def compare(
    launches: Sequence[Launch],
    receiver: Receiver,
    profile: Profile,
    progress: Progress,
    skipped: dict[str, str],
) -> dict[str, SubjectResult]:
    """Measure all subjects. A peer that does not start is noted in `skipped`.

    Raises ChildError when a subject ends in the middle.
    """
    with ExitStack() as stack:
        runs: list[_Runs] = []
        for launch in launches:
            progress(f"{launch.name}: start and warm-up")
            try:
                rig = stack.enter_context(at_work(launch, receiver))
                runs.append(_warmed_up(rig, profile))
            except ChildError as exc:
                if not launch.peer:
                    raise
                skipped[launch.name] = str(exc).splitlines()[-1]
        _take_turns(runs, profile, progress)
        return {each.rig.launch.name: _result(each) for each in runs}


def _take_turns(runs: Sequence[_Runs], profile: Profile, progress: Progress) -> None:
    for number in range(profile.repetitions):
        turn = f"{number + 1}/{profile.repetitions}"
        for each in runs:
            progress(f"{each.rig.launch.name}: drain {each.count:,}, then a burst, {turn}")
            _drain(each, number, profile)
            _burst(each, number, profile)
    for number in range(profile.repetitions):
        for each in runs:
            if each.rig.launch.posts:
                progress(f"{each.rig.launch.name}: open loop at {profile.rate_per_s:g}/s")
                _pace(each, number, profile)


def _warmed_up(rig: Rig, profile: Profile) -> _Runs:
    plan = usual_plan(profile, rig.receiver, "warm", profile.warm_up)
    if rig.launch.name == gateway.NAME:
        for each in (plan, _burst_plan(rig, "", profile)):
            rig.child.ask("bind", plan=each.as_json())
    per_s = drain(rig, plan, profile).per_s
    # Not a number when nothing arrived at all: the drains will tell.
    wanted = 0.0 if math.isnan(per_s) else per_s * profile.drain_s
    count = round(min(max(wanted, profile.least_drained), profile.most_drained))
    return _Runs(rig, count)


def _burst_plan(rig: Rig, run: str, profile: Profile) -> Plan:
    # Tenants of its own: a tenant has one address, and these agents are the slower ones.
    return Plan(
        run=run,
        base_url=rig.receiver.base_url(str(profile.burst_ms)),
        tenants=("burst0", "burst1"),
        lanes=profile.burst_lanes,
        count=profile.burst,
        body_bytes=profile.body_bytes,
    )


def _drain(runs: _Runs, number: int, profile: Profile) -> None:
    plan = usual_plan(profile, runs.rig.receiver, f"drain{number}", runs.count)
    result = drain(runs.rig, plan, profile)
    runs.drains.append(result)
    runs.ledger = runs.ledger.plus(result.ledger)
    runs.body_bytes = runs.rig.receiver.mean_body_bytes()


def _burst(runs: _Runs, number: int, profile: Profile) -> None:
    plan = _burst_plan(runs.rig, f"burst{number}", profile)
    runs.burst = runs.burst.plus(drain(runs.rig, plan, profile).ledger)


def _pace(runs: _Runs, number: int, profile: Profile) -> None:
    runs.rig.receiver.reset()
    runs.rig.child.ask("start")
    plan = usual_plan(profile, runs.rig.receiver, f"pace{number}", profile.paced)
    arrivals, ledger, lateness_ms = paced(runs.rig, plan, profile)
    runs.rig.child.ask("stop")
    runs.paces.append(latency([arrival.latency_ms for arrival in arrivals]))
    runs.ledger = runs.ledger.plus(ledger)
    runs.worst_lateness_ms = max(runs.worst_lateness_ms, lateness_ms)


def _result(runs: _Runs) -> SubjectResult:
    drains = runs.drains
    middle = Drain(
        messages=sum(each.messages for each in drains),
        per_s=median(each.per_s for each in drains),
        worker_us=median(each.worker_us for each in drains),
        redis_us=median(each.redis_us for each in drains),
        ledger=runs.ledger,
        accept_per_s=median(each.accept_per_s for each in drains),
        accept_us=median(each.accept_us for each in drains),
    )
    return SubjectResult(
        name=runs.rig.launch.name,
        drain=middle,
        latency=medians(runs.paces) if runs.paces else None,
        peak_rss_mb=peak_rss_mb(runs.rig.child.pid),
        body_bytes=runs.body_bytes,
        burst=runs.burst,
        drained_each=tuple(each.per_s for each in drains),
        worst_lateness_ms=runs.worst_lateness_ms,
    )
