"""Opens the transport that the settings name. The only file that knows all of them."""

from __future__ import annotations

import ssl
from contextlib import AbstractAsyncContextManager
from typing import Literal

from plugin_bridge.aiohttp_transport import open_aiohttp_transport
from plugin_bridge.lean.transport import open_lean_transport
from plugin_bridge.transport import Transport

TransportKind = Literal["lean", "aiohttp"]


def open_transport(
    kind: TransportKind = "lean", *, per_host: int, tls: ssl.SSLContext | None = None
) -> AbstractAsyncContextManager[Transport]:
    """Open the keep-alive pools, at most `per_host` connections per scheme, host and port.

    `lean` costs a quarter of the CPU, `aiohttp` goes through proxies (HTTP_PROXY, HTTPS_PROXY,
    NO_PROXY). `tls` says whom to trust, by default the machine's certificate authorities.
    """
    tls = tls or ssl.create_default_context()
    if kind == "aiohttp":
        return open_aiohttp_transport(per_host=per_host, tls=tls)
    return open_lean_transport(per_host=per_host, tls=tls)
