"""Judges addresses that operators set. Asks nobody."""

from __future__ import annotations

from urllib.parse import urlsplit


def is_https_or_loopback(text: str) -> bool:
    """Whether what is sent there is encrypted, or stays on this machine."""
    try:
        url = urlsplit(text)
    except ValueError:
        return False
    if url.scheme == "http":
        return url.hostname in {"127.0.0.1", "::1", "localhost"}
    return url.scheme == "https" and bool(url.hostname)


def is_origin(text: str) -> bool:
    """Whether it is such an address, and nothing but scheme, host and port."""
    if not is_https_or_loopback(text):
        return False
    url = urlsplit(text)
    return url.path in {"", "/"} and not (url.query or url.fragment or "@" in url.netloc)
