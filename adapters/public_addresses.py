"""Which addresses are the public Internet. A name that leads anywhere else is not followed.

The check stands between the look-up and the connection: aiohttp connects to the very addresses
that came through it, so a name cannot be public when it is checked and private when it is used.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")

IsTrusted = Callable[[str, int], bool]
"""Whether host and port are exempt: a stand-in that was configured."""


class ForbiddenAddressError(OSError):
    """A name leads to an address that is not public."""


class PublicResolver(AbstractResolver):
    """Resolves names, and refuses one of whose addresses any is not public."""

    def __init__(self, is_trusted: IsTrusted, inner: AbstractResolver | None = None) -> None:
        self._is_trusted = is_trusted
        self._inner = DefaultResolver() if inner is None else inner
        self._owns_inner = inner is None

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of `host`. Raises ForbiddenAddressError, OSError."""
        found = await self._inner.resolve(host, port, family)
        if not self._is_trusted(host, port):
            # All of them, not those that pass: a name that mixes both is no file server's.
            for each in found:
                if not is_public(each["host"]):
                    raise ForbiddenAddressError(f"{host[:100]} has an address that is not public")
        return found

    async def close(self) -> None:
        """Let go of the system's resolver."""
        if self._owns_inner:
            await self._inner.close()


def is_public(text: str) -> bool:
    """Tell whether an address belongs to the public Internet, also where an IPv6 address wraps an
    IPv4 one.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return _is_public_v4(address)
    inner = _wrapped(address)
    if inner is not None:
        return _is_public_v4(inner)
    # What is not handed out as global unicast is nobody's: deprecated site-local addresses, say,
    # which `is_global` lets through.
    return address in _GLOBAL_UNICAST and address.is_global and not address.is_multicast


def _is_public_v4(address: IPv4Address) -> bool:
    return address.is_global and not address.is_multicast and not address.is_reserved


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour
