"""The registry: who the tenants are and what is theirs. Reads are free; a write holds the lock.

Knows nothing of Redis. Whoever writes must bring the look-up keys up to date before the lock is
let go, or two operators could leave them in the order of neither.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.archive.connection import Pool
from gateway.archive.locks import Lock, held
from gateway.archive.reads import RegistryReads
from gateway.archive.writes import RegistryWrites


class Registry(RegistryReads):
    """Tenants, bindings, installations, keys and secrets, in PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self._pool = pool

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[RegistryWrites]:
        """Be the only writer over all processes until the block ends.

        The statements run on the very connection that holds the lock: if that is lost, they fail,
        and nobody writes unlocked. Raises StoreError.
        """
        async with held(self._pool, Lock.REGISTRY) as connection:
            yield RegistryWrites(connection)
