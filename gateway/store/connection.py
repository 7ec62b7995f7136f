"""The connection to Redis, and the one table that turns its exceptions into ours."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from gateway.core.errors import ConfigError, StoreError

Client = Redis
Value = bytes | str | int | float

_SCRIPTS: Final = Path(__file__).parent / "scripts"


@asynccontextmanager
async def connect(url: str, *, timeout_s: float = 5.0, pool: int = 64) -> AsyncIterator[Client]:
    """Open a pool of connections to `url` (redis://, rediss:// or unix://). Connects lazily.

    A caller that finds all of them in use waits its turn, up to `timeout_s`: refusing it would
    read a burst as a fault of the store.

    Nothing is retried inside the client: a `take` whose answer was lost must be recovered by
    its caller, and a commit that is repeated blindly would hide a store that is going down.
    """
    try:
        connections = BlockingConnectionPool.from_url(
            url,
            max_connections=pool,
            timeout=timeout_s,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=15,
        )
    except ValueError as exc:
        raise ConfigError(f"REDIS_URL cannot be read: {exc}") from exc
    client = Redis.from_pool(connections)
    try:
        yield client
    finally:
        await client.aclose()


@contextmanager
def store_errors() -> Iterator[None]:
    """Map every fault of Redis to StoreError: the edge of the store (law 9).

    To be entered for one command at a time, within a task.
    """
    task = asyncio.current_task()
    cancels = task.cancelling() if task else 0
    try:
        yield
    except (RedisError, OSError, TimeoutError) as exc:
        raise StoreError(f"Redis: {type(exc).__name__}: {exc}") from exc
    if task and task.cancelling() > cancels:
        # The client awaits its writes by asyncio.wait_for, which before Python 3.12 loses a cancel
        # that comes as the write ends (https://github.com/python/cpython/issues/86296): without
        # this a worker would go on after it was told to stop, for ever.
        raise asyncio.CancelledError


async def run(client: Client, *command: Value) -> Any:
    """Run one command. Raises StoreError."""
    with store_errors():
        return await client.execute_command(*command)  # type: ignore[no-untyped-call]


async def run_all(client: Client, *commands: Sequence[Value], atomic: bool = False) -> list[Any]:
    """Run commands in one round trip, as one transaction when `atomic`. Raises StoreError."""
    with store_errors():
        async with client.pipeline(transaction=atomic) as pipe:
            for command in commands:
                pipe.execute_command(*command)
            return await pipe.execute()


class Script:
    """One Lua file, run by its digest and sent whole only when the server does not know it."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._text = (_SCRIPTS / f"{name}.lua").read_text(encoding="utf-8")
        # Redis names scripts by SHA-1; nothing here depends on its strength.
        self._sha = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, keys: Sequence[str], args: Sequence[Value]) -> Any:
        """Run the script. Raises StoreError."""
        with store_errors():
            try:
                return await self._client.evalsha(self._sha, len(keys), *keys, *args)
            except NoScriptError:
                return await self._client.eval(self._text, len(keys), *keys, *args)
