"""The program as a process: settings, stores that are gone, and what it loads."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from cryptography.fernet import Fernet

from tests.cli.conftest import Answer, CommandLine

PROGRAM = Path(sys.executable).parent / "channel-gateway"


async def run(*command: str | Path, env: dict[str, str]) -> Answer:
    process = await asyncio.create_subprocess_exec(
        *command, env={"PATH": os.environ["PATH"], **env}, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate()
    return Answer(process.returncode or 0, out.decode(), err.decode())


async def test_settings_that_cannot_work_are_listed_at_once() -> None:
    """Exit code 2, every problem, no traceback."""
    answer = await run(PROGRAM, "tenant", "list", env={})

    assert 2 == answer.code
    assert "GATEWAY_PEPPER" in answer.err
    assert "GATEWAY_SEALING_KEYS" in answer.err
    assert "Traceback" not in answer.err


async def test_secrets_are_lines_that_the_settings_accept(cli: CommandLine) -> None:
    """What it prints can go into an environment file as it is."""
    made = await cli.done("secrets")
    env = dict(line.split("=", 1) for line in made.out.splitlines())

    assert {"GATEWAY_PEPPER", "GATEWAY_SEALING_KEYS"} == set(env)
    Fernet(env["GATEWAY_SEALING_KEYS"])
    assert [] == (await CommandLine({**cli.env, **env}).done("tenant", "list", "--json")).json
    assert env != (await cli.done("secrets", "--json")).json


async def test_a_store_that_is_gone_is_named_with_an_exit_code_of_its_own(
    cli: CommandLine,
) -> None:
    """A script can tell "try again later" from "you asked for nonsense"."""
    gone = {
        "Redis": {"REDIS_URL": "redis://127.0.0.1:1"},
        "PostgreSQL": {"DATABASE_URL": "postgresql://gateway@127.0.0.1:1/gateway"},
    }

    for store, env in gone.items():
        answer = await run(PROGRAM, "tenant", "list", env={**cli.env, **env})
        assert 3 == answer.code
        assert store in answer.err
        assert "Traceback" not in answer.err


async def test_help_loads_no_client_of_a_store() -> None:
    """Asking what there is should not take a second."""
    code = (
        "import sys, gateway.cli; print(*{'asyncpg', 'redis', 'cryptography'} & set(sys.modules))"
    )
    answer = await run(sys.executable, "-c", code, env={})

    assert (0, "\n", "") == (answer.code, answer.out, answer.err)


async def test_every_command_explains_itself(cli: CommandLine) -> None:
    """The root names the nouns."""
    shown = await cli.done("--help")

    for noun in ("tenant", "workspace", "registry", "audit", "secrets"):
        assert noun in shown.out
