"""Tells workers that there is work. A lost message costs a poll interval, never a delivery."""

from __future__ import annotations

from collections.abc import AsyncIterator

from gateway.core.deliveries import Direction
from gateway.store.connection import Client, listening_to, store_errors
from gateway.store.keys import WAKE_CHANNEL


async def wakes(client: Client) -> AsyncIterator[tuple[Direction, int]]:
    """Yield (direction, shard number) whenever an idle tenant gets work. Raises StoreError."""
    async with listening_to(client, WAKE_CHANNEL) as channel:
        while True:
            with store_errors():
                # With a timeout, so that the connection's health check runs on a quiet channel.
                message = await channel.get_message(timeout=5.0)
            if message is not None:
                direction, _, number = message["data"].decode().partition(":")
                yield Direction(direction), int(number)
