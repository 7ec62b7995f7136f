"""What people see of the real OpenClaw behind the gateway."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.openclaw.platforms import BEN
from tests.openclaw.program import PATIENCE_S
from tests.openclaw.stage import Stage
from tests.support.waiting import eventually
from tests.support.worlds import GLOBEX, GLOBEX_TEAM

pytestmark = [pytest.mark.openclaw, pytest.mark.timeout(600, func_only=True)]


async def test_a_direct_message_is_answered(stage: Stage) -> None:
    """Once, where it was written, and in no thread."""
    place = stage.direct()
    stage.side.say(place, "do:echo good morning")
    seen = await stage.answer(place, lambda each: each.text == "You said: good morning")
    await stage.settled()

    assert [seen] == stage.side.seen(place)
    assert seen.thread is None


async def test_a_mention_in_a_channel_is_answered_in_its_thread(stage: Stage) -> None:
    """And the talk goes on in that thread, with its own memory."""
    place = stage.channel()
    root = stage.side.say(place, "do:echo the pump is broken")
    first = await stage.answer(place, lambda each: each.text == "You said: the pump is broken")
    thread = replace(place, thread=root)
    stage.side.say(thread, "do:recall the pump is broken")
    second = await stage.answer(thread, lambda each: "the pump is broken: " in each.text)
    elsewhere = stage.channel()
    stage.side.say(elsewhere, "do:recall the pump is broken")
    third = await stage.answer(elsewhere, lambda each: "the pump is broken: " in each.text)

    assert [root, root] == [first.thread, second.thread]
    assert second.text != "the pump is broken: 0"
    assert "the pump is broken: 0" == third.text


async def test_two_people_share_no_session(stage: Stage) -> None:
    """What one tells the agent in private, the other cannot ask out of it."""
    annas, bens = stage.direct(), stage.direct()
    stage.side.say(annas, "do:echo my salary is 4711")
    await stage.answer(annas, lambda each: "4711" in each.text)
    stage.side.say(bens, "do:recall 4711", user=BEN)
    seen = await stage.answer(bens, lambda each: "4711: " in each.text)

    assert "4711: 0" == seen.text


async def test_an_answer_is_seen_to_grow(stage: Stage) -> None:
    """A preview takes its place, and the answer takes the place of the preview."""
    place = stage.channel()
    stage.side.say(place, "do:slow 25 of a slow answer")
    partial = await stage.answer(place, lambda each: "word3" in each.text)
    whole = await stage.answer(place, lambda each: "end of 25" in each.text)
    await stage.settled()

    assert "end of" not in partial.text
    assert [partial.id] == [each.id for each in stage.side.seen(place)]
    assert whole.id == partial.id


async def test_a_turn_is_seen_to_be_at_work(stage: Stage) -> None:
    """Before there is anything to read."""
    place = stage.channel()
    root = stage.side.say(place, "do:slow 2000 at work")
    thread = replace(place, thread=root)

    assert await eventually(lambda: stage.side.at_work(thread), timeout_s=PATIENCE_S)
    stage.side.say(thread, "/stop")
    await stage.answer(thread, lambda each: "abort" in each.text.lower())


async def test_nine_thousand_characters_arrive_whole(stage: Stage) -> None:
    """In order, with nothing lost."""
    place = stage.direct()
    lines = [f"line {number:04d} of a long answer" for number in range(360)]
    stage.side.say(place, "do:long 360")
    await stage.answer(place, lambda each: lines[-1] in each.whole)
    await stage.settled()
    text = "\n".join(each.whole for each in stage.side.seen(place))

    assert 9000 < len("\n".join(lines))
    assert lines == [line.rstrip() for line in text.splitlines() if line.startswith("line ")]


async def test_a_file_goes_out(stage: Stage) -> None:
    """From the workspace of the container to the platform, with the words beside it."""
    place = stage.direct()
    report = stage.acme.workspace / "report.txt"
    report.write_text("all is well")
    stage.side.say(place, f"do:file {report}")
    seen = await stage.answer(place, lambda each: bool(each.files))

    assert "report.txt" == seen.files[0].rpartition("/")[2]
    assert any("Here it is." in each.text for each in stage.side.seen(place))


async def test_a_file_comes_in(stage: Stage) -> None:
    """Through the gateway: the container has no token of the platform's."""
    place = stage.direct()
    stage.side.share(place, "notes.txt", b"the secret word is xylophone", "do:recall xylophone")
    seen = await stage.answer(place, lambda each: "xylophone: " in each.text)

    assert "xylophone: 1" == seen.text


async def test_a_status_is_told_to_whom_may_command(stage: Stage) -> None:
    """And to nobody else: the tenant's rule at the gateway decides."""
    annas, bens = stage.direct(), stage.direct()
    stage.side.say(annas, "/status")
    status = await stage.answer(annas, lambda each: "stub-1" in each.text)
    stage.side.say(bens, "/status", user=BEN)
    stage.side.say(bens, "do:echo after it", user=BEN)
    await stage.answer(bens, lambda each: "after it" in each.text)

    assert "OpenClaw" in status.text
    assert [] == [each.text for each in stage.side.seen(bens) if "stub-1" in each.text]


async def test_stop_ends_a_running_turn(stage: Stage) -> None:
    """It does not wait behind what it should stop."""
    place = stage.direct()
    stage.side.say(place, "do:slow 2000 of a very slow answer")
    await stage.answer(place, lambda each: "word3" in each.text)
    stage.side.say(place, "/stop")
    said = await stage.answer(place, lambda each: "abort" in each.text.lower())
    await stage.settled()
    await eventually(lambda: stage.texts(place) == [said.text], timeout_s=PATIENCE_S)

    assert 0 == stage.model.running


async def test_what_was_said_meanwhile_comes_along(stage: Stage) -> None:
    """The talk that did not mention the agent is known to it when it is mentioned."""
    place = stage.channel()
    slack = stage.world.slack
    root = stage.side.say(place, "do:echo hello")
    await stage.answer(place, lambda each: "You said: hello" in each.text)
    slack.say(place.workspace, place.channel, BEN, "lunch is at noon", thread_ts=root)
    await slack.settled(timeout_s=PATIENCE_S)
    stage.side.say(replace(place, thread=root), "do:recall lunch is at noon")
    seen = await stage.answer(place, lambda each: "lunch is at noon: " in each.text)

    assert "lunch is at noon: 0" != seen.text


async def test_no_tenant_reaches_another(stage: Stage) -> None:
    """The same channel id in two workspaces: each is answered by its own agent alone."""
    acme = stage.channel()
    globex = stage.side.channel(GLOBEX_TEAM, acme.channel.removeprefix("C0"))
    stage.side.say(acme, "do:echo for acme")
    stage.side.say(globex, "do:echo for globex")
    await stage.answer(acme, lambda each: "for acme" in each.text)
    await stage.answer(globex, lambda each: "for globex" in each.text)

    assert (1, 0) == (stage.model.asked("for acme"), stage.model.asked("for globex"))
    other = stage.models[GLOBEX]
    assert (0, 1) == (other.asked("for acme"), other.asked("for globex"))
