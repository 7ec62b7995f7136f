"""Files come and go as streams; what is refused is refused before it is read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
import pytest

from gateway.core.deliveries import Reason
from gateway.core.errors import SendError
from gateway.core.files import FileRefusal, OpenedFile
from tests.support.waiting import eventually
from tests.web.conftest import Client, House, serving

PDF = {"Content-Type": "application/pdf"}


class Shelf:
    """A file that says whether it was given back."""

    def __init__(self, *chunks: bytes | Exception, size_bytes: int | None = None) -> None:
        self.closed = False
        self._chunks = chunks
        self._size_bytes = size_bytes

    def opened(self, name: str = "a.txt") -> OpenedFile:
        """Take it off the shelf."""
        held = AsyncExitStack()
        held.push_async_callback(self._close)
        return OpenedFile(name, "text/plain", self._size_bytes, self._content(), held)

    async def _content(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    async def _close(self) -> None:
        self.closed = True


async def test_a_file_is_kept(agent: Client) -> None:
    """201: the body is the file, its name stands in the query."""
    answer = await agent.send(b"%PDF", path="/v1/files?name=report.pdf", headers=PDF)

    assert 201 == answer.status
    expected = {
        "id": "file_1",
        "name": "report.pdf",
        "media_type": "application/pdf",
        "size_bytes": 4,
    }
    assert expected == json.loads(answer.text)
    assert [("keep", "acme", "report.pdf", "application/pdf", b"%PDF", "key-1")] == agent.house.seen


async def test_a_file_larger_than_any_body_is_read(agent: Client) -> None:
    """The bound of JSON bodies is not that of files."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 65_536

    headers = {"Authorization": "Bearer cgk_acme-key", "Idempotency-Key": "k"}
    url = f"{agent.url}/v1/files"
    async with agent.session.post(url, data=chunks(), headers=headers) as response:
        assert 201 == response.status
        assert 6_553_600 == (await response.json())["size_bytes"]


@pytest.mark.parametrize(
    ("refusal", "status", "code"),
    [
        (FileRefusal.TOO_LARGE, 413, "file_too_large"),
        (FileRefusal.STORAGE_FULL, 413, "storage_full"),
        (FileRefusal.EMPTY, 422, "blank_text"),
        (FileRefusal.KEY_REUSED, 409, "idempotency_key_reused"),
    ],
)
async def test_a_refused_file_says_why(
    agent: Client, refusal: FileRefusal, status: int, code: str
) -> None:
    """The one table of refusals."""
    agent.house.file = refusal

    answer = await agent.send(b"x" * 100_000, path="/v1/files", headers=PDF)

    assert (status, code) == (answer.status, answer.error["code"])


@pytest.mark.parametrize("query", ["?name=", "?name=" + "n" * 256, "?name=a&name=b", "?nom=a"])
async def test_a_wrong_query_is_refused(agent: Client, query: str) -> None:
    """400 with the parameter's name, before the file is read."""
    answer = await agent.send(b"x", path=f"/v1/files{query}", headers=PDF)

    assert (400, "invalid_field") == (answer.status, answer.error["code"])
    assert answer.error["field"].startswith("n")
    assert [] == agent.house.seen


async def test_a_file_is_passed_on(agent: Client) -> None:
    """Whole, with its type and name, and never to be shown in place."""
    shelf = Shelf(b"hel", b"lo", size_bytes=5)
    agent.house.file = shelf.opened('häß"\n.txt')

    answer = await agent.send(b"", method="GET", path="/v1/files/att_abc=", idempotency=None)

    assert (200, "hello", "5") == (answer.status, answer.text, answer.headers["Content-Length"])
    assert "text/plain" == answer.headers["Content-Type"]
    assert "nosniff" == answer.headers["X-Content-Type-Options"]
    disposition = "attachment; filename*=UTF-8''h%C3%A4%C3%9F%22%0A.txt"
    assert disposition == answer.headers["Content-Disposition"]
    assert [("open_file", "acme", "att_abc=")] == agent.house.seen
    assert shelf.closed


@pytest.mark.parametrize(
    ("refusal", "status", "code"),
    [
        (FileRefusal.UNKNOWN, 404, "unknown_file"),
        (FileRefusal.GONE, 404, "unknown_file"),
        (FileRefusal.TOO_LARGE, 413, "file_too_large"),
        (FileRefusal.UNREACHABLE, 503, "platform_failed"),
    ],
)
async def test_a_file_that_is_not_to_be_had_says_why(
    agent: Client, refusal: FileRefusal, status: int, code: str
) -> None:
    """Not there, too large, or not now."""
    agent.house.file = refusal

    answer = await agent.send(b"", method="GET", path="/v1/files/file_1", idempotency=None)

    assert (status, code) == (answer.status, answer.error["code"])


@pytest.mark.parametrize("size_bytes", [10, None])
async def test_a_file_that_breaks_off_does_not_look_whole(
    agent: Client, size_bytes: int | None
) -> None:
    """The connection ends with it, whether the length was announced or not."""
    lost = SendError(Reason.PLATFORM_UNREACHABLE, "reset")
    shelf = Shelf(b"hello", lost, size_bytes=size_bytes)
    agent.house.file = shelf.opened()

    async with asyncio.timeout(10):
        with pytest.raises(aiohttp.ClientError):
            await agent.send(b"", method="GET", path="/v1/files/file_1", idempotency=None)

    assert shelf.closed


async def test_a_reader_who_stands_still_is_cut_off() -> None:
    """It would hold a connection to the platform for as long as it likes."""
    shelf = Shelf(*(b"x" * 1_000_000 for _ in range(50)), size_bytes=50_000_000)
    house = House(file=shelf.opened(), chunk_within_s=0.2)
    async with (
        serving(house) as agent,
        agent.session.get(
            f"{agent.url}/v1/files/file_1", headers={"Authorization": "Bearer cgk_acme-key"}
        ) as response,
    ):
        await eventually(lambda: shelf.closed)
        with pytest.raises(aiohttp.ClientError):
            await response.read()
