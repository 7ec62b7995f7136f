"""The process between a gateway and its embedded servers, which makes them end with the gateway.

It runs as `python -P -m gateway.embedded.keeper`, one per data directory, and holds the directory's
lock. Its standard input is a pipe whose other end only the gateway holds, so the kernel itself
tells of the gateway's end, even by SIGKILL. It answers with one line of JSON, {} or
{"error": message}, then waits until the pipe closes, a signal comes or a server ends, and stops
the servers cleanly.

Imports the standard library and its own package only, for every start of the gateway waits for it.
"""

import argparse
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from gateway.embedded.binaries import PostgresBinaries
from gateway.embedded.errors import EmbeddedServerError
from gateway.embedded.layout import Layout, layout_of
from gateway.embedded.lock import DataDirLock, held_lock
from gateway.embedded.postgres_program import postgres_program
from gateway.embedded.processes import shorten_log
from gateway.embedded.program import Program, clear_leftover
from gateway.embedded.redis_program import redis_program

_STDIN = 0
_STDOUT = 1
_POLL_S = 0.02
# A Redis that loads a big append-only file, or a PostgreSQL that replays its log, is not broken.
_START_TIMEOUT_S = 180.0
_LOGS_EVERY_S = 60.0

Running = list[tuple[Program, subprocess.Popen[bytes]]]


class Stopped(Exception):  # noqa: N818 - an expected end, not an error
    """The gateway is gone or somebody asked the keeper to stop."""


class Leash:
    """Tells when to stop. A child's end wakes it too, for it may be one of the servers."""

    def __init__(self) -> None:
        self._wakeup, alarm = os.pipe()
        os.set_blocking(self._wakeup, False)
        os.set_blocking(alarm, False)
        signal.set_wakeup_fd(alarm, warn_on_full_buffer=False)
        self._stopped = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait for news, at most `timeout_s`. Raises Stopped if the news is to stop."""
        ready, _, _ = select.select([_STDIN, self._wakeup], [], [], timeout_s)
        if self._wakeup in ready:
            os.read(self._wakeup, 1024)
        if self._stopped or (_STDIN in ready and not os.read(_STDIN, 1024)):
            raise Stopped

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stopped = True


def main() -> int:
    options = _options(sys.argv[1:])
    layout = layout_of(options.data_dir)
    leash = Leash()
    try:
        with held_lock(layout.lock, wait=lambda: leash.wait(_POLL_S)) as lock:
            lock.name_holder(options.gateway_pid)
            try:
                _keep(layout, _programs(layout, options), leash, lock)
            finally:
                layout.remove_short_socket_dirs()
    except Stopped:
        return 0
    except EmbeddedServerError as exc:
        return _fail(str(exc))
    except OSError as exc:
        return _fail(
            f"cannot run embedded servers on {layout.data_dir}: {exc}: pick another --data-dir or "
            "set REDIS_URL and DATABASE_URL"
        )
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gateway.embedded.keeper", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--gateway-pid", type=int, required=True)
    parser.add_argument("--redis-server", type=Path)
    parser.add_argument("--postgres-bin", type=Path)
    parser.add_argument("--postgres-package", type=Path)
    return parser.parse_args(arguments)


def _programs(layout: Layout, options: argparse.Namespace) -> list[Program]:
    programs: list[Program] = []
    if options.redis_server:
        programs.append(redis_program(layout, options.redis_server))
    if options.postgres_bin:
        binaries = PostgresBinaries(options.postgres_bin, options.postgres_package)
        programs.append(postgres_program(layout, binaries))
    return programs


def _keep(layout: Layout, programs: Sequence[Program], leash: Leash, lock: DataDirLock) -> None:
    """Run the servers until the leash says stop (Stopped) or one ends (EmbeddedServerError)."""
    with _started(programs) as running:
        for program, process in running:
            _await_answer(program, process, leash)
        layout.write_sockets()
        _answer({})
        try:
            while True:
                # In this order: a server that ended before has had its wake-up consumed already.
                _check_alive(running)
                for log in (layout.keeper_log, *(program.log for program in programs)):
                    shorten_log(log)
                leash.wait(_LOGS_EVERY_S)
        finally:
            layout.sockets.unlink(missing_ok=True)
            lock.announce_end()


@contextmanager
def _started(programs: Sequence[Program]) -> Iterator[Running]:
    """Start every program, after what a killed keeper left of it, and stop them all at the end."""
    running: Running = []
    try:
        for program in programs:
            clear_leftover(program)
            program.prepare()
            running.append((program, program.start()))
        yield running
    finally:
        # All are told first, so that the slower one does not add its time to the other's.
        for program, process in running:
            process.send_signal(program.stop_signals[0])
        for program, process in running:
            program.stop(process)


def _await_answer(program: Program, process: subprocess.Popen[bytes], leash: Leash) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not program.answers():
        leash.wait(_POLL_S)
        _check_alive([(program, process)])
        if time.monotonic() > deadline:
            raise EmbeddedServerError(
                f"{program.name} does not answer after {_START_TIMEOUT_S:g} s, see {program.log}"
            )


def _check_alive(running: Running) -> None:
    for program, process in running:
        if (code := process.poll()) is not None:
            raise EmbeddedServerError(
                f"{program.name} ended by itself (exit code {code}), see {program.log}:\n"
                f"{program.log_tail()}"
            )


def _fail(message: str) -> int:
    _log(message)
    _answer({"error": message})
    return 1


def _answer(message: dict[str, str]) -> None:
    """Tell the gateway. It reads the first answer only; later trouble is for the log."""
    with suppress(BrokenPipeError):
        os.write(_STDOUT, json.dumps(message).encode() + b"\n")


def _log(message: str) -> None:
    # Standard error is the file keeper.log.
    sys.stderr.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {message}\n")


if __name__ == "__main__":
    sys.exit(main())
