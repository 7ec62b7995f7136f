"""`python -m loadtests`: measure the gateway beside its limits and its peers, print one table.

Exit code 1 when a ledger of the gateway is not clean; 2 when the bench could not run.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from loadtests import gateway_measures, hot
from loadtests.child import ChildError
from loadtests.comparison import compare
from loadtests.profiles import FULL, QUICK, Profile
from loadtests.report import as_json, exit_code, show
from loadtests.results import Results
from loadtests.rig import Launch, Progress, Receiver, receiving
from loadtests.subjects import bullmq, floor_http, floor_redis, gateway, taskiq
from loadtests.subjects.installing import MissingError, default_cache

_SUBJECTS = (
    gateway.NAME,
    floor_http.NAME,
    floor_redis.NAME,
    bullmq.NAME,
    bullmq.NAME_FETCH,
    taskiq.NAME,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for."""
    args = _parser().parse_args(arguments)
    if not Path("/proc/self/stat").exists():
        print("the bench reads CPU and memory from /proc: it runs on Linux only", file=sys.stderr)
        return 2
    profile = QUICK if args.quick else FULL
    progress = _progress()
    try:
        if args.hot:
            hot.show(profile, progress)
            return 0
        results = _measured(args, profile, progress)
    except ChildError as exc:
        print(f"the bench could not go on: {exc}", file=sys.stderr)
        return 2
    if args.json:
        sys.stdout.buffer.write(as_json(results) + b"\n")
    else:
        show(results, Console(width=None if sys.stdout.isatty() else 180))
    return exit_code(results)


def _measured(args: argparse.Namespace, profile: Profile, progress: Progress) -> Results:
    began = time.monotonic()
    results = Results(profile.name, profile.in_flight, profile.rate_per_s)
    results.load_before = os.getloadavg()[0] / (os.cpu_count() or 1)
    launches = _launches(args.only, profile, args.cache, results.skipped)
    with receiving(progress) as receiver:
        results.subjects = compare(launches, receiver, profile, progress, results.skipped)
        if gateway.NAME in results.subjects and not args.compare_only:
            _promises(results, receiver, profile, progress)
    results.took_s = time.monotonic() - began
    return results


def _promises(results: Results, receiver: Receiver, profile: Profile, progress: Progress) -> None:
    results.backlog = gateway_measures.beside_backlog(receiver, profile, progress)
    results.hanging = gateway_measures.beside_hanging(receiver, profile, progress)
    for in_flight in profile.slow_in_flight:
        slow = gateway_measures.slow_agents(receiver, profile, in_flight, progress)
        results.slow.append(slow)
    results.resident = gateway_measures.resident(receiver, profile, progress)


def _launches(
    only: Sequence[str], profile: Profile, cache: Path, skipped: dict[str, str]
) -> list[Launch]:
    in_flight = profile.in_flight
    makers: dict[str, Callable[[], Launch]] = {
        gateway.NAME: lambda: gateway.launch(in_flight),
        floor_http.NAME: lambda: floor_http.launch(in_flight),
        floor_redis.NAME: lambda: floor_redis.launch(in_flight),
        bullmq.NAME: lambda: bullmq.launch(in_flight, cache),
        bullmq.NAME_FETCH: lambda: bullmq.launch(in_flight, cache, bullmq.NAME_FETCH),
        taskiq.NAME: lambda: taskiq.launch(in_flight, cache),
    }
    launches = []
    for name in only or _SUBJECTS:
        try:
            launches.append(makers[name]())
        except MissingError as exc:
            skipped[name] = str(exc)
    return launches


def _progress() -> Progress:
    console, began = Console(stderr=True, highlight=False), time.monotonic()
    return lambda text: console.print(f"[dim]{time.monotonic() - began:6.1f} s  {text}[/]")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtests", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small counts: a minute")
    parser.add_argument("--json", action="store_true", help="everything as JSON on stdout")
    parser.add_argument(
        "--only", nargs="+", choices=_SUBJECTS, default=[], help="measure these subjects alone"
    )
    parser.add_argument(
        "--compare-only", action="store_true", help="leave fairness, slow agents and memory out"
    )
    parser.add_argument(
        "--hot", action="store_true", help="no table: where the gateway spends its CPU (cProfile)"
    )
    parser.add_argument(
        "--cache", type=Path, default=default_cache(), help="where the peers' packages are kept"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
