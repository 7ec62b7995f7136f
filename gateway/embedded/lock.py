"""The lock of a data directory: at most one keeper, thus one Redis and one PostgreSQL, uses it."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.embedded.errors import EmbeddedServerError
from gateway.embedded.processes import is_alive

# How long the keeper of a gateway that is gone may take to stop its servers.
_HANDOVER_TIMEOUT_S = 30.0


class DataDirLock:
    """A held lock. Its file names the gateway's pid, or nothing while its holder comes or goes."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def name_holder(self, gateway_pid: int) -> None:
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, str(gateway_pid).encode(), 0)

    def announce_end(self) -> None:
        """Tell the next gateway that waiting for this lock is worth its while."""
        os.ftruncate(self._descriptor, 0)


@contextmanager
def held_lock(path: Path, *, wait: Callable[[], None]) -> Iterator[DataDirLock]:
    """Hold the lock file `path`. Between two tries `wait` is called, and may raise to give up.

    A holder whose gateway has died is waited for: its keeper still stops the servers.
    Raises EmbeddedServerError, which names the data directory and the pid, if another gateway runs.
    """
    # Not inherited by the servers: a server that outlives its keeper must not keep the lock.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + _HANDOVER_TIMEOUT_S
        while not _locks(descriptor, fcntl.LOCK_EX):
            pid = _holder(descriptor)
            if (pid and is_alive(pid)) or time.monotonic() > deadline:
                raise EmbeddedServerError(
                    f"the data directory {path.parent} is in use by another gateway (pid "
                    f"{pid or 'unknown'}): stop that one or pick another --data-dir"
                )
            wait()
        yield DataDirLock(descriptor)
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """True while a keeper holds the lock file `path`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _locks(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _locks(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0)
    return int(text) if text.isdigit() else None
