"""Transport on sockets: one pool per origin, so that a container that hangs takes no connection of
another. A post costs a quarter of what aiohttp asks for it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from plugin_bridge.classify import Answer
from plugin_bridge.lean.dialing import Dialer
from plugin_bridge.lean.pool import Pool
from plugin_bridge.lean.request import Origin, target_of
from plugin_bridge.lean.timers import Timers
from plugin_bridge.retrying import with_retries
from plugin_bridge.transport import NoAnswerError, NotConnectedError

_SWEEP_S: Final = 10.0


class LeanTransport:
    """Posts on the running loop. Knows no proxies."""

    def __init__(self, *, per_host: int, tls: ssl.SSLContext) -> None:
        self._per_host = per_host
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._timers = Timers(self._loop)
        self._pools: dict[Origin, Pool] = {}
        self._sweeping = self._loop.call_later(_SWEEP_S, self._sweep)

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float
    ) -> Answer:
        """Post, trying again at once only what certainly did not arrive."""
        return await with_retries(partial(self._post_once, url, body, headers, timeout_s))

    async def aclose(self) -> None:
        """Close all connections. Requests on them fail with ConnectionLostError."""
        self._sweeping.cancel()
        self._timers.close()
        for pool in self._pools.values():
            pool.close()
        # The loop closes sockets in its next round: this ends at once, and leaves none open.
        while any(pool.open for pool in self._pools.values()):  # noqa: ASYNC110
            await asyncio.sleep(0)

    async def _post_once(
        self, url: str, body: bytes, headers: Mapping[str, str], timeout_s: float
    ) -> Answer:
        try:
            target = target_of(url)
        except ValueError as exc:
            raise NotConnectedError(f"the URL cannot be read: {exc}") from exc
        request = target.request(headers, body)
        deadline = self._loop.time() + timeout_s
        pool = self._pools.get(target.origin) or self._new_pool(target.origin)
        connection = await pool.acquire(deadline)
        waiter = connection.send(request)
        slot = self._timers.add(waiter, deadline)
        try:
            return await waiter
        except TimeoutError as exc:
            raise NoAnswerError(f"no answer in {timeout_s} s") from exc
        finally:
            slot.discard(waiter)
            connection.give_up(waiter)

    def _new_pool(self, origin: Origin) -> Pool:
        dialer = Dialer(origin, self._tls, self._loop)
        pool = Pool(dialer, self._timers, self._loop, limit=self._per_host)
        self._pools[origin] = pool
        return pool

    def _sweep(self) -> None:
        now = self._loop.time()
        for origin, pool in list(self._pools.items()):
            pool.close_stale(now)
            if not pool.size:
                del self._pools[origin]
        self._sweeping = self._loop.call_later(_SWEEP_S, self._sweep)


@asynccontextmanager
async def open_lean_transport(
    *, per_host: int, tls: ssl.SSLContext
) -> AsyncIterator[LeanTransport]:
    """Open the keep-alive pools."""
    transport = LeanTransport(per_host=per_host, tls=tls)
    try:
        yield transport
    finally:
        await transport.aclose()
