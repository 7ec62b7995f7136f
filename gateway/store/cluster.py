"""Redis Cluster: which node has a key, and what to do while nodes come and go.

redis-py finds the nodes and keeps their connections. Commands are sent here and not by its own
`execute_command`, for three reasons: it refuses callers when all connections are in use, where a
burst must wait its turn; it answers trouble of one node by closing the connections to all of them;
and it would put a script and the WAIT after it on two connections.

Nothing is sent twice, but after MOVED or ASK: these say that the node has not run it. A script
whose answer was lost may have run, and only its caller knows what to do about that.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from redis.asyncio.cluster import ClusterNode, PipelineCommand, RedisCluster
from redis.asyncio.connection import SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.cluster import PRIMARY
from redis.exceptions import AskError, ClusterDownError, ClusterError, MovedError
from redis.exceptions import ConnectionError as NodeLostError
from redis.exceptions import TimeoutError as NodeTimeoutError

Argument: TypeAlias = bytes | str | int | float
Remap: TypeAlias = Callable[[tuple[str, int]], tuple[str, int]]

CLUSTER_SCHEMES: Final = ("redis+cluster://", "rediss+cluster://")

_LOOK_EVERY_S = 0.5
"""Least time between two looks at the cluster while a node is in trouble: each makes redis-py
connect anew to every node.
"""

_SCRIPTS: Final = ("EVALSHA", "EVAL")

_LOST: Final = (NodeLostError, NodeTimeoutError, OSError, AttributeError)
"""How a node is found to be gone. redis-py closes the connections of a node that has left the
cluster while others begin to use them, who find no socket any more: an AttributeError.
"""

_MOST_HOPS = 3
_SPARE = 16
"""Connections per node beyond those of callers: for subscriptions and for looking around."""


def open_cluster(url: str, *, timeout_s: float, pool: int, remap: Remap | None) -> Cluster:
    """Make a client from `redis+cluster://user:password@host:port,host:port`. Connects lazily.

    One host is enough, for it names the others; several are asked in turn, so that a client can
    start while one of them is down. `rediss+cluster://` speaks TLS. Raises ValueError, TypeError or
    RedisClusterException when the URL cannot be read.
    """
    scheme, _, rest = url.partition("+cluster://")
    end = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    login, at_sign, hosts = rest[:end].rpartition("@")
    first, *others = hosts.split(",")
    seeds = [_address(host) for host in (first, *others)]
    options: dict[str, Any] = {**parse_url(f"{scheme}://{login}{at_sign}{first}{rest[end:]}")}
    if options.pop("connection_class", None) is SSLConnection:
        options["ssl"] = True
    return Cluster(seeds=seeds, timeout_s=timeout_s, pool=pool, address_remap=remap, **options)


def _address(host: str) -> tuple[str, int]:
    parts = urlsplit(f"//{host}")
    if not parts.hostname:
        raise ValueError("a host is missing")
    return parts.hostname, parts.port or 6379


class Cluster(RedisCluster):
    """A cluster's nodes, each with connections of its own. Made by `open_cluster`."""

    def __init__(
        self, *, seeds: list[tuple[str, int]], timeout_s: float, pool: int, **options: Any
    ) -> None:
        super().__init__(
            startup_nodes=[ClusterNode(host, port) for host, port in seeds[1:]],
            # One lost primary is the trouble of its own shards: the others go on.
            require_full_coverage=False,
            max_connections=pool + _SPARE,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=15,
            **options,
        )
        self._seeds = seeds
        self._timeout_s = timeout_s
        self._turns = asyncio.Semaphore(pool)
        self._stale = False
        self._suspect: str | None = None
        self._next_look = 0.0

    async def send(self, commands: Sequence[Sequence[Argument]], *, key: str) -> list[Any]:
        """Run commands on one connection to the node that has `key`; raises the first error."""
        async with self._turn():
            return _checked(await self._to_owner(commands, key))

    async def send_all(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """Run commands on the nodes of their keys, all nodes at once; raises the first error."""
        async with self._turn():
            answers: list[Any] = [None] * len(commands)
            places: dict[ClusterNode, list[int]] = {}
            for place, command in enumerate(commands):
                places.setdefault(self._owner(str(command[1])), []).append(place)
            parts = await asyncio.gather(
                *(self._ask(node, [commands[n] for n in own]) for node, own in places.items()),
                return_exceptions=True,
            )
            for own, part in zip(places.values(), parts, strict=True):
                if isinstance(part, BaseException):
                    raise part
                for place, answer in zip(own, part, strict=True):
                    answers[place] = answer
            for place, answer in enumerate(answers):
                if isinstance(answer, AskError):
                    command = commands[place]
                    [answers[place]] = await self._to_owner([command], str(command[1]))
            return _checked(answers)

    async def ask_primaries(self, command: Sequence[Argument]) -> list[Any]:
        """Run a command without a key on every primary; raises the first error."""
        async with self._turn():
            nodes = self.get_primaries()
            answers = await asyncio.gather(
                *(self._ask(node, [command]) for node in nodes), return_exceptions=True
            )
            return _checked([each[0] if isinstance(each, list) else each for each in answers])

    async def some_primary(self) -> ClusterNode:
        """Pick a node to listen to."""
        await self._look()
        return random.choice(self.get_primaries())  # noqa: S311 - any of them will do

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        async with asyncio.timeout(self._timeout_s):
            await self._turns.acquire()
        try:
            await self._look()
            yield
        finally:
            self._turns.release()

    async def _look(self) -> None:
        """See which nodes there are, at first and when something was not as expected."""
        async with asyncio.timeout(self._timeout_s):
            try:
                _ = await self.initialize(additional_startup_nodes_info=self._seeds)
                now = asyncio.get_running_loop().time()
                if self._stale and now >= self._next_look:
                    self._next_look = now + _LOOK_EVERY_S
                    self._stale = False
                    await self.nodes_manager.initialize(self._seeds, self._suspect)
            except IndexError as exc:
                # What redis-py makes of a cluster in which no node has a slot.
                self._stale = True
                raise ClusterError("no node of the cluster has a slot") from exc
            except BaseException:
                self._stale = True
                raise

    def _owner(self, key: str) -> ClusterNode:
        node = self.get_node_from_key(key)
        if node is None:
            raise ClusterError("no node has the slot of the key")
        return node

    async def _to_owner(self, commands: Sequence[Sequence[Argument]], key: str) -> list[Any]:
        node = self._owner(key)
        answers = await self._ask(node, commands)
        for _ in range(_MOST_HOPS):
            match answers[0]:
                case MovedError() as moved:
                    node = await self._moved(moved, node, key)
                    answers = await self._ask(node, commands)
                # Never with a script: while its slot moves, its keys lie on two nodes, and the
                # other node would take those that have not come yet for empty.
                case AskError() as ask if commands[0][0] not in _SCRIPTS:
                    there = self._node(*self._told(ask, node))
                    answers = (await self._ask(there, [("ASKING",), *commands]))[1:]
                case _:
                    break
        return answers

    async def _moved(self, moved: MovedError, told_by: ClusterNode, key: str) -> ClusterNode:
        self._stale = True
        # Who answers so knows better than whoever would be asked next.
        moved.host, moved.port = self._told(moved, told_by)
        await self.nodes_manager.move_slot(moved)
        return self._owner(key)

    def _told(self, error: AskError, told_by: ClusterNode) -> tuple[str, int]:
        # Without a host where nodes don't know their own: then it is the one that was asked.
        if not error.host:
            return told_by.host, error.port
        return self.nodes_manager.remap_host_port(error.host, error.port)

    def _node(self, host: str, port: int) -> ClusterNode:
        known = self.get_node(host, port)
        if known is not None:
            return known
        # A node that is about to get its first slot has none to be found by yet.
        node = ClusterNode(host, port, PRIMARY, **self.nodes_manager.connection_kwargs)
        self.nodes_manager.set_nodes(self.nodes_manager.nodes_cache, {node.name: node})
        return node

    async def _ask(self, node: ClusterNode, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """Run commands on one connection; errors of Redis are answers, a lost node is raised."""
        asked = [PipelineCommand(n, *command) for n, command in enumerate(commands)]
        try:
            await node.execute_pipeline(asked)
            for each in asked:
                if isinstance(each.result, _LOST):
                    raise each.result
        except _LOST as exc:
            self._suspected(node)
            if isinstance(exc, AttributeError):
                raise NodeLostError("the connection was closed meanwhile") from exc
            raise
        answers = [each.result for each in asked]
        if any(isinstance(answer, ClusterDownError) for answer in answers):
            self._stale = True
        return answers

    def _suspected(self, node: ClusterNode) -> None:
        # The next look marks all connections, which then connect anew instead of failing each once.
        self._stale, self._suspect = True, node.name
        node.update_active_connections_for_reconnect()


def _checked(answers: list[Any]) -> list[Any]:
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return answers
