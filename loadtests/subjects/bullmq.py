"""BullMQ on Node: its own process, the same receiver, the same number of jobs at a time.

Twice, since what its worker posts with decides its rate: undici's Pool is the leanest client that
Node has, and the built-in fetch what most workers use.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from loadtests.rig import Launch
from loadtests.subjects.installing import MissingError, installed, run

NAME = "bullmq"
NAME_FETCH = "bullmq fetch"

_PEERS = Path(__file__).parents[1] / "peers"


def launch(in_flight: int, cache: Path, name: str = NAME) -> Launch:
    """Start it with the client that `name` says, installed into the cache if need be.

    Raises MissingError without node or npm.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise MissingError("node or npm is not on this machine")
    package = _PEERS / "package.json"

    def install(folder: Path) -> None:
        shutil.copy(package, folder)
        run([npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--silent"], folder)

    folder = installed(cache, NAME, package.read_text(encoding="utf-8"), install)
    # Beside its packages, for Node looks for them from where a program lies.
    program = str(shutil.copy(_PEERS / "bullmq.mjs", folder))
    client = "fetch" if name == NAME_FETCH else "undici"
    return Launch(name, [node, program, str(in_flight), client], peer=True)
