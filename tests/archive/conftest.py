"""A database of its own for each test of the archive."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.archive.audit import AuditArchive
from gateway.archive.connection import Pool, connect
from gateway.archive.migrations import migrate
from gateway.archive.registry import Registry


@pytest.fixture
async def empty_pool(fresh_database: str) -> AsyncIterator[Pool]:
    """A database without any table."""
    async with connect(fresh_database, max_size=4) as pool:
        yield pool


@pytest.fixture
async def pool(empty_pool: Pool) -> Pool:
    """A database with the schema of today and no month for audit records yet."""
    await migrate(empty_pool)
    return empty_pool


@pytest.fixture
def registry(pool: Pool) -> Registry:
    """An empty registry."""
    return Registry(pool)


@pytest.fixture
def archive(pool: Pool) -> AuditArchive:
    """An empty archive."""
    return AuditArchive(pool)
