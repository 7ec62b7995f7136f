"""Answers that grow in Slack, from the agent's request to what stands in the thread."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.core.ids import MessageId
from gateway.egress.desk import Desk
from gateway.egress.outbox import Outbox
from gateway.egress.requests import Content, Refusal, Submitted
from gateway.ingress import Ingress
from gateway.sandbox.slack import ApiError, Fault, HttpStatus, RateLimited, ResetAfter, ResetBefore
from gateway.store.ledger import MessageState
from plugin_bridge.wire import encode
from tests.adapters.slack.test_raw_markdown import SUMMONS
from tests.egress.conftest import ACME, ACME_TEAM, HERE, Egress
from tests.support.slack import shown

CHANNEL, ROOT = "C0AAAA", "1700000000.000100"
PAYLOADS = Path(__file__).parents[1] / "payloads"
FAULTS: list[Fault] = [
    ResetAfter(),
    ResetBefore(),
    HttpStatus(503),
    ApiError("internal_error"),
    ApiError("service_unavailable"),
    RateLimited(retry_after_s=2),
]


def texts(egress: Egress) -> list[str]:
    """What people see of what the bot has said in the channel."""
    return [shown(each) for each in egress.slack.bot_messages(ACME_TEAM, CHANNEL)]


def calls(egress: Egress) -> list[str]:
    """What was asked of Slack to show it."""
    asked = [each.method.partition(".") for each in egress.slack.requests]
    return [name for family, _, name in asked if family == "chat"]


async def opened(egress: Egress, desk: Desk, outbox: Outbox) -> MessageId:
    """An answer to Anna, begun."""
    result = await desk.streaming.open(ACME, HERE, "U0ANNA", "open")
    assert isinstance(result, Submitted)
    await egress.work(outbox)
    return result.id


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


async def state(desk: Desk, stream: MessageId) -> MessageState:
    """What became of it."""
    status = await desk.ledger.status(ACME, stream)
    assert status is not None
    return status.state


async def test_a_page_of_everything_that_is_hard(egress: Egress) -> None:
    """What people see before its end, and after it. The expected file holds the messages of both;
    after a change that is meant, look at them and write them there.
    """
    page = (PAYLOADS / "torture.md").read_text(encoding="utf-8")
    expected = (PAYLOADS / "slack" / "torture_streamed.txt").read_text(encoding="utf-8")
    desk, outbox = egress.desk(), egress.outbox()
    stream = await opened(egress, desk, outbox)
    for upto in range(97, len(page) + 97, 97):
        await desk.streaming.append(ACME, stream, text=page[:upto])
        await egress.work(outbox)
    growing = texts(egress)
    await desk.streaming.finish(ACME, stream, None, "finish")
    await egress.work(outbox)

    seen = [f"===== growing\n{text}\n" for text in growing]
    seen += [f"===== ended\n{text}\n" for text in texts(egress)]
    assert expected == "".join(seen)
    assert [] == [text for text in growing if SUMMONS.search(text.replace("<@U0ALICEAA>", ""))]
    assert MessageState.SENT is await state(desk, stream)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("method", ["startStream", "appendStream", "stopStream", "update"])
async def test_whatever_goes_wrong_once_it_stands_there_once(
    egress: Egress, method: str, fault: Fault
) -> None:
    """Every call, every fault."""
    desk, outbox = egress.desk(), egress.outbox()
    egress.slack.fail_next(f"chat.{method}", fault)
    stream = await opened(egress, desk, outbox)
    for text in ("It is", "It is the **pump", "It is the **pump**."):
        await desk.streaming.append(ACME, stream, text=text)
        await egress.work(outbox)
        [seen] = texts(egress)
        assert ["It", "is", "the", "pump"][: len(_words(seen))] == _words(seen)
    await desk.streaming.finish(ACME, stream, None, "finish")
    await egress.work(outbox)

    assert ["It is the **pump**."] == texts(egress)
    assert MessageState.SENT is await state(desk, stream)


async def test_nobody_in_particular_is_answered_by_edits(egress: Egress) -> None:
    """Slack wants to know who reads it, in channels."""
    desk, outbox = egress.desk(), egress.outbox()
    result = await desk.streaming.open(ACME, HERE, None, "open")
    assert isinstance(result, Submitted)
    await egress.work(outbox)
    began = texts(egress)
    await desk.streaming.append(ACME, result.id, text="It is **")
    await egress.work(outbox)
    await desk.streaming.finish(ACME, result.id, Content(markdown="It is **it**"), "finish")
    await egress.work(outbox)

    assert (["…"], ["It is **it**"]) == (began, texts(egress))
    assert ["postMessage", "update", "update"] == calls(egress)


async def test_what_slack_ended_goes_on_by_edits(egress: Egress) -> None:
    """About five minutes after its begin, whatever we do."""
    desk, outbox = egress.desk(), egress.outbox()
    stream = await opened(egress, desk, outbox)
    await desk.streaming.append(ACME, stream, text="It is")
    await egress.work(outbox)
    egress.slack.streams.expire()
    for text in ("It is the", "It is the **pump**"):
        await desk.streaming.append(ACME, stream, text=text)
        await egress.work(outbox)
    grown = texts(egress)
    await desk.streaming.finish(ACME, stream, Content(markdown="It is the **pump**."), "finish")
    await egress.work(outbox)

    assert (["It is the **pump**"], ["It is the **pump**."]) == (grown, texts(egress))


async def test_a_user_stops_it(egress: Egress) -> None:
    """The agent hears of it once, and what was shown is what stays."""
    ingress = Ingress(egress.lookup, egress.store, encode, egress.metrics)
    desk = egress.desk(hear=ingress.accept)
    outbox = egress.outbox(desk=desk)
    stream = await opened(egress, desk, outbox)
    await desk.streaming.append(ACME, stream, text="It is")
    await egress.work(outbox)
    [message] = egress.slack.bot_messages(ACME_TEAM, CHANNEL)
    egress.slack.stop_agent(ACME_TEAM, CHANNEL, "U0ANNA", ROOT, streaming=[message.ts])
    await desk.streaming.append(ACME, stream, text="It is the")
    await egress.work(outbox)

    assert Refusal.STREAM_CLOSED is await desk.streaming.append(ACME, stream, text="It is the end")
    assert ["It is"] == texts(egress)
    assert ["startStream", "appendStream", "appendStream"] == calls(egress)
    assert MessageState.SENT is await state(desk, stream)
    heard = [each for each in await egress.audit() if each.action == "event.routed"]
    assert [HERE] == [each.conversation for each in heard]
