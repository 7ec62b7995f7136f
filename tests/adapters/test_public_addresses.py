"""Which addresses are public. What leads inside: test_fetching_places."""

from __future__ import annotations

import pytest

from adapters.public_addresses import ForbiddenAddressError, PublicResolver, is_public
from tests.adapters.file_servers import Names

PUBLIC = ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_public(address: str) -> None:
    """Also as IPv6-only networks write them."""
    assert is_public(address)


async def test_a_public_name_keeps_all_its_addresses() -> None:
    """In the order in which they were given."""
    resolver = PublicResolver(lambda _host, _port: False, Names(*PUBLIC))

    assert PUBLIC == [each["host"] for each in await resolver.resolve("files.example.com", 443)]


async def test_only_what_was_configured_may_be_private() -> None:
    """Host and port both."""
    resolver = PublicResolver(lambda *place: place == ("stand-in", 4010), Names("127.0.0.1"))

    assert ["127.0.0.1"] == [each["host"] for each in await resolver.resolve("stand-in", 4010)]
    with pytest.raises(ForbiddenAddressError):
        await resolver.resolve("stand-in", 4011)
