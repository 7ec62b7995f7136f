"""The connection to Redis, one server or a cluster, and the one table that turns its exceptions
into ours.

The rest of the store knows Redis by `run`, `run_all`, `run_confirmed`, `run_everywhere` and
`Script` alone. Never hides a fault: what was not answered raises StoreError and is not repeated.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisClusterException, RedisError

from gateway.core.errors import ConfigError, StoreError
from gateway.store.cluster import CLUSTER_SCHEMES, Argument, Cluster, Remap, open_cluster
from gateway.store.multiplex import Multiplexer


class Server(Redis):
    """One server, with the ordered path that all callers share."""

    multiplexer: Multiplexer


Client: TypeAlias = Server | Cluster
Value: TypeAlias = Argument

_SCRIPTS: Final = Path(__file__).parent / "scripts"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """How many replicas must have a change before it counts, and how long they may take.

    Redis replicates after it has answered, so a replica that is promoted may lack what its primary
    had acknowledged. With `replicas` > 0 that cannot happen to what is confirmed, as long as one of
    those that have it is promoted: https://redis.io/docs/latest/commands/wait/
    """

    replicas: int = 0
    wait_s: float = 1.0


UNCONFIRMED: Final = Confirmation()
_FAULTS: Final = (RedisError, RedisClusterException, OSError, TimeoutError)


@asynccontextmanager
async def connect(
    url: str, *, timeout_s: float = 5.0, pool: int = 64, remap: Remap | None = None
) -> AsyncIterator[Client]:
    """Open a pool of connections to `url`. Connects lazily. Raises ConfigError.

    `url` is redis://, rediss:// or unix:// for one server, and redis+cluster:// or
    rediss+cluster:// for a cluster (see cluster.py). `pool` bounds the connections to each server.
    A caller that finds all of them in use waits its turn, up to `timeout_s`: refusing it would
    read a burst as a fault of the store. `remap` turns the addresses that nodes of a cluster have
    for each other into those at which we reach them.

    Nothing is retried inside the client: a `take` whose answer was lost must be recovered by
    its caller, and a commit that is repeated blindly would hide a store that is going down.
    """
    client = _opened(url, timeout_s=timeout_s, pool=pool, remap=remap)
    try:
        yield client
    finally:
        if isinstance(client, Server):
            await client.multiplexer.close()
        await client.aclose()


def _opened(url: str, *, timeout_s: float, pool: int, remap: Remap | None) -> Client:
    try:
        if url.startswith(CLUSTER_SCHEMES):
            return open_cluster(url, timeout_s=timeout_s, pool=pool, remap=remap)
        connections = BlockingConnectionPool.from_url(
            url,
            max_connections=pool,
            timeout=timeout_s,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=15,
        )
    except (ValueError, TypeError, RedisClusterException):
        # Without the cause, which may quote a part of the password: an unescaped `/` or `#` in it
        # makes the rest of it look like a port.
        raise ConfigError(
            "REDIS_URL cannot be read: it should look like redis://user:password@host:6379/0, or, "
            "for a cluster, redis+cluster://user:password@host:6379,other:6379 without a number at "
            "the end; special characters of the password are percent-encoded"
        ) from None
    server = cast("Server", Server.from_pool(connections))
    server.multiplexer = Multiplexer(server, timeout_s=timeout_s)
    return server


class store_errors:  # noqa: N801 - read as a function
    """Map every fault of Redis to StoreError: the edge of the store (law 9).

    To be entered for one command at a time, within a task.
    """

    __slots__ = ("_cancels", "_task")

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        self._cancels = self._task.cancelling() if self._task else 0

    def __exit__(
        self, _kind: type[BaseException] | None, fault: BaseException | None, _trace: object
    ) -> None:
        if fault is not None and not isinstance(fault, _FAULTS):
            return
        if self._task and self._task.cancelling() > self._cancels:
            # redis-py awaits by asyncio.wait_for, which before Python 3.12 loses a cancel that
            # comes as the wait ends (https://github.com/python/cpython/issues/86296), and what is
            # lost with it may end in a fault: without this a worker that goes on after faults
            # would go on after it was told to stop, for ever.
            raise asyncio.CancelledError from fault
        if fault is not None:
            raise StoreError(f"Redis: {type(fault).__name__}: {fault}") from fault


async def run(client: Client, *command: Value) -> Any:
    """Run one command, whose first argument is its key. Raises StoreError."""
    with store_errors():
        return await _one(client, command, key=str(command[1]))


async def run_all(client: Client, *commands: Sequence[Value]) -> list[Any]:
    """Run commands in one round trip, each for itself, on keys of any slots. Raises StoreError."""
    with store_errors():
        if isinstance(client, Cluster):
            return await client.send_all(commands)
        return _checked(await client.multiplexer.ask_all(commands))


async def run_confirmed(client: Client, confirmation: Confirmation, *command: Value) -> Any:
    """Run one command that changes a key, and wait for the replicas. Raises StoreError."""
    with store_errors():
        return await _confirmed(client, confirmation, command, key=str(command[1]))


async def run_everywhere(client: Client, *command: Value) -> list[Any]:
    """Run a command without a key on every primary; one answer each. Raises StoreError."""
    with store_errors():
        if isinstance(client, Cluster):
            return await client.ask_primaries(command)
        return [await client.execute_command(*command)]  # type: ignore[no-untyped-call]


@asynccontextmanager
async def listening_to(client: Client, channel: str) -> AsyncIterator[PubSub]:
    """Subscribe to a channel. On a cluster any node will do: each passes on what all hear."""
    with store_errors():
        pubsub: PubSub
        if isinstance(client, Cluster):
            node = await client.some_primary()
            pubsub = client.pubsub(node, ignore_subscribe_messages=True)
        else:
            pubsub = client.pubsub(ignore_subscribe_messages=True)
    async with pubsub:
        with store_errors():
            await pubsub.subscribe(channel)
        yield pubsub


class Script:
    """One Lua file, run by its digest and sent whole only when the server does not know it.

    The first key decides where it runs, so all of them are of one slot. A prelude is a file of
    functions that stands in front of it: Redis has no way to share them.
    """

    def __init__(
        self,
        client: Client,
        name: str,
        confirmation: Confirmation = UNCONFIRMED,
        *,
        prelude: str | None = None,
    ) -> None:
        self.client = client
        self._confirmation = confirmation
        files = (name,) if prelude is None else (prelude, name)
        self._text = "\n".join((_SCRIPTS / f"{each}.lua").read_text("utf-8") for each in files)
        # Redis names scripts by SHA-1; nothing here depends on its strength.
        self._sha = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    async def __call__(
        self, keys: Sequence[str], args: Sequence[Value], *, sent: Callable[[], None] | None = None
    ) -> Any:
        """Run the script, and wait for its confirmation. Raises StoreError.

        `sent` is called when whatever is asked for from then on finds the script run.
        """
        rest = (len(keys), *keys, *args)
        with store_errors():
            try:
                return await self._run(("EVALSHA", self._sha, *rest), keys[0], sent)
            except NoScriptError:
                return await self._run(("EVAL", self._text, *rest), keys[0], sent)

    async def _run(
        self, command: Sequence[Value], key: str, sent: Callable[[], None] | None
    ) -> Any:
        if self._confirmation.replicas == 0 and isinstance(self.client, Server):
            # What is asked for next stands behind it on the one path.
            waited = self.client.multiplexer.post(command)
            if sent is not None:
                sent()
            return await waited
        answer = await _confirmed(self.client, self._confirmation, command, key=key)
        if sent is not None:
            sent()
        return answer

    def by_digest(self, keys: Sequence[str], args: Sequence[Value]) -> Sequence[Value]:
        """Make the command that runs it where it is known."""
        return ("EVALSHA", self._sha, len(keys), *keys, *args)


async def run_scripts(*calls: tuple[Script, Sequence[str], Sequence[Value]]) -> list[Any]:
    """Run scripts of one client, unconfirmed, one after the other; in one round trip where there is
    one path. Raises StoreError: nobody knows then which of them were run.
    """
    client = calls[0][0].client
    if isinstance(client, Cluster):
        return [await script(keys, args) for script, keys, args in calls]
    commands = [script.by_digest(keys, args) for script, keys, args in calls]
    with store_errors():
        answers = await client.multiplexer.ask_all(commands)
        for n, (script, keys, args) in enumerate(calls):
            if isinstance(answers[n], NoScriptError):
                answers[n] = await script(keys, args)
        return _checked(answers)


async def _one(client: Client, command: Sequence[Value], *, key: str) -> Any:
    if isinstance(client, Cluster):
        [answer] = await client.send([command], key=key)
        return answer
    return await client.multiplexer.send(command)


async def _confirmed(
    client: Client, confirmation: Confirmation, command: Sequence[Value], *, key: str
) -> Any:
    if confirmation.replicas == 0:
        return await _one(client, command, key=key)
    # On the connection of the change and after it: WAIT knows no other changes than those.
    wait = ("WAIT", confirmation.replicas, round(confirmation.wait_s * 1000))
    answer, reached = await _both(client, command, wait, key=key)
    if reached < confirmation.replicas:
        raise StoreError(
            f"only {reached} of {confirmation.replicas} replicas had the change in "
            f"{confirmation.wait_s:g} s: a failover could lose it"
        )
    return answer


async def _both(
    client: Client, command: Sequence[Value], wait: Sequence[Value], *, key: str
) -> list[Any]:
    if isinstance(client, Cluster):
        return await client.send([command, wait], key=key)
    return _checked(await client.multiplexer.together([command, wait]))


def _checked(answers: list[Any]) -> list[Any]:
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers
