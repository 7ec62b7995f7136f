"""A real Redis Cluster on loopback: three primaries, a replica each. Made by commands alone, since
redis-cli may be missing.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from redis import Redis as BlockingRedis
from redis.asyncio import Redis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import ReadOnlyError, RedisError

from gateway.embedded.binaries import find_redis_server, usual_places
from gateway.embedded.processes import spawn
from gateway.store.cluster import Cluster
from gateway.store.connection import Client
from tests.support.servers import reachable_temp_dir
from tests.support.waiting import eventually

PRIMARIES = 3
HOST = "127.0.0.1"
FAILS_OVER_AFTER_MS = 1000
NEVER_FAILS_OVER_MS = 60_000
"""Longer than any node has to wait for the processor: in a cluster that is not to be broken."""

# The cluster's own bus has the port of the node and 10,000. Below the ports that connections get.
_FIRST_PORT, _LAST_PORT = 12_000, 22_000
_BUS = 10_000


@dataclass
class ClusterNode:
    """One redis-server of the cluster."""

    port: int
    folder: Path
    node_timeout_ms: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """Its address, as the cluster tells it."""
        return f"{HOST}:{self.port}"

    def start(self, program: Path) -> None:
        """Start it, or start it again after `kill`."""
        self.folder.mkdir(exist_ok=True)
        options = {
            "port": self.port,
            "bind": HOST,
            "dir": self.folder,
            "cluster-enabled": "yes",
            "cluster-node-timeout": self.node_timeout_ms,
            # As an operator should have it: a lost primary is the trouble of its own shards alone.
            "cluster-require-full-coverage": "no",
            "appendonly": "no",
            "save": "",
            "repl-diskless-sync": "yes",
            "repl-diskless-sync-delay": "0",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        log = self.folder / "redis.log"
        self.process = spawn([program, *words], log=log, account=None)

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        """It takes connections and answers nothing."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    def client(self) -> Redis:
        """A client of this node alone."""
        return Redis(host=HOST, port=self.port, socket_timeout=2, socket_connect_timeout=2)


@dataclass
class OwnCluster:
    """A cluster that a test may break."""

    program: Path
    nodes: list[ClusterNode]
    clients: dict[int, Redis] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """For `connect`; any two of the nodes will do."""
        return f"redis+cluster://{self.nodes[0].name},{self.nodes[1].name}"

    async def ask(self, node: ClusterNode, *command: str | int) -> Any:
        """Run a command on one node."""
        return await self.clients[node.port].execute_command(*command)  # type: ignore[no-untyped-call]

    async def owners(self, key: str) -> list[ClusterNode]:
        """The primary of a key and its replicas, by what the first living node says."""
        slot = key_slot(key.encode())
        ports = {node.port: node for node in self.nodes}
        for start, end, *owners in await self._slots():
            if start <= slot <= end:
                return [ports[int(owner[1])] for owner in owners]
        raise AssertionError(f"nobody has slot {slot}")

    async def primaries(self) -> list[ClusterNode]:
        """All that have slots, by what the first living node says."""
        ports = {int(owners[0][1]) for _, _, *owners in await self._slots()}
        return [node for node in self.nodes if node.port in ports]

    async def is_primary(self, node: ClusterNode) -> bool:
        """Whether it has slots: after the death of its primary, whether it has been promoted."""
        return node in await self.primaries()

    async def _slots(self) -> list[Any]:
        for node in self.nodes:
            with suppress(RedisError, OSError):
                found: list[Any] = await self.ask(node, "CLUSTER", "SLOTS")
                return found
        raise AssertionError("no node answers")

    async def start(self) -> None:
        """Start all nodes and make one cluster of them."""
        for node in self.nodes:
            node.start(self.program)
            self.clients[node.port] = node.client()
        for node in self.nodes:
            await eventually(partial(self._answers, node))
        await self._meet()
        await self._share()
        await eventually(self.is_whole, timeout_s=20)

    def restart(self, node: ClusterNode) -> None:
        """Start a killed node again, with nothing but its place in the cluster."""
        node.start(self.program)

    async def close(self) -> None:
        """End it."""
        for client in self.clients.values():
            await client.aclose()
        for node in self.nodes:
            if node.process is not None:
                node.kill()

    async def is_whole(self) -> bool:
        """Whether every node sees all slots served, and every primary has a replica in step."""
        return all([await self._sees_all(node) for node in self.nodes])

    async def _sees_all(self, node: ClusterNode) -> bool:
        try:
            state = await self.ask(node, "CLUSTER", "INFO")
            slots = await self.ask(node, "CLUSTER", "SLOTS")
            info = await self.ask(node, "INFO", "replication")
        except (RedisError, OSError):
            return False
        copies = sum(end - start + 1 for start, end, *owners in slots if len(owners) == 2)
        in_step = info.get("connected_slaves") == 1 or info.get("master_link_status") == "up"
        return b"cluster_state:ok" in state and copies == REDIS_CLUSTER_HASH_SLOTS and in_step

    async def _answers(self, node: ClusterNode) -> bool:
        with suppress(RedisError, OSError):
            return bool(await self.ask(node, "PING"))
        return False

    async def _meet(self) -> None:
        # Possible only for a node that knows no other yet: before any meets any.
        for number, node in enumerate(self.nodes, start=1):
            await self.ask(node, "CLUSTER", "SET-CONFIG-EPOCH", number)
        for node in self.nodes:
            # Each meets all: gossip alone would take some seconds more.
            for other in self.nodes:
                if other is not node:
                    await self.ask(node, "CLUSTER", "MEET", HOST, other.port)
        for node in self.nodes:
            await eventually(partial(self._knows_all, node))

    async def _knows_all(self, node: ClusterNode) -> bool:
        known = (await self.ask(node, "CLUSTER", "NODES")).decode()
        return known.count("\n") == len(self.nodes) and "handshake" not in known

    async def _share(self) -> None:
        step = -(-REDIS_CLUSTER_HASH_SLOTS // PRIMARIES)
        for number, node in enumerate(self.nodes[:PRIMARIES]):
            slots = range(number * step, min((number + 1) * step, REDIS_CLUSTER_HASH_SLOTS))
            await self.ask(node, "CLUSTER", "ADDSLOTS", *slots)
        for number, node in enumerate(self.nodes[PRIMARIES:]):
            primary = self.nodes[number % PRIMARIES]
            name = await self.ask(primary, "CLUSTER", "MYID")
            await self.ask(node, "CLUSTER", "REPLICATE", name.decode())


@asynccontextmanager
async def running_cluster(*, node_timeout_ms: int) -> AsyncIterator[OwnCluster]:
    """Run a cluster until the block ends. A node that is silent for so long is held to be dead."""
    program = find_redis_server(usual_places())
    with reachable_temp_dir() as folder:
        nodes = [
            ClusterNode(port, folder / str(port), node_timeout_ms)
            for port in _free_ports(2 * PRIMARIES)
        ]
        cluster = OwnCluster(program, nodes)
        try:
            await cluster.start()
            yield cluster
        finally:
            await cluster.close()


async def as_one_server(client: Client, key: str) -> None:
    """Let a test ask a cluster what it asks one server: INFO tells of the node that has `key`, and
    CONFIG SET goes to all primaries.
    """
    if isinstance(client, Cluster):
        _ = await client.initialize()
        node = client.get_node_from_key(key)
        assert node is not None
        client.set_default_node(node)
        client.command_flags["CONFIG SET"] = client.PRIMARIES


def _free_ports(count: int) -> list[int]:
    candidates = random.sample(range(_FIRST_PORT, _LAST_PORT), 500)
    return list(islice((each for each in candidates if _is_free(each)), count))


def _is_free(port: int) -> bool:
    for number in (port, port + _BUS):
        with socket.socket() as probe:
            try:
                probe.bind((HOST, number))
            except OSError:
                return False
    return True


@pytest.fixture(scope="session")
async def session_cluster() -> AsyncIterator[OwnCluster]:
    """The session's cluster, started when the first test asks for it. Break none of its nodes."""
    async with running_cluster(node_timeout_ms=NEVER_FAILS_OVER_MS) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def cluster_url(session_cluster: OwnCluster) -> str:
    """The URL of the session's cluster."""
    return session_cluster.url


@pytest.fixture
async def own_cluster() -> AsyncIterator[OwnCluster]:
    """A cluster that no other test uses."""
    async with running_cluster(node_timeout_ms=FAILS_OVER_AFTER_MS) as cluster:
        yield cluster


@pytest.fixture(params=["standalone", "cluster"])
def any_redis_url(request: pytest.FixtureRequest) -> str:
    """One server, then a cluster, each with nothing in it."""
    # Not async: a fixture of a running loop could not ask for another one.
    if request.param == "standalone":
        url: str = request.getfixturevalue("redis_url")
        with BlockingRedis.from_url(url) as client:
            client.flushall()
        return url
    cluster: OwnCluster = request.getfixturevalue("session_cluster")
    for node in cluster.nodes:
        # Replicas follow their primaries, whoever that is by now.
        with BlockingRedis(host=HOST, port=node.port) as client, suppress(ReadOnlyError):
            client.flushall()
    return cluster.url
