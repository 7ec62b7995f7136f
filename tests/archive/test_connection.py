"""The edge to PostgreSQL: every fault is one of ours, and none tells a password."""

from __future__ import annotations

import pytest

from gateway.archive.connection import connect, fetch
from gateway.core.errors import ConfigError, StoreError


async def test_a_server_that_is_not_there_is_a_store_error() -> None:
    """Law 9: nothing may take a dead database for an empty one."""
    with pytest.raises(StoreError, match="PostgreSQL"):
        async with connect("postgresql://gateway@127.0.0.1:1/gateway", timeout_s=2):
            pass


@pytest.mark.parametrize(
    "url", ["mysql://root:hunter2@localhost/x", "postgresql://u:hunter2@localhost:port/x"]
)
async def test_a_url_that_cannot_be_read_is_named_without_its_password(url: str) -> None:
    """The operator learns which setting is wrong; the log learns no password."""
    with pytest.raises(ConfigError, match="DATABASE_URL") as caught:
        async with connect(url, timeout_s=2):
            pass
    assert "hunter2" not in str(caught.value)


async def test_a_connection_that_the_server_ends_is_a_store_error(fresh_database: str) -> None:
    """A fail-over in the middle of a statement is trouble, never an empty answer."""
    async with connect(fresh_database) as pool:
        with pytest.raises(StoreError):
            await fetch(pool, "SELECT pg_terminate_backend(pg_backend_pid())")
        assert 1 == (await fetch(pool, "SELECT 1 AS one"))[0]["one"]
