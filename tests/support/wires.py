"""A wire to one server or to all nodes of a cluster, and queues at the end of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol

from gateway.store.cluster import Cluster
from gateway.store.connection import connect
from tests.support.link import Link, open_link
from tests.support.queues import Queues, open_queues

Address = tuple[str, int]


class Wire(Protocol):
    """What a test may do to it."""

    def cut(self) -> None: ...
    def mute(self) -> None: ...
    def mend(self) -> None: ...


class NodeLink(Link):
    """A link to one node of a cluster, over TCP."""

    def __init__(self, node: Address) -> None:
        super().__init__(Path(), "")
        self._node = node

    @property
    def address(self) -> Address:
        """Where it listens."""
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()
        return host, port

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*self._node)


class Links:
    """Links to all nodes, which are cut and mended together."""

    def __init__(self, links: dict[Address, NodeLink]) -> None:
        self._links = links

    @property
    def url(self) -> str:
        """What a client connects to."""
        host, port = next(iter(self._links.values())).address
        return f"redis+cluster://{host}:{port}"

    def remap(self, node: Address) -> Address:
        """The wire's end for a node's address."""
        return self._links[node].address

    def cut(self) -> None:
        """End every connection; new ones end at once."""
        for link in self._links.values():
            link.cut()

    def mute(self) -> None:
        """Lose every answer from now on; what is asked is still done."""
        for link in self._links.values():
            link.mute()

    def mend(self) -> None:
        """Let new connections through."""
        for link in self._links.values():
            link.mend()


@asynccontextmanager
async def wired_queues(folder: Path, redis_url: str) -> AsyncIterator[tuple[Wire, Queues]]:
    """Open queues over a wire of their own."""
    if redis_url.startswith("redis+cluster://"):
        async with (
            _links(redis_url) as links,
            connect(links.url, remap=links.remap) as client,
        ):
            yield links, Queues(client)
    else:
        async with open_link(folder, redis_url) as link, open_queues(link.url) as queues:
            yield link, queues


@asynccontextmanager
async def _links(redis_url: str) -> AsyncIterator[Links]:
    async with AsyncExitStack() as stack:
        links: dict[Address, NodeLink] = {}
        for node in await _nodes(redis_url):
            links[node] = NodeLink(node)
            await links[node].start()
            stack.push_async_callback(links[node].close)
        yield Links(links)


async def _nodes(redis_url: str) -> list[Address]:
    async with connect(redis_url) as client:
        assert isinstance(client, Cluster)
        _ = await client.initialize()
        return [(node.host, int(node.port)) for node in client.get_nodes()]
