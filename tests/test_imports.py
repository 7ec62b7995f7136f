"""Nobody pays for, or is exposed to, what he does not use: what each start of the program loads."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from importlib import import_module

import pytest

import gateway.cli
from gateway.cli import NOUNS

SDKS = {"discord", "botbuilder", "botframework", "slack_bolt", "slack_sdk"}
LARGE = SDKS | {"aiohttp", "asyncpg", "redis", "cryptography", "pydantic", "uvloop", "rich", "jwt"}


def _loaded_by(code: str) -> set[str]:
    """The top-level packages that are loaded when the code has run."""
    told = (
        "import sys; sys.stderr.write(' '.join({each.partition('.')[0] for each in sys.modules}))"
    )
    # An exit at its end, as the command line has one, must not keep it from telling.
    script = f"try:\n    {code}\nexcept SystemExit:\n    pass\n{told}"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True, timeout=30
    )
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "code",
    [
        "import gateway.cli",
        "import sys, gateway.cli; sys.argv[1:] = ['--help']; gateway.cli.main()",
    ],
)
def test_the_command_line_by_itself_loads_nothing_large(code: str) -> None:
    """Asking what there is takes no longer than to print it."""
    loaded = _loaded_by(code)

    assert set() == LARGE & loaded
    assert "typer" in loaded


def test_a_gateway_for_slack_alone_loads_no_sdk() -> None:
    """All that it is made of, and the adapter as it is opened; bolt is for install pages only."""
    opened = (
        "import asyncio, gateway.app, gateway.workers.worker, gateway.house;"
        "from adapters.registry import SlackOptions, open_adapters;"
        "from gateway.core.ids import Platform; from gateway.telemetry.metrics import Metrics;"
        "options = {Platform.SLACK: SlackOptions('xapp-1', 'https://slack.com/api/')};"
        "opening = open_adapters(options, Metrics(), None, None);"
        "asyncio.run(opening.__aenter__())"
    )
    loaded = _loaded_by(opened)

    assert set() == SDKS & loaded
    assert "adapters" in loaded


def test_the_process_above_the_workers_loads_no_client_of_a_store() -> None:
    """It touches no message, so it need not be able to."""
    assert set() == (SDKS | {"asyncpg", "redis"}) & _loaded_by("import gateway.workers.serving")


def test_help_knows_every_noun_and_says_what_the_noun_says_of_itself() -> None:
    """The root has them by name only, so that it need not load them."""
    found = pkgutil.iter_modules(gateway.cli.__path__)
    modules = {each.name: import_module(f"gateway.cli.{each.name}") for each in found}
    apps = {name: module.app for name, module in modules.items() if hasattr(module, "app")}
    groups = {name: each.info.help for name, each in apps.items() if each.registered_callback}
    groups |= {name: each.info.help for name, each in apps.items() if each.info.no_args_is_help}

    assert set(NOUNS) | {"worker"} == set(apps)
    assert groups == {name: NOUNS[name] for name in groups}
    assert len(groups) == len(NOUNS) - 2
