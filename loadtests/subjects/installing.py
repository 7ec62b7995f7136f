"""Puts a peer's packages into a cache folder outside of the repository, once a set of versions."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

_INSTALL_S = 180.0


class MissingError(Exception):
    """A peer cannot be measured here. The message is the word with which it is skipped."""


def default_cache() -> Path:
    """`channel-gateway-bench` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "channel-gateway-bench"


def installed(cache: Path, name: str, versions: str, install: Callable[[Path], None]) -> Path:
    """The folder with the peer's packages; `install` fills it when it is not there yet.

    Raises MissingError.
    """
    mark = hashlib.sha256(versions.encode()).hexdigest()[:12]
    folder = cache / f"{name}-{mark}"
    if not (folder / ".complete").exists():
        # What an interrupted install left behind is of no use.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        install(folder)
        (folder / ".complete").touch()
    return folder


def run(argv: Sequence[str | Path], folder: Path) -> None:
    """Run one step of an install. Raises MissingError with the end of what it said."""
    try:
        done = subprocess.run(  # noqa: S603 - the package manager of this machine
            argv,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_INSTALL_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise MissingError(f"{Path(argv[0]).name} failed: {type(exc).__name__}") from exc
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or [""]
        raise MissingError(f"{Path(argv[0]).name} failed: {lines[-1][:200]}")
