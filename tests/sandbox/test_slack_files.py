"""Files of the sandbox against docs.slack.dev, with Slack's own SDK as the other side."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from yarl import URL

from gateway.sandbox.slack import SlackSandbox, Team
from gateway.sandbox.slack.files import SlackFile
from tests.sandbox.conftest import ALPHA, BETA, QUICK
from tests.sandbox.plain_app import PlainApp
from tests.support.waiting import eventually

CHANNEL, ANN = "C0GENERAL", "U0ANN"
CONTENT = b"name,count\nann,1\n"
LATE = replace(QUICK, file_share_delay_s=0.1)


def url_of(slack: SlackSandbox, file: SlackFile) -> URL:
    """Where a file's bytes are."""
    return URL(slack.base_url).with_path(file.path)


async def error_of(call: Awaitable[object]) -> str:
    """The `error` of a call of the SDK's."""
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


async def test_the_sdk_uploads_a_file_into_a_thread(
    slack: SlackSandbox, web: AsyncWebClient
) -> None:
    """https://docs.slack.dev/messaging/working-with-files/#upload"""
    root = slack.say(ALPHA, CHANNEL, ANN, "the numbers, please")

    answer = await web.files_upload_v2(
        content=CONTENT, filename="counts.csv", title="Counts", channel=CHANNEL, thread_ts=root
    )

    (message,) = slack.bot_messages(ALPHA, CHANNEL)
    assert (root, "file_share") == (message.thread_ts, message.subtype)
    assert CONTENT == slack.files[0].content
    assert {} == answer["files"][0]["shares"]
    info = await web.files_info(file=slack.files[0].file_id)
    assert "Counts" == info["file"]["title"]
    assert [{"ts": message.ts, "thread_ts": root}] == info["file"]["shares"]["public"][CHANNEL]


@pytest.mark.parametrize("slack", [LATE], indirect=True)
async def test_a_file_is_shared_after_the_answer(slack: SlackSandbox, web: AsyncWebClient) -> None:
    """Files are scanned by a job of their own."""
    await web.files_upload_v2(content=CONTENT, filename="counts.csv", channel=CHANNEL)

    assert not slack.bot_messages(ALPHA, CHANNEL)
    await eventually(lambda: slack.bot_messages(ALPHA, CHANNEL) or None)


async def test_an_upload_without_a_channel_stays_private(
    slack: SlackSandbox, web: AsyncWebClient
) -> None:
    """https://docs.slack.dev/reference/methods/files.completeUploadExternal/"""
    await web.files_upload_v2(content=CONTENT, filename="counts.csv")

    assert not slack.bot_messages(ALPHA, CHANNEL)
    assert CONTENT == slack.files[0].content


async def test_wrong_uploads_are_refused_by_name(slack: SlackSandbox, web: AsyncWebClient) -> None:
    """Those that the method's page lists, and those of any method."""
    place = await web.files_getUploadURLExternal(filename="a.csv", length=3)
    slack.add_team(BETA)
    beta = await AsyncWebClient(
        token=f"xoxb-{BETA}", base_url=slack.base_url
    ).files_getUploadURLExternal(filename="b.csv", length=3)

    assert "missing_argument" == await error_of(
        web.files_getUploadURLExternal(filename="a.csv", length=0)
    )
    for file_id in (place["file_id"], beta["file_id"], "F0NOBODY"):
        never_uploaded = web.files_completeUploadExternal(files=[{"id": file_id}])
        assert "file_not_found" == await error_of(never_uploaded)
        assert "file_not_found" == await error_of(web.files_info(file=file_id))
    elsewhere = web.files_completeUploadExternal(
        files=[{"id": place["file_id"]}], channel_id="C0NOWHERE"
    )
    assert "channel_not_found" == await error_of(elsewhere)


async def test_an_upload_url_takes_what_was_announced_once(
    slack: SlackSandbox, web: AsyncWebClient, session: aiohttp.ClientSession
) -> None:
    """Raw bytes or a multipart form; 200 is yes and anything else is no."""
    statuses = []
    for body in (b"abcd", b"ab", b"abc", b"abc"):
        place = await web.files_getUploadURLExternal(filename="a.txt", length=3)
        async with session.post(str(place["upload_url"]), data=body) as response:
            statuses.append(response.status)
        async with session.post(str(place["upload_url"]), data=b"abc") as response:
            statuses.append(response.status)
    assert [400, 200, 400, 200, 200, 404, 200, 404] == statuses

    form = aiohttp.FormData()
    form.add_field("filename", b"abc", filename="a.txt")
    place = await web.files_getUploadURLExternal(filename="a.txt", length=3)
    async with session.post(str(place["upload_url"]), data=form) as response:
        assert "OK - 3" == await response.text()


async def test_a_message_of_a_user_brings_its_file(slack: SlackSandbox, app: PlainApp) -> None:
    """https://docs.slack.dev/reference/events/message/file_share/"""
    file = slack.share_file(ALPHA, CHANNEL, ANN, "photo.png", b"bytes", text="look")

    envelope = await app.frame()
    event = envelope["payload"]["event"]
    assert ("message", "file_share", "look", ANN) == (
        event["type"],
        event["subtype"],
        event["text"],
        event["user"],
    )
    (told,) = event["files"]
    assert (file.file_id, "image/png", 5) == (told["id"], told["mimetype"], told["size"])
    assert str(url_of(slack, file)) == told["url_private_download"]


async def test_bytes_are_for_the_teams_token_and_a_page_for_all_others(
    slack: SlackSandbox, alpha: Team, session: aiohttp.ClientSession
) -> None:
    """With status 200 both: a client has to look at what came."""
    file = slack.share_file(ALPHA, CHANNEL, ANN, "photo.png", b"bytes")
    tokens = (alpha.bot_token, f"xoxb-{BETA}", "xoxb-wrong", "")

    seen = []
    for token in tokens:
        headers = {"Authorization": f"Bearer {token}"}
        async with session.get(url_of(slack, file), headers=headers) as response:
            seen.append((response.status, response.content_type))

    assert [(200, "image/png")] + [(200, "text/html")] * 3 == seen
