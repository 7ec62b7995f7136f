"""Puts Node.js and OpenClaw, pinned, into a cache folder outside of the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

NODE_VERSION = "24.21.0"
OPENCLAW_VERSION = "2026.9.6"
_INSTALL_S = 420.0


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

    Raises MissingError.
    """
    folder = cache / f"openclaw-{OPENCLAW_VERSION}-node-{NODE_VERSION}"
    node = folder / "node" / "node_modules" / "node" / "bin" / "node"
    openclaw = folder / "openclaw" / "node_modules" / "openclaw" / "openclaw.mjs"
    if not (folder / ".complete").exists():
        # What an interrupted install left behind is of no use.
        shutil.rmtree(folder, ignore_errors=True)
        _install(folder / "node", f"node@{NODE_VERSION}")
        _install(
            folder / "openclaw",
            f"openclaw@{OPENCLAW_VERSION}",
            path=f"{node.parent}:{os.environ['PATH']}",
        )
        (folder / ".complete").touch()
    return Installed(node=node, openclaw=openclaw)


def _install(folder: Path, package: str, *, path: str | None = None) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise MissingError("npm is not on this machine")
    folder.mkdir(parents=True)
    (folder / "package.json").write_text('{"private": true}')
    try:
        done = subprocess.run(  # the package manager of this machine
            [npm, "install", "--no-audit", "--no-fund", package],
            cwd=folder,
            # OpenClaw's install scripts ask for a Node.js of its own kind.
            env={**os.environ, "PATH": path or os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=_INSTALL_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise MissingError(f"npm install {package} failed: {type(exc).__name__}") from exc
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or [""]
        raise MissingError(f"npm install {package} failed: {lines[-1][:200]}")
