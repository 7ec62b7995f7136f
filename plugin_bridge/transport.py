"""The seam towards the containers: what a transport does, how it fails, and what bounds it.

Knows no HTTP client; those stand behind it: plugin_bridge/aiohttp_transport.py, plugin_bridge/lean.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from typing import Protocol

from plugin_bridge.classify import Answer

MAX_ANSWER_BYTES = 1 << 20
CONNECT_TIMEOUT_S = 5.0
KEEPALIVE_S = 60.0

AddressInfo = tuple[int, int, int, str, tuple[object, ...]]
"""Family, type, protocol, canonical name and address, as `socket.getaddrinfo` gives them."""


class NotConnectedError(Exception):
    """No connection: the container has certainly not seen the request."""


class ConnectionLostError(Exception):
    """The connection broke after the request was sent."""


class NoAnswerError(Exception):
    """No answer in time."""


class Transport(Protocol):
    """Post bytes to a container. Never follows redirects, keeps no cookies."""

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float
    ) -> Answer:
        """Post and read the answer, in `timeout_s` per try; tries again only what did not arrive.

        An answer above MAX_ANSWER_BYTES keeps its status and loses its body.
        Raises NotConnectedError, ConnectionLostError, NoAnswerError; ValueError for a header that
        holds a line break.
        """


def open_socket(address: AddressInfo) -> socket.socket:
    """Make the socket for one address that a URL led to. Raises OSError for a link-local one."""
    family, kind, protocol, _, target = address
    refuse_link_local(str(target[0]))
    return socket.socket(family=family, type=kind, proto=protocol)


def refuse_link_local(address: str) -> None:
    """Raise OSError for a link-local address, ValueError for what is no address.

    The metadata services of clouds live there and hand out the machine's own credentials. Asked
    at the last moment: a name may point elsewhere than it did at registration, and a literal
    address in a URL is asked of no resolver.
    """
    parsed = ipaddress.ip_address(address)
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    if (mapped or parsed).is_link_local:
        raise OSError(f"{address} is a link-local address")
