"""Where the gateway's CPU goes: cProfile over one drain and one fill. A hint for tuning, never a
figure: the profiler itself makes calls dearer than they are.
"""

from __future__ import annotations

from loadtests.measures import fill, usual_plan, wait
from loadtests.profiles import Profile
from loadtests.rig import Progress, at_work, receiving
from loadtests.subjects import gateway


def show(profile: Profile, progress: Progress) -> None:
    """Print the dearest functions, of their own and with all they call, for accepting and for
    delivering apart.
    """
    with (
        receiving(progress) as receiver,
        at_work(gateway.launch(profile.in_flight), receiver) as rig,
    ):
        plan = usual_plan(profile, receiver, "hot", profile.warm_up * 2)
        rig.child.ask("bind", plan=plan.as_json())
        rig.child.ask("profile")
        _, expected = fill(rig, plan)
        accepting = rig.child.ask("profiled")["text"]
        rig.child.ask("profile")
        rig.child.ask("start")
        wait(rig, plan, len(expected), profile)
        delivering = rig.child.ask("profiled")["text"]
    print(f"accepting {plan.count:,} events\n{accepting}")
    print(f"delivering them\n{delivering}")
