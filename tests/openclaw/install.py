"""Puts Node.js and OpenClaw, pinned, into a cache folder outside of the repository."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

NODE_VERSION = "24.21.0"
OPENCLAW_VERSION = "2026.9.6"
_INSTALL_S = 600.0
# By default a registry that is away is known for one after 70 seconds.
_OPTIONS = ("--no-audit", "--no-fund", "--fetch-retry-mintimeout=1000")
_UNREACHABLE = re.compile(
    r"code (E(?:CONN\w+|NOTFOUND|AI_AGAIN|TIMEDOUT|NETUNREACH|HOSTUNREACH|5\d\d)"
    r"|ERR_SOCKET_TIMEOUT|EIDLETIMEOUT)\b"
)


class MissingError(Exception):
    """The real program cannot be run here. The message is the word with which tests are skipped."""


@dataclass(frozen=True, slots=True)
class Installed:
    """Where the two programs are."""

    node: Path
    openclaw: Path


def default_cache() -> Path:
    """`channel-gateway` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "channel-gateway"


def installed(cache: Path) -> Installed:
    """Both programs; fetched from the npm registry when they are not there yet.

    Raises MissingError when there is no npm, or no registry; RuntimeError when npm fails at more.
    """
    folder = cache / f"openclaw-{OPENCLAW_VERSION}-node-{NODE_VERSION}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with _alone(cache / f"{folder.name}.lock"):
            if not folder.exists():
                _fill(folder)
    return Installed(
        node=_node(folder), openclaw=folder / "openclaw/node_modules/openclaw/openclaw.mjs"
    )


def _fill(folder: Path) -> None:
    """Make the folder, whole or not at all: an install may be killed at any moment."""
    prefix = f"{folder.name}.part-"
    for left in folder.parent.glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=prefix) as made:
        part = Path(made) / "whole"
        _install(part / "node", f"node@{NODE_VERSION}")
        # OpenClaw's install scripts ask for a Node.js of its own kind.
        path = f"{_node(part).parent}:{os.environ['PATH']}"
        _install(part / "openclaw", f"openclaw@{OPENCLAW_VERSION}", path=path)
        part.rename(folder)


def _install(folder: Path, package: str, *, path: str | None = None) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise MissingError("npm is not on this machine")
    folder.mkdir(parents=True)
    (folder / "package.json").write_text('{"private": true}')
    try:
        done = subprocess.run(  # the package manager of this machine
            [npm, "install", *_OPTIONS, package],
            cwd=folder,
            env={**os.environ, "PATH": path or os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=_INSTALL_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as exc:
        raise MissingError(f"npm install {package} took longer than {_INSTALL_S:g} s") from exc
    if done.returncode and (unreachable := _UNREACHABLE.search(done.stderr)):
        raise MissingError(f"the npm registry cannot be reached ({unreachable[1]})")
    if done.returncode:
        raise RuntimeError(f"npm install {package} failed:\n{done.stderr[-2000:]}")


def _node(folder: Path) -> Path:
    return folder / "node" / "node_modules" / "node" / "bin" / "node"


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold the lock, which ends with its process: of two runs at once the second waits."""
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
