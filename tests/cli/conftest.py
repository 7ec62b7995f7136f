"""The command line over real stores, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from cryptography.fernet import Fernet
from typer.testing import CliRunner

from gateway.cli import app

PEPPER = "a pepper for tests, long enough for all"


@dataclass(frozen=True)
class Answer:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, for a command that was given `--json`."""
        return msgspec.json.decode(self.out)


@dataclass(frozen=True)
class CommandLine:
    """`channel-gateway` with an environment of its own."""

    env: Mapping[str, str]

    async def __call__(self, *args: str, stdin: str = "", **env: str) -> Answer:
        """Run a command; keyword arguments change the environment."""
        # A thread, because a command runs an event loop of its own.
        result = await asyncio.to_thread(
            CliRunner().invoke, app, list(args), input=stdin, env={**self.env, **env}
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    async def done(self, *args: str, stdin: str = "") -> Answer:
        """Run a command that has to work."""
        answer = await self(*args, stdin=stdin)
        assert 0 == answer.code, answer.err
        return answer


@pytest.fixture
def cli(clean_redis: str, fresh_database: str) -> CommandLine:
    """The command line over empty stores."""
    return CommandLine(
        {
            "REDIS_URL": clean_redis,
            "DATABASE_URL": fresh_database,
            "GATEWAY_PEPPER": PEPPER,
            "GATEWAY_SEALING_KEYS": Fernet.generate_key().decode(),
            "GATEWAY_SHARDS": "4",
            "GATEWAY_DEMO": "0",
            "COLUMNS": "200",
        }
    )
