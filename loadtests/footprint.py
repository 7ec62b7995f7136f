"""`python -m loadtests.footprint`: how long `--help` takes, and what an idle gateway weighs.

The gateway is a real `serve` with Slack configured, against the sandbox and embedded stores; the
stores' own processes are not counted. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from gateway.demo.world import APP_TOKEN
from gateway.sandbox.process import GatewayProcess
from gateway.sandbox.slack import SlackSandbox
from loadtests.cpu import cpu_s, rss_mb
from loadtests.figures import median

_PROGRAM = Path(sys.executable).parent / "channel-gateway"
_READY_WITHIN_S = 60.0


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.footprint", description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="how often --help is called")
    parser.add_argument("--workers", type=int, default=1, help="as for serve")
    parser.add_argument("--idle-s", type=float, default=10.0, help="how long it is left alone")
    args = parser.parse_args()

    times = sorted(_help_s() for _ in range(args.runs))
    print(f"--help: median {median(times):.3f} s, from {times[0]:.3f} to {times[-1]:.3f}")
    with tempfile.TemporaryDirectory(prefix="footprint-") as folder:
        # PostgreSQL's account must be able to enter it.
        Path(folder).chmod(0o755)
        asyncio.run(_weigh(f"{folder}/data", args.workers, args.idle_s))
    return 0


def _help_s() -> float:
    began = time.perf_counter()
    subprocess.run([_PROGRAM, "--help"], check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    return time.perf_counter() - began


async def _weigh(data_dir: str, workers: int, idle_s: float) -> None:
    async with SlackSandbox(app_token=APP_TOKEN) as slack:
        gateway = GatewayProcess(
            {
                "GATEWAY_DEMO": "1",
                "GATEWAY_PORT": "0",
                "GATEWAY_OPS_PORT": "0",
                "GATEWAY_WORKERS": str(workers),
                "GATEWAY_DATA_DIR": data_dir,
                "SLACK_APP_TOKEN": APP_TOKEN,
                "SLACK_API_BASE_URL": slack.base_url,
            }
        )
        began = time.perf_counter()
        await gateway.start()
        try:
            await gateway.listening(_READY_WITHIN_S)
            up_s = time.perf_counter() - began
            await _until_ready(gateway)
            print(f"up after {up_s:.2f} s, ready after {time.perf_counter() - began:.2f} s")
            await _watch(gateway, idle_s)
        finally:
            await gateway.stop()


async def _until_ready(gateway: GatewayProcess) -> None:
    async with asyncio.timeout(_READY_WITHIN_S), aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{gateway.ops}/readyz") as answer:
                if answer.status == 200:
                    return
            await asyncio.sleep(0.05)


async def _watch(gateway: GatewayProcess, idle_s: float) -> None:
    pids = {"gateway": gateway.pid}
    for entry in gateway.logs:
        if entry["event"] == "worker.started":
            pids[entry["worker"]] = entry["pid"]
    before = {name: cpu_s(pid) for name, pid in pids.items()}
    await asyncio.sleep(idle_s)
    for name, pid in pids.items():
        share = (cpu_s(pid) - before[name]) / idle_s
        print(f"{name}: {rss_mb(pid):.1f} MB resident, {share:.1%} of a core while idle")


if __name__ == "__main__":
    sys.exit(main())
