"""What a worker and the process above it say to each other, over a pair of sockets.

The one above sends single bytes: ASK for a report, GO_ON with the next stage of a stop. The worker
sends frames: four bytes of length, and MessagePack. The end of the stream is the end of the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import msgspec

from gateway.telemetry.totals import Family

ASK: Final = b"?"
GO_ON: Final = b"+"
_LENGTH_BYTES: Final = 4


class Listening(msgspec.Struct, frozen=True, tag=True):
    """The worker is up; addresses, empty for a listener that is not its own."""

    agent_api: str
    public: str


class Report(msgspec.Struct, frozen=True, tag=True):
    """How the worker does: per part None or its trouble, and all that it has counted."""

    health: dict[str, str | None]
    counted: tuple[Family, ...]


class StageEnded(msgspec.Struct, frozen=True, tag=True):
    """The worker has stopped one more stage, and waits for GO_ON."""


Frame = Listening | Report | StageEnded

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(Frame)


def encode(frame: Frame) -> bytes:
    """Write a frame."""
    body = _encoder.encode(frame)
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


async def frames(reader: asyncio.StreamReader) -> AsyncIterator[Frame]:
    """Read what a worker sends, until it has ended."""
    try:
        while True:
            length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES), "big")
            yield _decoder.decode(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        # Killed in the middle of a word: there is no more to come.
        return
