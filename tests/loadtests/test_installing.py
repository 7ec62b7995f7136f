"""The cache of the peers' packages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from loadtests.subjects.installing import MissingError, installed, run


def test_the_same_versions_are_installed_once(tmp_path: Path) -> None:
    """And others beside them."""
    done: list[Path] = []
    folders = [installed(tmp_path, "peer", versions, done.append) for versions in ("1", "1", "2")]
    assert folders[0] == folders[1] != folders[2]
    assert [folders[0], folders[2]] == done


def test_an_install_that_was_cut_off_is_begun_anew(tmp_path: Path) -> None:
    """What it left is thrown away."""

    def cut_off(folder: Path) -> None:
        (folder / "half").touch()
        raise MissingError("no network")

    with pytest.raises(MissingError):
        installed(tmp_path, "peer", "1", cut_off)
    folder = installed(tmp_path, "peer", "1", lambda _folder: None)
    assert not (folder / "half").exists()


def test_a_failed_step_is_told_in_one_line(tmp_path: Path) -> None:
    """The last line of what the program said is the word with which a peer is skipped."""
    program = "import sys; sys.exit('first\\nlast words')"
    with pytest.raises(MissingError, match="failed: last words"):
        run([sys.executable, "-c", program], tmp_path)


def test_a_missing_program_is_told(tmp_path: Path) -> None:
    """Not a traceback."""
    with pytest.raises(MissingError, match="FileNotFoundError"):
        run(["/nonexistent/npm"], tmp_path)
