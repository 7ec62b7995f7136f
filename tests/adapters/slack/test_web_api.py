"""Answers that Slack's documents do not foresee, and headers that are no numbers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest
from aiohttp import web

from adapters.slack.config import SlackConfig
from adapters.slack.errors import http_error
from adapters.slack.web_api import WebApi
from gateway.core.deliveries import Reason
from gateway.core.errors import SendError

TOKEN = "xoxb-test"


class Proxy:
    """Something that answers in Slack's place, always the same."""

    def __init__(self) -> None:
        self.base_url = ""
        self.body = b""
        self.status = 200
        self.headers: dict[str, str] = {}
        self.paths: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        """Note the call and answer."""
        self.paths.append(request.path)
        return web.Response(body=self.body, status=self.status, headers=self.headers)


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """A proxy that listens."""
    proxy = Proxy()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", proxy.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    proxy.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/"
    yield proxy
    await runner.cleanup()


@pytest.fixture
def api(proxy: Proxy, session: aiohttp.ClientSession) -> WebApi:
    """The Web API behind the proxy."""
    return WebApi(SlackConfig(app_token="xapp-test", api_base_url=proxy.base_url), session)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"ok":1}', b'{"ok":false}'])
async def test_an_answer_that_says_nothing_is_ambiguous(
    proxy: Proxy, api: WebApi, body: bytes
) -> None:
    """HTTP 200 from a captive portal: the call may or may not have been carried out."""
    proxy.body = body
    with pytest.raises(SendError) as caught:
        await api.write("chat.postMessage", TOKEN, {})
    error = caught.value
    assert (Reason.PLATFORM_ERROR, True, False) == (error.reason, error.ambiguous, error.permanent)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"ok":false}'])
async def test_no_doubt_is_left_by_calls_that_may_be_repeated(
    proxy: Proxy, api: WebApi, body: bytes
) -> None:
    """They are simply made again."""
    proxy.body = body
    for call in (api.repeat("chat.delete", TOKEN, {}), api.read("users.info", TOKEN, {})):
        with pytest.raises(SendError) as caught:
            await call
        error = caught.value
        verdict = (error.reason, error.ambiguous, error.permanent)
        assert (Reason.PLATFORM_ERROR, False, False) == verdict


async def test_excused_errors_are_an_empty_answer(proxy: Proxy, api: WebApi) -> None:
    """And no others are excused."""
    proxy.body = b'{"ok":false,"error":"message_not_found"}'
    gone = {"message_not_found"}
    answer = await api.repeat("chat.delete", TOKEN, {}, excused=gone)
    assert not answer.flag("ok")
    proxy.body = b'{"ok":false,"error":"channel_not_found"}'
    with pytest.raises(SendError, match="channel_not_found"):
        await api.repeat("chat.delete", TOKEN, {}, excused=gone)


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        (["[ERROR] too long: hush [json-pointer:/blocks/0/text]"], "no_way at /blocks/0/text"),
        (["[ERROR] too long: hush"], "no_way"),
        (["[ERROR] [json-pointer:/a b]"], "no_way"),
        ([1], "no_way"),
        ([], "no_way"),
    ],
)
async def test_the_place_of_a_fault_is_told_and_nothing_else_of_it(
    proxy: Proxy, api: WebApi, notes: list[object], expected: str
) -> None:
    """Slack's own words might quote what people wrote."""
    answer = {"ok": False, "error": "no_way", "response_metadata": {"messages": notes}}
    proxy.body = orjson.dumps(answer)
    with pytest.raises(SendError) as caught:
        await api.write("chat.postMessage", TOKEN, {})
    assert expected == caught.value.detail


async def test_a_redirect_is_not_followed(proxy: Proxy, api: WebApi) -> None:
    """It would carry the token to a host that nobody chose."""
    proxy.status, proxy.headers = 307, {"Location": f"{proxy.base_url}elsewhere"}
    with pytest.raises(SendError):
        await api.write("chat.postMessage", TOKEN, {})
    assert ["/api/chat.postMessage"] == proxy.paths


async def test_no_fault_shows_the_token(proxy: Proxy, api: WebApi) -> None:
    """Faults end up in logs and audit records."""
    proxy.status = 500
    with pytest.raises(SendError) as caught:
        await api.read("conversations.history", TOKEN, {"channel": "C0"})
    assert TOKEN not in f"{caught.value!r} {caught.value.detail}"


@pytest.mark.parametrize(
    ("header", "expected"),
    [("30", 30.0), ("0", 0.0), (None, 1.0), ("soon", 1.0), ("-5", 1.0), ("inf", 1.0), ("nan", 1.0)],
)
def test_retry_after(header: str | None, expected: float) -> None:
    """A rate limit without a usable wait still asks for one."""
    assert expected == http_error(429, header).retry_after_s
