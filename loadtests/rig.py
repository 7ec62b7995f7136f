"""What every measure stands on: a receiver, and a subject's process with a Redis of its own."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from gateway.embedded import embedded_servers
from loadtests.child import Child, running
from loadtests.messages import Arrival, parse_mark

Progress = Callable[[str], None]

_TELL_S = 5.0
_START_S = 60.0


@dataclass(frozen=True, slots=True)
class Launch:
    """How a subject's process is started. The URL of its Redis is added to the arguments."""

    name: str
    argv: Sequence[str]
    posts: bool = True
    """Whether it posts to the receiver; the others tell themselves how long they took."""

    peer: bool = False
    """Other people's program: without it the bench goes on."""


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A private redis-server with an append-only file, as the embedded one."""

    url: str
    pid: int


@dataclass(frozen=True, slots=True)
class Rig:
    """One subject at work."""

    launch: Launch
    child: Child
    redis: RedisServer
    receiver: Receiver


class Receiver:
    """The bench's side of receiver.py."""

    def __init__(self, child: Child, progress: Progress) -> None:
        self._child = child
        self._progress = progress
        self._port = int(child.ask("port")["port"])

    def base_url(self, behaviour: str = "0") -> str:
        """Where agents of that behaviour listen."""
        return f"http://127.0.0.1:{self._port}/{behaviour}"

    def reset(self) -> None:
        """Forget what has arrived."""
        self._child.ask("reset")

    def wait(self, run: str, count: int, *, stall_s: float, longest_s: float) -> bool:
        """Wait for `count` messages of a run. False when time ran out while they were still coming;
        true also when they stopped coming: then the missing ones are lost.
        """
        began = moved = told = time.monotonic()
        seen = 0
        while True:
            before = seen
            seen = int(self._child.ask("wait", run=run, count=count, wait_s=1.0)["count"])
            now = time.monotonic()
            moved = now if seen > before else moved
            if seen >= count or now - moved > stall_s:
                return True
            if now - began > longest_s:
                return False
            if now - told > _TELL_S:
                told = now
                self._progress(f"  {seen:,} of {count:,} delivered")

    def arrivals(self, run: str) -> list[Arrival]:
        """All messages of a run, in the order of their arrival."""
        return self.seen(run)[0]

    def seen(self, run: str) -> tuple[list[Arrival], int]:
        """All messages of a run, and how many of them came while their agent was still busy with
        another of the same conversation.
        """
        answer = self._child.ask("arrivals", run=run)
        rows = answer["arrivals"]
        arrivals = [Arrival(parse_mark(mark), address, at_ns) for address, mark, at_ns in rows]
        return arrivals, int(answer["overlapping"])

    def mean_body_bytes(self) -> float:
        """How large the bodies were that arrived since the last reset."""
        return float(self._child.ask("arrivals", run="")["mean_body_bytes"])


@contextmanager
def receiving(progress: Progress) -> Iterator[Receiver]:
    """Run a receiver until the block ends."""
    with running("receiver", [sys.executable, "-m", "loadtests.receiver"]) as child:
        yield Receiver(child, progress)


@contextmanager
def at_work(launch: Launch, receiver: Receiver) -> Iterator[Rig]:
    """Run a subject with a fresh Redis until the block ends. Raises ChildError."""
    with (
        private_redis() as redis,
        running(launch.name, [*launch.argv, redis.url], start_s=_START_S) as child,
    ):
        yield Rig(launch, child, redis, receiver)


@contextmanager
def private_redis() -> Iterator[RedisServer]:
    """Run a redis-server, appendonly everysec, on a socket file; its keeper ends it with us."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-redis-") as folder,
        asyncio.Runner() as runner,
    ):
        servers = embedded_servers(Path(folder) / "data", redis=True, postgres=False)
        endpoints = runner.run(servers.__aenter__())
        try:
            url = endpoints.redis_url or ""
            yield RedisServer(url, _pid_of(url))
        finally:
            runner.run(servers.__aexit__(None, None, None))


def _pid_of(url: str) -> int:
    with Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])
