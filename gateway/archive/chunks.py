"""Bytes on their way into the archive: no more of them than there is room for, in equal pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator


class TooManyBytes(Exception):  # noqa: N818 - reads as a verdict: `raise TooManyBytes`
    """There is no room for the rest of the content, which has not been read."""


async def bounded(content: AsyncIterator[bytes], room_bytes: int) -> AsyncIterator[bytes]:
    """Pass on at most `room_bytes`. Raises TooManyBytes at the first byte over."""
    async for piece in content:
        room_bytes -= len(piece)
        if room_bytes < 0:
            raise TooManyBytes
        yield piece


async def in_chunks(content: AsyncIterator[bytes], chunk_bytes: int) -> AsyncIterator[bytes]:
    """Cut into chunks of `chunk_bytes`; the last one holds the rest, and none is empty."""
    waiting = bytearray()
    async for piece in content:
        waiting += piece
        while len(waiting) >= chunk_bytes:
            yield bytes(waiting[:chunk_bytes])
            del waiting[:chunk_bytes]
    if waiting:
        yield bytes(waiting)
