"""The real Redis and PostgreSQL of a test run: one embedded pair for the session, private to it."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from redis.asyncio import Redis

from gateway.embedded import Endpoints, embedded_servers


@contextmanager
def reachable_temp_dir() -> Iterator[Path]:
    """A short temporary directory that the account of PostgreSQL can enter, unlike pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="cg-")).resolve()
    try:
        path.chmod(0o755)
        yield path
    finally:
        shutil.rmtree(path)


@pytest.fixture(scope="session")
async def session_servers() -> AsyncIterator[Endpoints]:
    """Both servers, started when the first test asks for one of them."""
    with reachable_temp_dir() as path:
        async with embedded_servers(path / "data", redis=True, postgres=True) as endpoints:
            yield endpoints


@pytest.fixture(scope="session")
def redis_url(session_servers: Endpoints) -> str:
    """The session's Redis. Other tests use it too: keep to keys of your own or take clean_redis."""
    assert session_servers.redis_url
    return session_servers.redis_url


@pytest.fixture(scope="session")
def database_url(session_servers: Endpoints) -> str:
    """The session's PostgreSQL. Make nothing in this database: take fresh_database."""
    assert session_servers.database_url
    return session_servers.database_url


@pytest.fixture
async def clean_redis(redis_url: str) -> str:
    """The session's Redis with nothing in it; a test that uses it has it for itself."""
    async with Redis.from_url(redis_url) as client:
        await client.flushall()
    return redis_url


@pytest.fixture
async def fresh_database(database_url: str) -> AsyncIterator[str]:
    """The URL of an empty database of the test's own."""
    async with new_database(database_url) as url:
        yield url


@asynccontextmanager
async def new_database(database_url: str) -> AsyncIterator[str]:
    """Make such a database for longer than a test."""
    name = f"test_{os.getpid()}_{uuid4().hex[:12]}"
    server = await asyncpg.connect(database_url)
    try:
        await server.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        try:
            yield urlsplit(database_url)._replace(path=f"/{name}").geturl()
        finally:
            await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await server.close()
