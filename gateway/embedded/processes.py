"""Run, watch and end operating system processes. Knows nothing about Redis or PostgreSQL."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gateway.embedded.errors import EmbeddedServerError

_RUN_TIMEOUT_S = 120.0
_POLL_S = 0.02
_LONGEST_LOG_BYTES = 16 * 1024 * 1024
# What a server may know of our environment. The gateway's secrets live there too, and PGPORT and
# its kin would change how PostgreSQL starts.
_ENVIRONMENT = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class Account:
    """An operating system account that a program runs as in place of root."""

    name: str
    uid: int
    gid: int


def account_of(name: str) -> Account:
    """Look up an account. Raises KeyError if there is none of that name."""
    entry = pwd.getpwnam(name)
    return Account(name, entry.pw_uid, entry.pw_gid)


def run(
    command: Sequence[str | Path], *, account: Account | None = None, text: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a short command to its end with `text` as its input. Raises OSError if it cannot start.

    It starts in `/`, for `account` may not be allowed to stand where we stand.
    """
    try:
        return subprocess.run(  # noqa: S603 - the callers pass argument lists, never a user's text
            command,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=_RUN_TIMEOUT_S,
            cwd="/",
            env=_environment(),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except subprocess.TimeoutExpired as exc:
        raise EmbeddedServerError(f"{command[0]} did not end in {_RUN_TIMEOUT_S:g} s") from exc


def spawn(
    command: Sequence[str | Path], *, log: Path, account: Account | None
) -> subprocess.Popen[bytes]:
    """Start a server that writes to `log` and inherits no open file of ours."""
    with open_log(log) as output:
        return subprocess.Popen(  # noqa: S603 - the callers pass argument lists, never a user's text
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=_environment(),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )


def open_log(path: Path) -> BinaryIO:
    """Open a log to append to. Private: a server's complaint may quote a customer's words."""
    return open(path, "ab", opener=_private)


def shorten_log(path: Path, *, longest_bytes: int = _LONGEST_LOG_BYTES) -> None:
    """Begin a log anew when it has grown too long; what it held is kept beside it, until the next
    time. Whoever writes to it appends, and so goes on at its new beginning.
    """
    try:
        if path.stat().st_size <= longest_bytes:
            return
        with (
            path.open("rb") as log,
            open(path.with_name(f"{path.name}.1"), "wb", opener=_private) as old,
        ):
            shutil.copyfileobj(log, old)
        os.truncate(path, 0)
    except OSError:
        # A full disk, or no log yet: no reason to end the servers.
        return


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def command_line(pid: int) -> str:
    """What `pid` was started with; empty if it is gone, a zombie or hidden from us."""
    if Path("/proc/self/cmdline").exists():
        try:
            return (
                Path(f"/proc/{pid}/cmdline")
                .read_bytes()
                .replace(b"\0", b" ")
                .decode("utf-8", "replace")
            )
        except OSError:
            return ""
    return run(["ps", "-ww", "-o", "command=", "-p", str(pid)]).stdout


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def end(
    send: Callable[[signal.Signals], None],
    gone: Callable[[], bool],
    *,
    signals: Sequence[signal.Signals],
    grace_s: float,
) -> None:
    """Send one signal after the other, milder ones first, until the process is gone."""
    for number in signals:
        send(number)
        if came_true(gone, timeout_s=grace_s):
            return


def came_true(condition: Callable[[], bool], *, timeout_s: float) -> bool:
    """Wait for `condition`; False if it did not hold in time. Blocks: never call it in a loop."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
