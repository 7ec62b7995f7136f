"""Opens connections: every address that a name has, in the resolver's order, none link-local."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Final

from plugin_bridge.lean.connection import Connection
from plugin_bridge.lean.request import Origin
from plugin_bridge.transport import CONNECT_TIMEOUT_S, NotConnectedError, refuse_link_local

_NAME_TTL_S: Final = 10.0


class Dialer:
    """Opens connections to one origin."""

    def __init__(
        self, origin: Origin, tls: ssl.SSLContext, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._origin = origin
        self._tls = tls if origin.scheme == "https" else None
        self._loop = loop
        self._addresses: tuple[str, ...] = ()
        self._fresh_until = 0.0
        self._resolving = asyncio.Lock()

    async def dial(self, make: Callable[[], Connection], deadline: float) -> Connection:
        """Open one, by `deadline` and in CONNECT_TIMEOUT_S. Raises NotConnectedError."""
        deadline = min(deadline, self._loop.time() + CONNECT_TIMEOUT_S)
        try:
            async with asyncio.timeout_at(deadline):
                addresses = await self._resolved()
        except TimeoutError as exc:
            raise NotConnectedError("the name was not resolved in time") from exc
        except (OSError, ValueError) as exc:  # the latter for a name that can be none
            raise NotConnectedError(f"the name was not resolved: {type(exc).__name__}") from exc
        return await self._first(addresses, make, deadline)

    async def _first(
        self, addresses: Sequence[str], make: Callable[[], Connection], deadline: float
    ) -> Connection:
        failure: Exception = OSError("the name has no address")
        for index, address in enumerate(addresses):
            # An equal part of what is left, or one address that swallows packets would leave
            # nothing for the good one behind it.
            now = self._loop.time()
            share = now + (deadline - now) / (len(addresses) - index)
            try:
                async with asyncio.timeout_at(share):
                    return await self._connect(address, make)
            except (OSError, ValueError) as exc:  # TimeoutError and ssl.SSLError are OSErrors
                failure = exc
        self._fresh_until = 0.0  # the container may have moved
        raise NotConnectedError(f"{type(failure).__name__}: {failure}") from failure

    async def _connect(self, address: str, make: Callable[[], Connection]) -> Connection:
        refuse_link_local(address)
        _, connection = await self._loop.create_connection(
            make,
            address,
            self._origin.port,
            ssl=self._tls,
            server_hostname=self._origin.host if self._tls else None,
        )
        return connection

    async def _resolved(self) -> tuple[str, ...]:
        # One look-up for all that dial at this moment: a burst would ask hundreds of times.
        async with self._resolving:
            if self._loop.time() >= self._fresh_until:
                found = await self._loop.getaddrinfo(
                    self._origin.host, self._origin.port, type=socket.SOCK_STREAM
                )
                self._addresses = tuple(dict.fromkeys(str(info[4][0]) for info in found))
                self._fresh_until = self._loop.time() + _NAME_TTL_S
            return self._addresses
