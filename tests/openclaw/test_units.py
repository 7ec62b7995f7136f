"""The parts of the plugin that need no OpenClaw, by the test runner of its own language."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.openclaw.install import Installed
from tests.openclaw.program import PLUGIN

pytestmark = [pytest.mark.openclaw, pytest.mark.timeout(600, func_only=True)]

UNITS = Path(__file__).parent / "units"
MAX_FILE_LINES = 300


async def test_the_parts_of_the_plugin(openclaw_program: Installed) -> None:
    """Signatures, addresses, sessions, the store, buttons, calls of the gateway, previews."""
    tests = sorted(UNITS.glob("*.test.mjs"))
    process = await asyncio.create_subprocess_exec(
        openclaw_program.node,
        *("--import", UNITS / "host.mjs", "--test", "--test-reporter=tap"),
        *tests,
        env={**os.environ, "OPENCLAW_PACKAGE": str(openclaw_program.openclaw.parent)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()

    assert 0 == process.returncode, said.decode()[-5000:]
    assert b"\n# pass 0\n" not in said


def test_the_plugins_files_stay_short() -> None:
    """What does not fit is two things."""
    files = [*PLUGIN.rglob("*.js"), *Path(__file__).parent.rglob("*.mjs")]
    lengths = {path.name: len(path.read_text().splitlines()) for path in files}

    assert len(lengths) > 20
    assert {} == {name: lines for name, lines in lengths.items() if lines > MAX_FILE_LINES}
