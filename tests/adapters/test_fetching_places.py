"""Where bytes are fetched from and sent to: the platform's own hosts, whatever a URL says."""

from __future__ import annotations

import pytest
from aiohttp import web

from adapters.fetching import Fetcher
from adapters.file_hosts import HostRules
from gateway.core.deliveries import Reason
from gateway.core.errors import SendError
from tests.adapters.file_servers import (
    REFUSED,
    RULES,
    Names,
    fetched,
    fetcher_of,
    pieces,
    refusal,
    serving,
)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "/relative",
        "http://files.example.com/a",
        "ftp://files.example.com/a",
        "file:///etc/passwd",
        "https://example.com/a",
        "https://evil.test/a",
        "https://files.example.com.evil.test/a",
        "https://xfiles.example.com/a",
        "https://sub.files.example.com/a",
        "https://cdn.example.com/a",
        "https://xcdn.example.com/a",
        "https://files.example.com:8443/a",
        "https://files.example.com:0/a",
        "https://files.example.com:99999/a",
        "https://me@files.example.com/a",
        "https://me:pw@files.example.com/a",
        "https://files.example.com@evil.test/a",
        "https://evil.test\\@files.example.com/a",
        "https://files.example.com/a b",
        "https://files.example.com/a\r\nX-Evil: 1",
        "https://files.example.com/\u00fc",
        "https://127.0.0.1/a",
        "https://[::1]/a",
        "https://2130706433/a",
        "https://0x7f.1/a",
        "https://files.example.com/" + "a" * 8192,
    ],
)
async def test_no_other_host_is_even_looked_up(url: str) -> None:
    """Neither by another scheme, port, spelling or by what only one parser would read so."""
    names = Names("192.0.2.1")

    assert REFUSED == await refusal(Fetcher(RULES, resolver=names), url)
    assert [] == names.asked


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["0.0.0.0"],  # noqa: S104 - an address that must not be followed
        ["10.1.2.3"],
        ["172.16.0.1"],
        ["192.168.1.1"],
        ["100.64.0.1"],
        ["169.254.169.254"],
        ["192.0.2.1"],
        ["224.0.0.1"],
        ["255.255.255.255"],
        ["::1"],
        ["::"],
        ["fe80::1"],
        ["fe80::1%eth0"],
        ["fec0::1"],
        ["fd00::1"],
        ["ff02::1"],
        ["::ffff:127.0.0.1"],
        ["::127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["2002:7f00:1::1"],
        ["not-an-address"],
        ["8.8.8.8", "127.0.0.1"],
    ],
    ids=",".join,
)
async def test_a_name_that_leads_inside_is_not_followed(addresses: list[str]) -> None:
    """However the address is dressed up, and also when a public one stands beside it."""
    names = Names(*addresses)
    fetcher = Fetcher(RULES, resolver=names)

    with pytest.raises(SendError, match="not public") as caught:
        await fetched(fetcher, "https://files.example.com/a")
    assert (Reason.PLATFORM_REJECTED, True) == (caught.value.reason, caught.value.permanent)
    assert [("files.example.com", 443)] == names.asked


async def test_the_connection_goes_to_the_address_that_was_looked_up() -> None:
    """One look-up for one connection: there is no second answer that nobody checked."""

    async def handler(_request: web.Request) -> web.Response:
        return web.Response(body=b"hello")

    async with serving(handler) as origin:
        port = int(origin.rpartition(":")[2])
        names = Names("127.0.0.1")
        rules = HostRules(hosts=(f"http://files.test:{port}",))

        assert b"hello" == await fetched(
            Fetcher(rules, resolver=names), f"http://files.test:{port}/a"
        )
    assert [("files.test", port)] == names.asked


async def test_a_trusted_origin_is_no_other_port() -> None:
    """A stand-in is trusted as it stands; what else listens on the machine is not."""
    fetcher = fetcher_of("http://127.0.0.1:4010")

    assert REFUSED == await refusal(fetcher, "http://127.0.0.1:4011/a")
    assert REFUSED == await refusal(fetcher, "https://127.0.0.1:4010/a")
    assert REFUSED == await refusal(fetcher, "http://localhost:4010/a")


async def test_redirects_are_followed_with_the_token_only_where_it_may_be_seen() -> None:
    """Slack redirects to a host that wants it, and to others that must not have it."""
    seen: list[str | None] = []

    async def last(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.Response(body=b"bytes")

    async with serving(last) as cdn:

        async def first(request: web.Request) -> web.Response:
            seen.append(request.headers.get("Authorization"))
            location = "/inner" if request.path == "/outer" else f"{cdn}/signed?x=%2F"
            return web.Response(status=302, headers={"Location": location})

        async with serving(first) as own:
            fetcher = Fetcher(HostRules(hosts=(own, cdn), token_hosts=(own,)))
            assert b"bytes" == await fetched(fetcher, f"{own}/outer", token="secret")

    assert ["Bearer secret", "Bearer secret", None] == seen


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:1/",
        "//127.0.0.1:1/",
        "https://evil.test/",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "",
    ],
)
async def test_a_redirect_goes_nowhere_else(location: str) -> None:
    """The host that was checked has the word, but only over its own kind."""

    async def handler(_request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": location})

    async with serving(handler) as origin:
        assert REFUSED == await refusal(fetcher_of(origin), f"{origin}/a")


async def test_a_redirect_to_another_server_on_loopback_never_arrives() -> None:
    """The classic: from a file server to a neighbour inside."""
    reached: list[str] = []

    async def inside(request: web.Request) -> web.Response:
        reached.append(request.path)
        return web.Response(body=b"secret")

    async with serving(inside) as neighbour:

        async def handler(_request: web.Request) -> web.Response:
            return web.Response(status=307, headers={"Location": f"{neighbour}/keys"})

        async with serving(handler) as origin:
            assert REFUSED == await refusal(fetcher_of(origin), f"{origin}/a")
    assert [] == reached


async def test_redirects_have_an_end() -> None:
    """Three are followed."""
    asked: list[int] = []

    async def handler(request: web.Request) -> web.Response:
        left = int(request.path[1:])
        asked.append(left)
        if left == 0:
            return web.Response(body=b"there")
        return web.Response(status=302, headers={"Location": f"/{left - 1}"})

    async with serving(handler) as origin:
        assert b"there" == await fetched(fetcher_of(origin), f"{origin}/3")
        asked.clear()
        assert REFUSED == await refusal(fetcher_of(origin), f"{origin}/9")
    assert [9, 8, 7, 6] == asked


async def test_an_upload_goes_to_the_platforms_hosts_only() -> None:
    """The URL came in an answer; whoever gave it would choose who gets the file."""
    names = Names("127.0.0.1")
    fetcher = Fetcher(RULES, resolver=names)

    for url in ("https://evil.test/up", "https://files.example.com/up"):
        with pytest.raises(SendError) as caught:
            await fetcher.post(url, pieces(b"x"), size_bytes=1)
        assert (Reason.PLATFORM_REJECTED, True) == (caught.value.reason, caught.value.permanent)
    assert [("files.example.com", 443)] == names.asked


async def test_errors_never_show_a_url() -> None:
    """It may hold a signature that opens the file for anybody."""
    with pytest.raises(SendError) as caught:
        await fetched(Fetcher(RULES), "https://evil.test/path?signature=s3cret")
    assert "s3cret" not in str(caught.value)
    assert "path" not in str(caught.value)
