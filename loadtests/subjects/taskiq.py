"""taskiq, a Python queue: its own virtual environment and process, the same receiver."""

from __future__ import annotations

import sys
from pathlib import Path

from loadtests.rig import Launch
from loadtests.subjects.installing import installed, run

NAME = "taskiq"

_PACKAGES = (
    "taskiq==0.13.0",
    "taskiq-redis==1.2.4",
    "aiohttp==3.14.5",
    "hiredis==3.5.0",
    "orjson==3.13.0",
    "uvloop==0.23.0",
)


def launch(in_flight: int, cache: Path) -> Launch:
    """Make the virtual environment if need be. Raises MissingError when that fails."""

    def install(folder: Path) -> None:
        run([sys.executable, "-m", "venv", folder / "venv"], folder)
        python = folder / "venv" / "bin" / "python"
        run([python, "-m", "pip", "install", "--quiet", *_PACKAGES], folder)

    folder = installed(cache, NAME, " ".join((*_PACKAGES, sys.version)), install)
    python = folder / "venv" / "bin" / "python"
    argv = [str(python), "-m", "loadtests.peers.taskiq_worker", str(in_flight)]
    return Launch(NAME, argv, peer=True)
