"""Messages that grow in Slack, and all that may become of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import aiohttp
import msgspec
import pytest

from adapters.slack.config import SlackConfig
from adapters.slack.sender import SlackSender
from gateway.core.components import Button, Buttons
from gateway.core.deliveries import Reason
from gateway.core.errors import LeaseLostError, SendError, StreamEndedError, StreamRefusedError
from gateway.core.ids import MessageId
from gateway.core.messages import OutboundMessage, SentRef, StreamFinish, StreamStart
from gateway.core.tenants import Credential
from gateway.sandbox.slack import (
    ApiError,
    Fault,
    HttpStatus,
    RateLimited,
    ResetAfter,
    ResetBefore,
    SlackSandbox,
)
from tests.adapters.slack.acts import BOT, failure, place, verdict
from tests.adapters.slack.conftest import ANN, CHANNEL, QUICK, TEAM
from tests.adapters.slack.payloads import parsed

STREAM = MessageId("msg_0001")


def ask(slack: SlackSandbox, channel: str = CHANNEL) -> str:
    """A question of Ann's; returns its ts, below which answers stand."""
    return slack.say(TEAM, channel, ANN, "hello?")


def start(
    thread: str | None, *, channel: str = CHANNEL, recipient: str | None = ANN
) -> StreamStart:
    """The begin of an answer."""
    return StreamStart(
        id=STREAM,
        conversation=place(thread, channel=channel),
        created_at=datetime.now(UTC),
        recipient=recipient,
    )


def finish(begun: StreamStart, text: str, **further: object) -> StreamFinish:
    """Its end."""
    end = StreamFinish(id=STREAM, conversation=begun.conversation, text=text)
    return msgspec.structs.replace(end, **further)


async def begun(slack: SlackSandbox, sender: SlackSender, text: str = "One") -> SentRef:
    """An answer that grows below a question."""
    stream = start(ask(slack))
    sent = await sender.start(stream, text, BOT)
    return SentRef(conversation=stream.conversation, id=sent.id)


def texts(slack: SlackSandbox, channel: str = CHANNEL) -> list[str]:
    """What the bot has said there."""
    return [each.text for each in slack.bot_messages(TEAM, channel)]


def methods(slack: SlackSandbox) -> list[str]:
    """What was asked of Slack."""
    return [each.method for each in slack.requests]


async def test_it_grows_and_ends_rendered(slack: SlackSandbox, sender: SlackSender) -> None:
    """Markdown while it grows; it ends as any other message does, with its marker."""
    stream = start(ask(slack))
    sent = await sender.start(stream, "**Hel", BOT)
    ref = SentRef(conversation=stream.conversation, id=sent.id)
    await sender.append(ref, "lo** you", BOT)
    grown = texts(slack)
    row = Buttons(buttons=(Button(id="ok", label="OK"),))
    ended = await sender.finish(
        finish(stream, "**Hello** you", components=(row,)), ref, lambda: BOT
    )

    [message] = slack.bot_messages(TEAM, CHANNEL)
    assert (["**Hello** you"], "*Hello* you", sent.id) == (grown, message.text, ended.id)
    assert stream.conversation.thread == message.thread_ts
    assert (message.metadata or {})["event_payload"] == {
        "marker": "msg_0001-1",
        "workspace": TEAM,
    }
    blocks = [each for each in message.blocks or [] if isinstance(each, dict)]
    assert [("markdown", "**Hello** you"), ("actions", None)] == [
        (each["type"], each.get("text")) for each in blocks
    ]


async def test_every_call_of_its_end_is_asked_for(slack: SlackSandbox, sender: SlackSender) -> None:
    """Who has lost the lease in between sets no text: a successor may have set a later one."""
    ref = await begun(slack, sender)
    keys = [BOT]

    def key() -> Credential:
        if not keys:
            raise LeaseLostError("lost")
        return keys.pop()

    with pytest.raises(LeaseLostError):
        await sender.finish(finish(start(None), "One two"), ref, key)
    assert ["One"] == texts(slack)
    assert ["chat.startStream", "chat.stopStream"] == methods(slack)


async def test_one_without_a_text_can_begin(slack: SlackSandbox, sender: SlackSender) -> None:
    """People see that something is coming."""
    ref = await begun(slack, sender, "")
    await sender.append(ref, "One", BOT)
    assert ["One"] == texts(slack)


@pytest.mark.parametrize("text", ["<!channel>", "@here", "&lt;!everyone&gt;"])
async def test_nobody_is_summoned(slack: SlackSandbox, sender: SlackSender, text: str) -> None:
    """Neither at its begin nor later, nor across."""
    ref = await begun(slack, sender, f"{text} <!chan")
    await sender.append(ref, f"nel> {text}", BOT)
    [shown] = texts(slack)
    assert [] == [each for each in ("<!", "@here", "&lt;!everyone") if each in shown]


@pytest.mark.parametrize(
    ("thread", "channel", "recipient"),
    [
        (None, CHANNEL, ANN),
        ("root", CHANNEL, None),
        ("root", CHANNEL, "no id"),
        (None, "D0ANN", ANN),
    ],
)
async def test_where_none_can_grow_slack_is_not_asked(
    slack: SlackSandbox,
    sender: SlackSender,
    thread: str | None,
    channel: str,
    recipient: str | None,
) -> None:
    """It is to be posted instead."""
    with pytest.raises(StreamRefusedError) as caught:
        await sender.start(start(thread, channel=channel, recipient=recipient), "One", BOT)
    assert (True, []) == (caught.value.may_edit, methods(slack))


async def test_an_organisations_address_names_no_team(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """Slack wants to know the recipient's."""
    stream = start(ask(slack))
    where = msgspec.structs.replace(stream.conversation, workspace="E0ORG")
    with pytest.raises(StreamRefusedError):
        await sender.start(msgspec.structs.replace(stream, conversation=where), "One", BOT)


async def test_in_a_direct_message_nobody_need_be_named(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """There is one person only."""
    stream = start(ask(slack, "D0ANN"), channel="D0ANN", recipient=None)
    await sender.start(stream, "One", BOT)
    assert ["One"] == texts(slack, "D0ANN")


@pytest.mark.parametrize(
    "fault",
    [
        ApiError("channel_type_not_supported"),
        ApiError("streaming_mode_mismatch"),
        ApiError("user_not_found"),
        ApiError("feature_disabled"),
        RateLimited(retry_after_s=7),
        ApiError("ratelimited"),
    ],
)
async def test_what_slack_refuses_is_to_be_posted(
    slack: SlackSandbox, sender: SlackSender, fault: Fault
) -> None:
    """Nothing stands there; a post will tell what is really wrong, if anything is."""
    slack.fail_next("chat.startStream", fault)
    error = await failure(sender.start(start(ask(slack)), "One", BOT))
    assert isinstance(error, StreamRefusedError)
    assert ([], False) == (texts(slack), error.ambiguous)


@pytest.mark.parametrize(
    ("fault", "ambiguous"),
    [
        (ResetAfter(), True),
        (ResetBefore(), True),
        (HttpStatus(503), True),
        (ApiError("internal_error"), True),
        (ApiError("token_revoked"), False),
        (ApiError("service_unavailable"), False),
    ],
)
@pytest.mark.parametrize("method", ["start", "append"])
async def test_other_faults(
    slack: SlackSandbox, sender: SlackSender, method: str, fault: Fault, ambiguous: bool
) -> None:
    """Whether something may have been shown decides what follows."""
    ref = await begun(slack, sender)
    slack.fail_next(f"chat.{method}Stream", fault)
    if method == "start":
        error = await failure(sender.start(start(ask(slack)), "Two", BOT))
    else:
        error = await failure(sender.append(ref, " two", BOT))
    assert (SendError, ambiguous) == (type(error), error.ambiguous)


@pytest.mark.parametrize("slack", [replace(QUICK, stream_lifetime_s=0.0)], indirect=True)
async def test_what_slack_has_ended_grows_no_more_and_can_be_ended(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """By an edit alone."""
    ref = await begun(slack, sender)
    with pytest.raises(StreamEndedError) as caught:
        await sender.append(ref, " two", BOT)
    await sender.finish(finish(start(None), "One two"), ref, lambda: BOT)
    assert (False, ["One two"]) == (caught.value.by_user, texts(slack))


@pytest.mark.parametrize("method", ["chat.stopStream", "chat.update"])
@pytest.mark.parametrize("fault", [ResetAfter(), ResetBefore(), ApiError("internal_error")])
async def test_an_end_can_be_repeated(
    slack: SlackSandbox, sender: SlackSender, method: str, fault: Fault
) -> None:
    """No doubt is left behind: it is the same, however often."""
    ref = await begun(slack, sender)
    end = finish(start(None), "One two")
    slack.fail_next(method, fault)
    error = await failure(sender.finish(end, ref, lambda: BOT))
    await sender.finish(end, ref, lambda: BOT)
    assert (False, False, ["One two"]) == (error.ambiguous, error.permanent, texts(slack))


@pytest.mark.parametrize("method", ["chat.appendStream", "chat.stopStream"])
async def test_a_users_will_is_told(slack: SlackSandbox, sender: SlackSender, method: str) -> None:
    """By whichever call finds out."""
    ref = await begun(slack, sender)
    slack.stop_agent(TEAM, CHANNEL, ANN, str(ref.conversation.thread), streaming=[ref.id])
    slack.fail_next(method, ApiError("stopped_by_user"))
    if method == "chat.appendStream":
        error = await failure(sender.append(ref, " two", BOT))
    else:
        error = await failure(sender.finish(finish(start(None), "One two"), ref, lambda: BOT))
    assert isinstance(error, StreamEndedError)
    assert (True, ["One"]) == (error.by_user, texts(slack))


def test_a_stop_is_one_event_whoever_tells_of_it(sender: SlackSender) -> None:
    """Slack's own agent_session_stopped, and the error of an addition."""
    told = parsed("agent_session_stopped")
    ours = sender.stopped(SentRef(conversation=told.conversation, id="1700000003.000200"), "U0ANN")
    [key] = ours.dedupe_keys

    assert (told.kind, told.conversation, told.conversation_kind, told.message_id) == (
        ours.kind,
        ours.conversation,
        ours.conversation_kind,
        ours.message_id,
    )
    assert ("Ev0STOPPED", key) == told.dedupe_keys
    assert "U0ANN" == ours.sender.id


async def test_a_begin_whose_answer_was_lost_is_found(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """It is the bot's only message there without a marker."""
    root = ask(slack)
    stream = start(root)
    await sender.send(
        OutboundMessage(id=MessageId("msg_0002"), conversation=place(root), text="another"), BOT
    )
    slack.say(TEAM, CHANNEL, ANN, "of a user", thread_ts=root)
    nothing = await sender.find_start(stream, [], BOT)
    slack.fail_next("chat.startStream", ResetAfter())
    await failure(sender.start(stream, "One", BOT))

    found = await sender.find_start(stream, [], BOT)
    [standing] = [each.ts for each in slack.bot_messages(TEAM, CHANNEL) if each.text == "One"]
    assert (None, standing) == (nothing, found and found.id)
    assert found is not None
    assert found.degraded is None
    assert await sender.find_start(stream, [standing], BOT) is None


async def test_two_that_could_be_it_are_no_answer(slack: SlackSandbox, sender: SlackSender) -> None:
    """Either could be somebody else's: a person decides."""
    stream = start(ask(slack))
    for _ in range(2):
        await sender.start(stream, "One", BOT)
    error = await failure(sender.find_start(stream, [], BOT))
    assert (Reason.OUTCOME_UNKNOWN, True) == (error.reason, error.permanent)


async def test_what_was_posted_instead_is_found_too(
    slack: SlackSandbox, sender: SlackSender
) -> None:
    """By its marker, and told from what grows; outside of threads as well."""
    stream = start(None)
    post = OutboundMessage(id=STREAM, conversation=stream.conversation, text="One")
    sent = await sender.send(post, BOT)
    found = await sender.find_start(stream, [], BOT)
    assert found is not None
    assert (sent.id, "streams") == (found.id, found.degraded)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (ApiError("missing_scope"), (Reason.OUTCOME_UNKNOWN, True, False, None)),
        (RateLimited(3), (Reason.PLATFORM_RATE_LIMITED, False, True, 3.0)),
        (HttpStatus(503), (Reason.PLATFORM_ERROR, False, True, None)),
    ],
)
async def test_what_cannot_be_looked_up_stays_in_doubt(
    slack: SlackSandbox, sender: SlackSender, fault: Fault, expected: object
) -> None:
    """It is never "not there"."""
    slack.fail_next("conversations.replies", fault)
    error = await failure(sender.find_start(start(ask(slack)), [], BOT))
    assert expected == verdict(error)


async def test_people_get_a_button_that_stops_it(
    slack: SlackSandbox, config: SlackConfig, session: aiohttp.ClientSession
) -> None:
    """In apps of the agent view; a status that fails harms nobody."""
    sender = SlackSender(msgspec.structs.replace(config, agent_view=True), session)
    slack.fail_next("agents.sessions.setStatus", HttpStatus(500))
    await begun(slack, sender)
    ref = await begun(slack, sender)
    await sender.typing(ref.conversation, BOT, on=False)
    thread = ref.conversation.thread
    assert [(thread, "processing"), (thread, "active")] == [
        (each.thread_ts, each.status) for each in slack.sessions.statuses
    ]
    assert [] == list(slack.statuses)


@pytest.mark.parametrize("slack", [replace(QUICK, agent_view=False)], indirect=True)
async def test_a_workspace_without_sessions_is_no_fault(
    slack: SlackSandbox, config: SlackConfig, session: aiohttp.ClientSession
) -> None:
    """feature_disabled."""
    sender = SlackSender(msgspec.structs.replace(config, agent_view=True), session)
    await sender.typing(place(ask(slack)), BOT, on=True)
    assert [] == slack.sessions.statuses
