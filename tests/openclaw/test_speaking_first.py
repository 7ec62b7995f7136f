"""What OpenClaw says without having been asked, and the message tool: all by an address alone."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.openclaw.platforms import BEN, Place
from tests.openclaw.program import HOOKS_TOKEN, PATIENCE_S, TOKEN
from tests.openclaw.stage import Stage
from tests.support.waiting import eventually
from tests.support.worlds import ACME_TEAM, GLOBEX_TEAM

pytestmark = [pytest.mark.openclaw, pytest.mark.timeout(600, func_only=True)]


def target(stage: Stage, place: Place) -> str:
    """How OpenClaw addresses it."""
    return f"conversation:{stage.side.conversation(place)}"


async def invoke(stage: Stage, **arguments: object) -> dict[str, Any]:
    """Use the message tool, as its operator may."""
    args = {"action": "send", "channel": "aegis", **arguments}
    return await stage.acme.call("/tools/invoke", {"tool": "message", "args": args})


async def test_the_command_line_sends_a_message(stage: Stage) -> None:
    """`openclaw message send` with the address of a conversation."""
    place = stage.channel()
    words = ("--message", "**Good** morning", "--json")
    await stage.acme.cli(
        "message", "send", "--channel", "aegis", "--target", target(stage, place), *words
    )
    seen = await stage.answer(place, lambda each: "morning" in each.text)

    assert [seen] == stage.side.seen(place)


async def test_a_user_is_addressed_by_id(stage: Stage) -> None:
    """The gateway finds the direct message with them."""
    stage.world.slack.add_user(ACME_TEAM, "U0CLEO")
    await invoke(stage, target=f"user:slack:{ACME_TEAM}:U0CLEO", message="Hello Cleo")

    async def said() -> list[str]:
        place = stage.side.posted_last(ACME_TEAM)
        texts = [each.text for each in stage.side.seen(place)] if place else []
        return texts if "Hello Cleo" in texts else []

    assert ["Hello Cleo"] == await eventually(said, timeout_s=PATIENCE_S)


async def test_the_same_words_may_be_said_twice(stage: Stage) -> None:
    """Two sends are two messages: only a retry is the same message again."""
    place = stage.channel()
    for _ in range(2):
        await invoke(stage, target=target(stage, place), message="daily reminder")
    await stage.answer(place, lambda _: len(stage.side.seen(place)) == 2)

    assert ["daily reminder"] * 2 == [each.text for each in stage.side.seen(place)]


async def test_a_hook_speaks_into_a_channel(stage: Stage) -> None:
    """Its words are the agent's, and nobody has asked there."""
    place = stage.channel()
    body = {"message": "do:echo from a hook", "name": "hook", "deliver": True}
    body |= {"channel": "aegis", "to": target(stage, place)}
    await stage.acme.call("/hooks/agent", body, token=HOOKS_TOKEN)
    seen = await stage.answer(place, lambda each: "from a hook" in each.text)

    assert "You said: from a hook" == seen.text


async def test_a_job_of_the_clock_speaks_into_a_channel(stage: Stage) -> None:
    """`openclaw cron`: once, soon, by an address."""
    place = stage.channel()
    where = ("--announce", "--channel", "aegis", "--to", target(stage, place))
    what = ("--name", "brief", "--session", "isolated", "--message", "do:echo the morning brief")
    await stage.acme.cli("cron", "add", "--at", "1s", *what, *where, "--token", TOKEN)
    await stage.answer(place, lambda each: "the morning brief" in each.text)

    assert ["You said: the morning brief"] == stage.texts(place)


async def test_what_the_channel_cannot_do_is_refused_in_words(stage: Stage) -> None:
    """A poll is no message that the agent protocol knows."""
    poll = {"action": "poll", "pollQuestion": "Lunch?", "pollOption": ["Yes", "No"]}
    with pytest.raises(AssertionError, match="tool_error"):
        await invoke(stage, target=target(stage, stage.channel()), **poll)

    assert "Unsupported poll channel: aegis" in stage.acme.log()


async def test_a_file_over_the_limit_is_not_lost_in_silence(stage: Stage) -> None:
    """The words are said, and which file is missing."""
    place = stage.direct()
    big = stage.acme.workspace / "big.txt"
    big.write_text("x" * (21 * 1024 * 1024))
    stage.side.say(place, f"do:file {big}")
    await stage.answer(place, lambda each: "big.txt" in each.text)
    await stage.settled()
    [seen] = stage.side.seen(place)

    assert seen.text.startswith("Here it is.")
    assert [] == list(seen.files)


async def test_another_tenants_conversation_is_refused(stage: Stage) -> None:
    """By the gateway: the container may want what it wants."""
    place = stage.side.channel(GLOBEX_TEAM, "GENERAL")
    with pytest.raises(AssertionError, match="tool_error"):
        await invoke(stage, target=target(stage, place), message="Hello from next door")

    assert "404 unknown_conversation: no such conversation of yours" in stage.acme.log()
    assert [] == stage.side.seen(place)


async def test_a_button_is_pressed(stage: Stage) -> None:
    """The agent offers it, somebody presses it, the agent hears of it and answers."""
    place = stage.channel()
    root = stage.side.say(place, "do:echo hello")
    await stage.answer(place, lambda each: "You said: hello" in each.text)
    buttons = [
        {"label": "Deploy", "action": {"type": "callback", "value": "do:echo deployed v7"}},
        {"label": "Show status", "action": {"type": "command", "command": "/status"}},
    ]
    presentation = {"title": "Version 7", "blocks": [{"type": "buttons", "buttons": buttons}]}
    conversation = f"{target(stage, place)}:{root}"
    await invoke(stage, target=conversation, message="Ready?", presentation=presentation)
    shown = await stage.answer(place, lambda each: "Deploy" in each.buttons)
    stage.side.press(place, shown, "Deploy")
    answered = await stage.answer(place, lambda each: "deployed v7" in each.text)
    stage.side.press(place, shown, "Show status")
    status = await stage.answer(place, lambda each: "stub-1" in each.text)

    assert ["Deploy", "Show status"] == list(shown.buttons)
    assert [root] * 3 == [shown.thread, answered.thread, status.thread]


async def test_the_agent_reacts_to_what_it_is_asked(stage: Stage) -> None:
    """With the message tool, called by the model in its turn."""
    place = stage.direct()
    arguments = {"id": "message", "args": {"action": "react", "emoji": "👀"}}
    call = json.dumps({"name": "tool_call", "arguments": arguments}, ensure_ascii=False)
    asked = stage.side.say(place, f"do:tool {call}")
    await stage.answer(place, lambda each: each.text == "Done.")

    assert ["eyes"] == await eventually(
        lambda: stage.side.reactions(place, asked), timeout_s=PATIENCE_S
    )


async def test_what_was_sent_is_changed_and_removed(stage: Stage) -> None:
    """By the id of its receipt."""
    place = stage.channel()
    where = {"target": target(stage, place)}
    sent = await invoke(stage, **where, message="frist")
    await stage.answer(place, lambda each: each.text == "frist")
    message_id = sent["result"]["details"]["result"]["messageId"]
    await invoke(stage, **where, action="edit", messageId=message_id, message="first")
    await stage.answer(place, lambda each: each.text == "first")
    await invoke(stage, **where, action="delete", messageId=message_id)

    assert await eventually(lambda: stage.texts(place) == [], timeout_s=PATIENCE_S)


async def test_an_approval_is_given_in_words(stage: Stage) -> None:
    """Where nobody can press."""
    place = stage.direct()
    call = json.dumps({"name": "exec", "arguments": {"command": "echo approved-in-words"}})
    stage.side.say(place, f"do:tool {call}")
    asked = await stage.answer(place, lambda each: "/approve " in each.text)
    [command] = re.findall(r"/approve \S+ allow-once", asked.text)
    stage.side.say(place, command)
    await stage.answer(place, lambda each: each.text == "Done.")

    assert any("approved-in-words" == each.get("content") for each in stage.model.prompts[-1])


async def test_an_approval_is_given_by_a_button(stage: Stage) -> None:
    """By who may command, and by nobody else."""
    place = stage.direct()
    call = json.dumps({"name": "exec", "arguments": {"command": "echo approved-run"}})
    stage.side.say(place, f"do:tool {call}")
    asked = await stage.answer(place, lambda each: "Allow Once" in each.buttons)
    stage.side.press(place, asked, "Allow Once", user=BEN)
    await eventually(lambda: "may not decide" in stage.acme.log(), timeout_s=PATIENCE_S)
    waiting = stage.model.asked("echo approved-run")
    stage.side.press(place, asked, "Allow Once")
    await stage.answer(place, lambda each: each.text == "Done.")

    assert 1 == waiting
    assert any("approved-run" == each.get("content") for each in stage.model.prompts[-1])
