"""The cache of the real programs: whole or not there, and shared by runs that know nothing of each
other. The package manager is a script here, for what is tried is what we do with it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.openclaw import install
from tests.openclaw.install import MissingError, installed

pytestmark = [pytest.mark.openclaw, pytest.mark.timeout(120)]

_PACKAGE = """\
mkdir -p node_modules/node/bin node_modules/openclaw
touch node_modules/node/bin/node node_modules/openclaw/openclaw.mjs
"""


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """An empty one."""
    return tmp_path / "cache"


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package manager that counts how often it is asked; gives the file that it counts in."""
    calls = tmp_path / "calls"
    _script(tmp_path, f"echo $* >> {calls}\n{_PACKAGE}")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return calls


def test_of_two_runs_at_once_one_installs(cache: Path, npm: Path) -> None:
    """The other one waits for it, and finds the same."""
    with ThreadPoolExecutor(2) as runs:
        both = list(runs.map(installed, [cache, cache]))
    again = installed(cache)

    assert [again, again] == both
    assert again.openclaw.exists()
    assert again.node.exists()
    assert 2 == len(npm.read_text().splitlines())


def test_a_half_done_install_is_begun_anew(cache: Path, npm: Path, tmp_path: Path) -> None:
    """Whatever ended it: what it left is taken for nothing, and removed."""
    _script(tmp_path, f"{_PACKAGE}case $* in *openclaw*) kill -9 $PPID;; esac")
    ended = subprocess.run(
        [
            sys.executable,
            "-c",
            f"from {install.__name__} import *; installed(Path({str(cache)!r}))",
        ],
        cwd=Path(__file__).parents[2],
        check=False,
    )
    left = [path.name for path in cache.glob("*.part-*")]
    _script(tmp_path, _PACKAGE)
    found = installed(cache)

    assert -signal.SIGKILL == ended.returncode
    assert 1 == len(left)
    assert found.openclaw.exists()
    assert [] == list(cache.glob("*.part-*"))


@pytest.mark.parametrize("code", ["ENOTFOUND", "ECONNREFUSED", "ERR_SOCKET_TIMEOUT", "E503"])
def test_a_registry_that_is_away_is_a_reason_to_skip(
    cache: Path, npm: Path, tmp_path: Path, code: str
) -> None:
    """In the words of the package manager. https://docs.npmjs.com/common-errors"""
    _script(tmp_path, f"echo 'npm error code {code}' >&2; exit 1")

    with pytest.raises(MissingError, match=code):
        installed(cache)


def test_any_other_failure_is_one(cache: Path, npm: Path, tmp_path: Path) -> None:
    """A pinned version that is gone must not pass for a machine without a network."""
    _script(tmp_path, "echo 'npm error code E404' >&2; exit 1")

    with pytest.raises(RuntimeError, match="E404"):
        installed(cache)


def test_no_package_manager_is_a_reason_to_skip(
    cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And said so."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(MissingError, match="npm is not on this machine"):
        installed(cache)


def _script(folder: Path, text: str) -> None:
    path = folder / "bin" / "npm"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
