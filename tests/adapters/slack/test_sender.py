"""Posting to Slack, and finding again what may have been posted."""

from __future__ import annotations

from datetime import UTC, datetime

import aiohttp
import msgspec
import pytest

from adapters.slack.config import SlackConfig
from adapters.slack.sender import SlackSender
from gateway.core.deliveries import Reason
from gateway.core.errors import SendError
from gateway.core.messages import OutboundMessage, SentMessage
from gateway.core.tenants import Credential
from gateway.sandbox.slack import (
    ApiError,
    Fault,
    HttpStatus,
    RateLimited,
    ResetAfter,
    ResetBefore,
    SlackSandbox,
    Slow,
)
from tests.adapters.slack.acts import BOT, Verdict, failure, message, verdict
from tests.adapters.slack.conftest import ANN, CHANNEL, TEAM


async def refusal(sender: SlackSender, sent: OutboundMessage) -> Verdict:
    """What `send` says when it fails."""
    return verdict(await failure(sender.send(sent, BOT)))


async def test_an_answer_stands_in_its_thread(slack: SlackSandbox, sender: SlackSender) -> None:
    """With the marker by which it can be found again."""
    root = slack.say(TEAM, CHANNEL, ANN, "hello")
    sent = await sender.send(message(root, part=2), BOT)
    (posted,) = slack.bot_messages(TEAM, CHANNEL)
    assert ("_hi_", root, sent.id) == (posted.text, posted.thread_ts, posted.ts)
    assert {
        "event_type": "channel_gateway_message",
        "event_payload": {"marker": "msg_0000-2", "workspace": TEAM},
    } == posted.metadata
    assert sent.sent_at is not None
    assert abs(sent.sent_at - datetime.now(UTC)).total_seconds() < 60


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (RateLimited(retry_after_s=7), (Reason.PLATFORM_RATE_LIMITED, False, False, 7.0)),
        (ApiError("ratelimited"), (Reason.PLATFORM_RATE_LIMITED, False, False, None)),
        (ApiError("is_archived"), (Reason.PLATFORM_REJECTED, True, False, None)),
        (ApiError("not_in_channel"), (Reason.PLATFORM_REJECTED, True, False, None)),
        (ApiError("msg_too_long"), (Reason.PLATFORM_REJECTED, True, False, None)),
        (ApiError("never_heard_of"), (Reason.PLATFORM_REJECTED, True, False, None)),
        (ApiError("token_revoked"), (Reason.NOT_INSTALLED, True, False, None)),
        (ApiError("account_inactive"), (Reason.NOT_INSTALLED, True, False, None)),
        (ApiError("service_unavailable"), (Reason.PLATFORM_ERROR, False, False, None)),
        (ApiError("internal_error"), (Reason.PLATFORM_ERROR, False, True, None)),
        (HttpStatus(503), (Reason.PLATFORM_ERROR, False, True, None)),
        (HttpStatus(404), (Reason.PLATFORM_REJECTED, True, False, None)),
        (HttpStatus(302), (Reason.PLATFORM_REJECTED, True, False, None)),
        (ResetBefore(), (Reason.PLATFORM_UNREACHABLE, False, True, None)),
        (ResetAfter(), (Reason.PLATFORM_UNREACHABLE, False, True, None)),
    ],
)
async def test_faults(
    slack: SlackSandbox, sender: SlackSender, fault: Fault, expected: Verdict
) -> None:
    """One line of the table each. From here, a reset looks the same before and after the work."""
    slack.fail_next("chat.postMessage", fault)
    assert expected == await refusal(sender, message())


async def test_a_lost_answer_is_not_followed_by_a_second_post(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """No hidden retry: the SDK's would have posted twice."""
    slack.fail_next("chat.postMessage", ResetAfter())
    await refusal(sender, message())
    assert 1 == len(slack.bot_messages(TEAM, CHANNEL))


async def test_a_late_answer_is_ambiguous(
    slack: SlackSandbox, config: SlackConfig, session: aiohttp.ClientSession
) -> None:
    """Slack may have posted while nobody listened any more."""
    sender = SlackSender(msgspec.structs.replace(config, call_timeout_s=0.5), session)
    slack.fail_next("chat.postMessage", Slow(5.0))
    assert (Reason.PLATFORM_UNREACHABLE, False, True, None) == await refusal(sender, message())


async def test_a_connection_that_never_stood_posted_nothing(
    config: SlackConfig, session: aiohttp.ClientSession, unused_tcp_port: int
) -> None:
    """The one failure below HTTP after which the message may simply be sent again."""
    nobody = msgspec.structs.replace(config, api_base_url=f"http://127.0.0.1:{unused_tcp_port}/")
    sender = SlackSender(nobody, session)
    assert (Reason.PLATFORM_UNREACHABLE, False, False, None) == await refusal(sender, message())


async def test_a_channel_of_nobody_and_a_token_of_nobody(sender: SlackSender) -> None:
    """What Slack itself refuses, without a planned fault."""
    assert (Reason.PLATFORM_REJECTED, True, False, None) == await refusal(
        sender, message(channel="C0NOWHERE")
    )
    with pytest.raises(SendError) as caught:
        await sender.send(message(), Credential(bot_token="xoxb-wrong"))
    assert (Reason.NOT_INSTALLED, True, False, None) == verdict(caught.value)


@pytest.mark.parametrize("in_thread", [True, False])
async def test_a_posted_message_is_found_again(
    slack: SlackSandbox, sender: SlackSender, in_thread: bool
) -> None:
    """After a lost answer; another part of the same answer is another message."""
    root = slack.say(TEAM, CHANNEL, ANN, "hello")
    thread = root if in_thread else None
    slack.fail_next("chat.postMessage", ResetAfter())
    await refusal(sender, message(thread))
    (posted,) = slack.bot_messages(TEAM, CHANNEL)
    found = await sender.find_sent(message(thread), BOT)
    assert isinstance(found, SentMessage)
    assert posted.ts == found.id
    assert await sender.find_sent(message(thread, part=2), BOT) is None


async def test_a_message_that_was_never_posted_is_not_found(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """Then it may be sent again."""
    root = slack.say(TEAM, CHANNEL, ANN, "hello")
    slack.fail_next("chat.postMessage", ResetBefore())
    await refusal(sender, message(root))
    assert await sender.find_sent(message(root), BOT) is None


async def test_it_is_found_behind_other_pages(slack: SlackSandbox, sender: SlackSender) -> None:
    """A busy thread does not fit on one page."""
    root = slack.say(TEAM, CHANNEL, ANN, "hello")
    for number in range(450):
        slack.say(TEAM, CHANNEL, ANN, str(number), thread_ts=root)
    sent = await sender.send(message(root), BOT)
    assert sent == await sender.find_sent(message(root), BOT)


async def test_a_thread_without_end_leaves_it_unknown(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """Not found among so many is not the same as not there."""
    root = slack.say(TEAM, CHANNEL, ANN, "hello")
    for number in range(1_000):
        slack.say(TEAM, CHANNEL, ANN, str(number), thread_ts=root)
    with pytest.raises(SendError) as caught:
        await sender.find_sent(message(root), BOT)
    assert (Reason.OUTCOME_UNKNOWN, True, False, None) == verdict(caught.value)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (ApiError("missing_scope"), (Reason.OUTCOME_UNKNOWN, True, False, None)),
        (ApiError("channel_not_found"), (Reason.OUTCOME_UNKNOWN, True, False, None)),
        (RateLimited(retry_after_s=60), (Reason.PLATFORM_RATE_LIMITED, False, True, 60.0)),
        (HttpStatus(503), (Reason.PLATFORM_ERROR, False, True, None)),
        (ApiError("service_unavailable"), (Reason.PLATFORM_ERROR, False, True, None)),
    ],
)
async def test_a_lookup_that_fails_says_nothing_about_the_message(
    slack: SlackSandbox, sender: SlackSender, fault: Fault, expected: Verdict
) -> None:
    """It may have been posted all the same, so a later attempt must look again, not post."""
    slack.fail_next("conversations.history", fault)
    with pytest.raises(SendError) as caught:
        await sender.find_sent(message(), BOT)
    assert expected == verdict(caught.value)
