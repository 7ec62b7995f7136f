"""Where a platform keeps its files, and who there may see a workspace's token. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from yarl import URL


@dataclass(frozen=True, slots=True)
class HostRules:
    """Where an adapter's files are. A host is `files.example.com` alone, or `.example.com` for all
    hosts under that name; over https and port 443.

    A whole origin (`http://127.0.0.1:4010`) is trusted as it stands, whatever its scheme and its
    address: for stand-ins of a platform. `token_hosts` are those of them that may see a token.
    """

    hosts: tuple[str, ...]
    token_hosts: tuple[str, ...] = ()

    def allows(self, url: URL) -> bool:
        """Tell whether `url` may be asked for."""
        return _is_among(url, self.hosts)

    def may_see_token(self, url: URL) -> bool:
        """Tell whether whoever serves `url` may see the workspace's token."""
        return _is_among(url, self.token_hosts)

    def is_origin(self, host: str, port: int) -> bool:
        """Tell whether this is a stand-in, whose address is not asked about."""
        origins = (URL(place) for place in self.hosts if "://" in place)
        return any((origin.host, origin.port) == (host, port) for origin in origins)


def _is_among(url: URL, places: tuple[str, ...]) -> bool:
    # A name may end in a dot; so written it is the same host and another text.
    host = (url.host or "").rstrip(".").lower()
    if url.user is not None or url.password is not None:
        return False
    return any(_is_at(url, host, place) for place in places)


def _is_at(url: URL, host: str, place: str) -> bool:
    if "://" in place:
        return url.origin() == URL(place).origin()
    if url.scheme != "https" or url.port != 443:
        return False
    return host.endswith(place) if place.startswith(".") else host == place
