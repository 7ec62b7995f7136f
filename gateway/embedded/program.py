"""What a server is to the keeper: how it starts, answers, stops and is recognised."""

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gateway.embedded.errors import EmbeddedServerError
from gateway.embedded.processes import Account, command_line, end, is_alive, spawn

_STOP_GRACE_S = 8.0
_LOG_TAIL_LINES = 5


@dataclass(frozen=True, slots=True)
class Program:
    """One server.

    `stop_signals` go from the clean stop to SIGKILL; `home` is a folder in its command line.
    """

    name: str
    prepare: Callable[[], None]
    command: tuple[str | Path, ...]
    home: Path
    log: Path
    pid_file: Path
    stop_signals: tuple[signal.Signals, ...]
    answers: Callable[[], bool]
    account: Account | None = None

    def start(self) -> subprocess.Popen[bytes]:
        return spawn(self.command, log=self.log, account=self.account)

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        end(
            process.send_signal,
            lambda: process.poll() is not None,
            signals=self.stop_signals,
            grace_s=_STOP_GRACE_S,
        )

    def log_tail(self) -> str:
        """The last lines of the log, for an error message; empty if there is none."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-_LOG_TAIL_LINES:])


def clear_leftover(program: Program) -> None:
    """Stop the server that a killed keeper left behind on this data, if there is one.

    Raises EmbeddedServerError if it survives SIGKILL: two servers on one data directory corrupt it.
    """
    pid = _recorded_pid(program.pid_file)
    if pid is None or not is_alive(pid):
        return
    if not _is_ours(program, pid):
        # Pids start again with a container. PostgreSQL would take the stranger for its old self
        # and refuse to start for ever.
        program.pid_file.unlink()
        return
    with suppress(ProcessLookupError):
        end(
            lambda number: os.kill(pid, number),
            lambda: not _is_ours(program, pid),
            signals=program.stop_signals,
            grace_s=_STOP_GRACE_S,
        )
    if _is_ours(program, pid):
        raise EmbeddedServerError(f"{program.name} of an earlier run (pid {pid}) cannot be stopped")


def _is_ours(program: Program, pid: int) -> bool:
    return f"{program.home}/" in command_line(pid)


def _recorded_pid(pid_file: Path) -> int | None:
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    # A negative number would signal a whole process group.
    return pid if pid > 1 else None
