"""The agents of all tenants, as one lean HTTP/1.1 server in a process of its own. It must never be
what limits a subject: it searches bytes, keeps tuples, and reads the marks only when asked.

`/<behaviour>/<tenant>`: behaviour `0` answers 202 at once, another number after so many
milliseconds, `hang` never. Started as `python -m loadtests.receiver`, asked over its pipe:
count, wait, arrivals, reset.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import re
import time
from collections import Counter
from typing import Any, cast

import uvloop

from loadtests.commands import Fields, obey
from loadtests.messages import MARK, PART

ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
UNREADABLE = b"HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
HANG = b"hang"

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_MARK = MARK.encode()
_PART = PART.encode()


class Record:
    """What has been answered: (address, mark, moment), as bytes; and who waits for how many."""

    def __init__(self) -> None:
        self.arrived: list[tuple[bytes, bytes, int]] = []
        self.body_bytes = 0
        self.overlapping: Counter[bytes] = Counter()
        self._unanswered: Counter[bytes] = Counter()
        self._counts: Counter[bytes] = Counter()
        self._goal = (b"", 0)
        self._reached = asyncio.Event()

    def add(self, address: bytes, body: bytes, at_ns: int) -> bytes:
        """Keep one message; gives its mark."""
        start = body.find(_MARK) + len(_MARK)
        mark = body[start : body.find(_MARK, start)]
        self.arrived.append((address, mark, at_ns))
        self.body_bytes += len(body)
        run = mark[: mark.find(_PART)]
        self._counts[run] += 1
        if self._goal == (run, self._counts[run]):
            self._reached.set()
        return mark

    def begin(self, mark: bytes) -> bytes:
        """An agent starts on a message. Gives its conversation, for `end`; one that comes before
        the answer to another of its conversation overlaps it.
        """
        run, tenant, conversation, _ = mark.split(_PART, 3)
        lane = _PART.join((run, tenant, conversation))
        self.overlapping[run] += self._unanswered[lane] > 0
        self._unanswered[lane] += 1
        return lane

    def end(self, lane: bytes) -> None:
        """The agent answers."""
        self._unanswered[lane] -= 1

    async def wait(self, run: bytes, count: int, timeout_s: float) -> int:
        """Wait until `count` of a run have come or the time is over; gives how many have."""
        self._goal = (run, count)
        self._reached.clear()
        if self._counts[run] < count:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._reached.wait()
        return self._counts[run]

    def of(self, run: bytes) -> list[tuple[bytes, bytes, int]]:
        """What came of a run, in the order in which it came."""
        return [row for row in self.arrived if row[1].startswith(run + _PART)]

    def reset(self) -> None:
        """Forget everything."""
        self.arrived = []
        self.body_bytes = 0
        self._counts.clear()
        self.overlapping.clear()


class Receiving(asyncio.Protocol):
    """One connection. Requests may come in pieces, or several at once."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._rest = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        at = 0
        while (head := data.find(b"\r\n\r\n", at)) >= 0:
            length = _LENGTH.search(data, at, head)
            if length is None:
                self._write(UNREADABLE)
                return
            end = head + 4 + int(length[1])
            if end > len(data):
                break
            self._take(data[at : data.find(b"\r\n", at)], data[head + 4 : end])
            at = end
        self._rest = data[at:]

    def _take(self, request_line: bytes, body: bytes) -> None:
        _, behaviour, address = request_line.split(b" ", 2)[1].split(b"/", 2)
        if behaviour == b"0":
            self._record.add(address, body, time.monotonic_ns())
            self._write(ACCEPTED)
        elif behaviour != HANG:
            # Kept at its arrival, or answers of one moment would look like a wrong order; the
            # moment is that of the answer all the same.
            delay_s = int(behaviour) / 1000
            mark = self._record.add(address, body, time.monotonic_ns() + round(delay_s * 1e9))
            lane = self._record.begin(mark)
            asyncio.get_running_loop().call_later(delay_s, self._answer, lane)

    def _answer(self, lane: bytes) -> None:
        self._record.end(lane)
        self._write(ACCEPTED)

    def _write(self, answer: bytes) -> None:
        if self._transport is not None:
            self._transport.write(answer)


class Control:
    """The commands of the bench."""

    def __init__(self, record: Record, port: int) -> None:
        self._record = record
        self._port = port

    async def port(self, _: Fields) -> Fields:
        """Where it listens."""
        return {"port": self._port}

    async def wait(self, fields: Fields) -> Fields:
        """Wait for `count` messages of `run`, `wait_s` at most."""
        run = fields["run"].encode()
        return {"count": await self._record.wait(run, fields["count"], fields["wait_s"])}

    async def arrivals(self, fields: Fields) -> Fields:
        """Give the ledger of `run`, and how large bodies were on average."""
        run = fields["run"].encode()
        found = self._record.of(run)
        rows = [(address.decode(), mark.decode(), at) for address, mark, at in found]
        mean = self._record.body_bytes / max(len(self._record.arrived), 1)
        overlapping = self._record.overlapping[run]
        return {"arrivals": rows, "mean_body_bytes": mean, "overlapping": overlapping}

    async def reset(self, _: Fields) -> Fields:
        """Forget everything."""
        self._record.reset()
        return {}


def _give_up(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    # Without it a fault here would look like an agent that cannot be reached.
    loop.default_exception_handler(context)
    os._exit(1)


async def main() -> None:
    """Listen on a free port of the loopback until stdin ends."""
    record = Record()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_give_up)
    server = await loop.create_server(lambda: Receiving(record), "127.0.0.1", 0, backlog=2048)
    control = Control(record, server.sockets[0].getsockname()[1])
    # The record grows by a tuple a message; the collector would walk it over and over.
    gc.disable()
    await obey(
        {
            "port": control.port,
            "wait": control.wait,
            "arrivals": control.arrivals,
            "reset": control.reset,
        }
    )


if __name__ == "__main__":
    uvloop.run(main())
