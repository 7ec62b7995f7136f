"""Files to Slack and from it, on the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import msgspec
import pytest
from yarl import URL

from adapters.slack.config import SlackConfig
from adapters.slack.files import SlackFiles, host_rules
from gateway.core.conversations import ConversationRef
from gateway.core.deliveries import Reason
from gateway.core.errors import SendError
from gateway.core.events import Attachment
from gateway.core.ids import FileId, MessageId, Platform, WorkspaceId
from gateway.core.messages import FileUpload, SentMessage
from gateway.core.ports import Downloads, Uploads
from gateway.core.tenants import Credential
from gateway.sandbox.slack import (
    ApiError,
    Fault,
    HttpStatus,
    Message,
    RateLimited,
    ResetAfter,
    ResetBefore,
    SlackSandbox,
)
from gateway.sandbox.slack.files import SlackFile
from tests.adapters.slack.conftest import ANN, CHANNEL, QUICK, TEAM

BOT = Credential(bot_token=f"xoxb-{TEAM}")
OTHER_TEAM = "T0BBBB"
CONTENT = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 1000
SLOW_TO_SHARE = replace(QUICK, file_share_delay_s=0.15)
NEVER_SHARES = replace(QUICK, file_share_delay_s=3600.0)
Verdict = tuple[Reason, bool, bool]


@pytest.fixture
def files(config: SlackConfig, session: aiohttp.ClientSession) -> SlackFiles:
    """The files of Slack, with waits short enough for tests."""
    return SlackFiles(config, session, share_waits_s=(0.0, 0.1, 0.2, 0.3))


def upload(
    thread: str | None = None, *, name: str = "chart.png", channel: str = CHANNEL
) -> FileUpload:
    """An agent's file for a conversation of the team."""
    conversation = ConversationRef(
        platform=Platform.SLACK, workspace=WorkspaceId(TEAM), channel=channel, thread=thread
    )
    return FileUpload(
        id=MessageId("msg_0000"),
        conversation=conversation,
        file=FileId("file_0000"),
        name=name,
        media_type="image/png",
        size_bytes=len(CONTENT),
    )


async def content() -> AsyncIterator[bytes]:
    """The file, in pieces."""
    for start in range(0, len(CONTENT), 50_000):
        yield CONTENT[start : start + 50_000]


async def unnoted(_file: str) -> None:
    """Note nothing."""


async def refused_upload(files: SlackFiles, wanted: FileUpload) -> Verdict:
    """Why a file is not posted."""
    with pytest.raises(SendError) as caught:
        await files.upload(wanted, content(), BOT, unnoted)
    return caught.value.reason, caught.value.permanent, caught.value.ambiguous


def attachment_of(file: SlackFile, **changes: object) -> Attachment:
    """The file as the event described it."""
    told = Attachment(
        id=file.file_id, name=file.name, media_type=file.mimetype, size_bytes=file.size
    )
    return msgspec.structs.replace(told, **changes)


async def downloaded(
    files: SlackFiles, attachment: Attachment, credential: Credential = BOT
) -> bytes:
    """All bytes of a file."""
    async with files.download(attachment, credential) as download:
        return b"".join([piece async for piece in download.content])


async def refused_download(
    files: SlackFiles, attachment: Attachment, credential: Credential = BOT
) -> tuple[Reason, bool]:
    """Why a file does not come."""
    with pytest.raises(SendError) as caught:
        await downloaded(files, attachment, credential)
    return caught.value.reason, caught.value.permanent


def posted(slack: SlackSandbox) -> list[Message]:
    """What the bot has posted into the channel."""
    return list(slack.bot_messages(TEAM, CHANNEL))


def test_files_have_both_abilities(files: SlackFiles) -> None:
    """Egress asks by isinstance."""
    assert isinstance(files, Uploads)
    assert isinstance(files, Downloads)


async def test_a_file_is_posted_into_its_thread(slack: SlackSandbox, files: SlackFiles) -> None:
    """With every byte, its name, and the message's own ts as what was sent."""
    root = slack.say(TEAM, CHANNEL, ANN, "draw me a chart")

    sent = await files.upload(upload(root), content(), BOT, unnoted)

    (message,) = posted(slack)
    (file,) = slack.files
    assert (sent.id, root) == (message.ts, message.thread_ts)
    assert (CONTENT, "chart.png", "chart.png") == (file.content, file.name, file.title)
    assert sent.sent_at is not None


async def test_a_file_is_posted_into_a_channel(slack: SlackSandbox, files: SlackFiles) -> None:
    """Outside of any thread."""
    sent = await files.upload(upload(name="r\u00e9sum\u00e9 & more.pdf"), content(), BOT, unnoted)

    (message,) = posted(slack)
    assert (sent.id, None) == (message.ts, message.thread_ts)
    assert "r\u00e9sum\u00e9 & more.pdf" == slack.files[0].name


@pytest.mark.parametrize("slack", [SLOW_TO_SHARE], indirect=True)
async def test_a_file_that_is_shared_late_is_waited_for(
    slack: SlackSandbox, files: SlackFiles
) -> None:
    """Slack says yes first and scans then; what the agent says next must not come before."""
    sent = await files.upload(upload(), content(), BOT, unnoted)

    assert [sent.id] == [message.ts for message in posted(slack)]


@pytest.mark.parametrize("slack", [NEVER_SHARES], indirect=True)
async def test_a_file_that_slack_took_counts_though_it_is_not_seen_yet(
    slack: SlackSandbox, files: SlackFiles
) -> None:
    """It said yes; the file's own id is all that is known of it."""
    sent = await files.upload(upload(), content(), BOT, unnoted)

    assert SentMessage(id=slack.files[0].file_id) == sent


@pytest.mark.parametrize(
    ("method", "fault", "expected"),
    [
        (
            "files.getUploadURLExternal",
            ApiError("file_uploads_disabled"),
            (Reason.PLATFORM_REJECTED, True, False),
        ),
        (
            "files.getUploadURLExternal",
            ApiError("token_revoked"),
            (Reason.NOT_INSTALLED, True, False),
        ),
        (
            "files.getUploadURLExternal",
            RateLimited(3),
            (Reason.PLATFORM_RATE_LIMITED, False, False),
        ),
        ("files.getUploadURLExternal", HttpStatus(503), (Reason.PLATFORM_ERROR, False, False)),
        ("files.getUploadURLExternal", ResetAfter(), (Reason.PLATFORM_UNREACHABLE, False, False)),
        ("upload", HttpStatus(500), (Reason.PLATFORM_ERROR, False, False)),
        ("upload", HttpStatus(302), (Reason.PLATFORM_REJECTED, True, False)),
        ("upload", ResetBefore(), (Reason.PLATFORM_UNREACHABLE, False, False)),
        ("upload", ResetAfter(), (Reason.PLATFORM_UNREACHABLE, False, False)),
        (
            "files.completeUploadExternal",
            ApiError("channel_not_found"),
            (Reason.PLATFORM_REJECTED, True, False),
        ),
        (
            "files.completeUploadExternal",
            RateLimited(3),
            (Reason.PLATFORM_RATE_LIMITED, False, False),
        ),
    ],
)
async def test_what_goes_wrong_before_the_end_has_posted_nothing(
    slack: SlackSandbox, files: SlackFiles, method: str, fault: Fault, expected: Verdict
) -> None:
    """So it may be tried again from the start, whatever was lost on the way."""
    # Twice, for the HTTP client itself repeats a GET whose connection was reset.
    slack.fail_next(method, fault, times=2)

    assert expected == await refused_upload(files, upload())
    assert [] == posted(slack)


async def test_a_channel_of_nobody(files: SlackFiles) -> None:
    """What Slack itself refuses, without a planned fault."""
    wanted = upload(channel="C0NOWHERE")
    assert (Reason.PLATFORM_REJECTED, True, False) == await refused_upload(files, wanted)


@pytest.mark.parametrize("slack", [SLOW_TO_SHARE], indirect=True)
async def test_a_lost_last_answer_is_made_good_by_looking(
    slack: SlackSandbox, files: SlackFiles
) -> None:
    """The file stands in the channel, a moment later: it was posted, once."""
    slack.fail_next("files.completeUploadExternal", ResetAfter())
    slack.fail_next("files.info", RateLimited(1))

    sent = await files.upload(upload(), content(), BOT, unnoted)

    assert [sent.id] == [message.ts for message in posted(slack)]


@pytest.mark.parametrize(
    "fault", [ResetBefore(), HttpStatus(503), ApiError("internal_error")], ids=repr
)
async def test_a_lost_last_answer_without_a_file_is_for_a_person(
    slack: SlackSandbox, files: SlackFiles, fault: Fault
) -> None:
    """Not seen is not "not posted", so it is not tried again."""
    slack.fail_next("files.completeUploadExternal", fault)

    assert (Reason.OUTCOME_UNKNOWN, True, False) == await refused_upload(files, upload())


@pytest.mark.parametrize("slack", [SLOW_TO_SHARE], indirect=True)
async def test_without_the_right_to_look_a_lost_answer_stays_unknown(
    slack: SlackSandbox, files: SlackFiles
) -> None:
    """The app has files:write and no files:read."""
    slack.fail_next("files.completeUploadExternal", ResetAfter())
    slack.fail_next("files.info", ApiError("missing_scope"), times=9)

    assert (Reason.OUTCOME_UNKNOWN, True, False) == await refused_upload(files, upload())


async def test_an_upload_url_of_another_host_gets_no_byte(
    slack: SlackSandbox, config: SlackConfig, session: aiohttp.ClientSession
) -> None:
    """Whoever answers for Slack would choose who gets the file."""
    host = f"http://localhost:{URL(slack.base_url).port}/api/"
    files = SlackFiles(msgspec.structs.replace(config, api_base_url=host), session)

    assert (Reason.PLATFORM_REJECTED, True, False) == await refused_upload(files, upload())
    assert slack.files[0].content is None


async def test_a_users_file_is_fetched(slack: SlackSandbox, files: SlackFiles) -> None:
    """By its id alone, and by the URL that its event named."""
    file = slack.share_file(TEAM, CHANNEL, ANN, "photo.png", CONTENT, text="look")
    url = str(URL(slack.base_url).with_path(file.path))

    assert CONTENT == await downloaded(files, attachment_of(file))
    assert CONTENT == await downloaded(files, attachment_of(file, url=url))


async def test_a_file_is_described_by_its_event(slack: SlackSandbox) -> None:
    """What the sandbox's message says is what the parser will read."""
    file = slack.share_file(TEAM, CHANNEL, ANN, "photo.png", CONTENT, text="look")

    (message,) = slack.messages(TEAM, CHANNEL)
    (told,) = message.files or []
    assert isinstance(told, dict)
    assert (file.file_id, "photo.png", "image/png", len(CONTENT)) == (
        told["id"],
        told["name"],
        told["mimetype"],
        told["size"],
    )


async def test_a_login_page_is_no_file(
    slack: SlackSandbox, files: SlackFiles, config: SlackConfig
) -> None:
    """Slack says 200 and HTML to a token that may not see the file."""
    file = slack.share_file(TEAM, CHANNEL, ANN, "photo.png", CONTENT)
    url = str(URL(config.api_base_url).with_path(file.path))
    wrong = Credential(bot_token="xoxb-wrong")

    for told in (
        attachment_of(file, url=url),
        attachment_of(file, url=url, media_type=None),
        attachment_of(file, url=url, media_type="text/html"),
    ):
        assert (Reason.NOT_INSTALLED, True) == await refused_download(files, told, wrong)


async def test_a_page_that_was_shared_is_a_file(slack: SlackSandbox, files: SlackFiles) -> None:
    """HTML is not always the login page."""
    page = b"<!DOCTYPE html><title>Report</title>"
    file = slack.share_file(TEAM, CHANNEL, ANN, "report.html", page)

    assert page == await downloaded(files, attachment_of(file))


async def test_another_teams_file_is_not_to_be_had(slack: SlackSandbox, files: SlackFiles) -> None:
    """Not by its id, and its URL shows the login page only."""
    slack.add_team(OTHER_TEAM)
    slack.add_channel(OTHER_TEAM, CHANNEL)
    file = slack.share_file(OTHER_TEAM, CHANNEL, ANN, "secret.png", CONTENT)
    url = str(URL(slack.base_url).with_path(file.path))

    assert (Reason.PLATFORM_REJECTED, True) == await refused_download(files, attachment_of(file))
    told = attachment_of(file, url=url)
    assert (Reason.NOT_INSTALLED, True) == await refused_download(files, told)


@pytest.mark.parametrize(
    "url",
    [
        "https://drive.example.com/doc",
        "http://files.slack.com/files-pri/T0AAAA-F0AAAA/a.png",
        "http://127.0.0.1:1/files-pri/T0AAAA-F0AAAA/a.png",
    ],
)
async def test_a_file_elsewhere_is_not_fetched(files: SlackFiles, url: str) -> None:
    """External files have their URL at somebody else's."""
    told = Attachment(id="F0AAAA", url=url)
    assert (Reason.PLATFORM_REJECTED, True) == await refused_download(files, told)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (HttpStatus(404), (Reason.PLATFORM_REJECTED, True)),
        (HttpStatus(429), (Reason.PLATFORM_RATE_LIMITED, False)),
        (HttpStatus(503), (Reason.PLATFORM_ERROR, False)),
        (ResetBefore(), (Reason.PLATFORM_UNREACHABLE, False)),
    ],
)
async def test_a_file_server_in_trouble(
    slack: SlackSandbox, files: SlackFiles, fault: Fault, expected: tuple[Reason, bool]
) -> None:
    """Some of it passes."""
    file = slack.share_file(TEAM, CHANNEL, ANN, "photo.png", CONTENT)
    # Twice, for the HTTP client itself repeats a GET whose connection was reset.
    slack.fail_next("download", fault, times=2)

    assert expected == await refused_download(files, attachment_of(file))


@pytest.mark.parametrize(
    ("url", "allowed", "sees_token"),
    [
        ("https://files.slack.com/files-pri/T-F/a.png", True, True),
        ("https://files-origin.slack.com/files-pri/T-F/a.png", True, True),
        ("https://slack.com/files-pri/T-F/a.png", True, True),
        ("https://slack-files.com/files-tmb/T-F/a.png", True, False),
        ("https://a.slack-edge.com/T-F/a.png", True, False),
        ("https://files.slack.com.evil.test/a.png", False, False),
        ("https://evilslack.com/a.png", False, False),
        ("http://files.slack.com/a.png", False, False),
        ("http://127.0.0.1:4010/a.png", False, False),
    ],
)
def test_the_hosts_of_slack(url: str, allowed: bool, sees_token: bool) -> None:
    """With the real API, nothing on this machine is trusted."""
    rules = host_rules(SlackConfig(app_token="xapp-x"))

    assert (allowed, sees_token) == (rules.allows(URL(url)), rules.may_see_token(URL(url)))


def test_the_real_api_is_no_stand_in() -> None:
    """Or its name would be followed to any address."""
    rules = host_rules(SlackConfig(app_token="xapp-x"))

    assert not rules.is_origin("slack.com", 443)
    assert not rules.is_origin("files.slack.com", 443)
