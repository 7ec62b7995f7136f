"""A request as bytes. Pure: URLs are parsed and their part of the head encoded once, then kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import SplitResult, quote, urlsplit

_PORTS: Final = {"http": 80, "https": 443}
# What RFC 3986 lets stand in a path and a query, and `%`, or an escape would be escaped again.
_AS_IT_IS: Final = "/%:@!$&'()*+,;=~?"


class Origin(NamedTuple):
    """What a connection belongs to. `host` is ASCII, an IPv6 address without brackets."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads, and how a request to it begins."""

    origin: Origin
    head: bytes

    def request(self, headers: Mapping[str, str], body: bytes) -> bytes:
        """Make the whole request. Raises ValueError for a header that holds a line break."""
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        # Counted over all at once: a break too many would be a header, or a request, of its own.
        if lines.count("\n") != len(headers) or lines.count("\r") != len(headers) or "\0" in lines:
            raise ValueError("a header holds a line break or a null character")
        return b"%b%bContent-Length: %d\r\n\r\n%b" % (self.head, lines.encode(), len(body), body)


@lru_cache(maxsize=16_384)
def target_of(url: str) -> Target:
    """Read a URL. Raises ValueError for one that leads nowhere."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        raise ValueError("not an http or https URL of a host, without a user")
    host = parts.hostname
    host = host if host.isascii() else host.encode("idna").decode()
    port = parts.port or _PORTS[parts.scheme]
    shown = f"[{host}]" if ":" in host else host
    authority = shown if port == _PORTS[parts.scheme] else f"{shown}:{port}"
    head = f"POST {_path(parts)} HTTP/1.1\r\nHost: {authority}\r\nAccept: */*\r\n"
    return Target(Origin(parts.scheme, host, port), head.encode("ascii"))


def _path(parts: SplitResult) -> str:
    path = quote(parts.path, safe=_AS_IT_IS) or "/"
    return f"{path}?{quote(parts.query, safe=_AS_IT_IS)}" if parts.query else path
