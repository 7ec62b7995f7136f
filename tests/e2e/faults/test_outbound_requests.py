"""What agents ask for twice, all at once, too late, or never again: each request ends once."""

from __future__ import annotations

import asyncio
from itertools import count

import aiohttp
import pytest

from adapters.slack.outbound import render
from gateway.core.ids import Platform
from gateway.core.tenants import Credential
from gateway.sandbox.slack import ApiError, Slow
from gateway.store.connection import run
from gateway.store.keys import shard_of
from plugin_bridge.client import RefusedError
from tests.e2e.faults.load import ACME, SHORT
from tests.e2e.faults.speech import (
    LONG,
    TEAM,
    Asked,
    Speech,
    ending,
    expect_said,
    opening,
    restart,
    saying,
)
from tests.support.commands import run_command
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e

ARCHIVED = ApiError("is_archived")
LATE = Slow(0.5)
"""Long enough for something else to happen meanwhile."""


async def test_what_is_asked_again_is_done_once(speech: Speech) -> None:
    """Every request twice at the same moment on two connections, and again by a gateway that was
    killed meanwhile: one answer, one deed.
    """
    place, thread = speech.channel("D0AGAIN"), speech.thread("C0AGAIN")
    asked: list[Asked] = []
    ids: list[str] = []

    async def both(request: Asked) -> str:
        asked.append(request)
        async with aiohttp.ClientSession() as session:
            other = Speech(speech.world, session, count())
            key = f"again-{len(asked)}"
            one, two = await asyncio.gather(*(s.ask(request, key=key) for s in (speech, other)))
        assert one == two
        ids.append(one)
        return one

    message = await both(saying(place, LONG))
    await both(("PATCH", f"/v1/messages/{message}", {"text": "**short**"}))
    await both(("POST", f"/v1/messages/{message}/reactions", {"emoji": "🎉"}))
    stream, aborted = await both(opening(thread)), await both(opening(thread))
    await speech.append(stream, "Let me see")
    await both(ending(stream, "the *end*"))
    await both(("POST", f"/v1/streams/{aborted}/abort", {}))
    removed = await both(saying(place, "to be removed"))
    await both(("DELETE", f"/v1/messages/{removed}", None))
    await restart(speech)
    again = [await speech.ask(each, key=f"again-{n}") for n, each in enumerate(asked, start=1)]

    assert ids == again
    assert {"sent"} == set(await speech.states(*ids))
    await expect_said(speech, place, (message, "**short**"))
    await expect_said(speech, thread, (stream, "the *end*"))
    [shown] = speech.seen(place)
    assert ["tada"] == list(shown.reactions)


async def test_races_end_in_one_state(speech: Speech) -> None:
    """Appends with the end, ends with each other, a change with the post that it changes, a removal
    in the middle of a split answer.
    """
    slack = speech.world.slack
    thread, place, split = (
        speech.thread("C0RACE"),
        speech.channel("D0RACE"),
        speech.channel("D0CUT"),
    )
    streams = [await speech.open(thread) for _ in range(4)]
    ends: list[str] = []
    for stream in streams:
        await speech.append(stream, "one")
        racing = [
            speech.append(stream, "one two"),
            speech.ask(ending(stream, "the end")),
            speech.ask(("POST", f"/v1/streams/{stream}/abort", {})),
            speech.append(stream, "one two three"),
        ]
        answers = await asyncio.gather(*racing, return_exceptions=True)
        refused = [each for each in answers if isinstance(each, BaseException)]
        assert {"stream_closed"} >= {getattr(each, "code", "") for each in refused}, refused
        [end] = [each for each in answers if isinstance(each, str)]
        ends.append(end)

    slack.fail_next("chat.postMessage", LATE)
    message = await speech.say(place, "old")
    changes = [await speech.edit(message, "newer"), await speech.edit(message, "newest")]
    slack.fail_next("chat.postMessage", LATE)
    long = await speech.say(split, LONG)
    await eventually(lambda: speech.texts(split))
    removal = await speech.remove(long)

    assert {"sent"} == set(await speech.states(*ends, *changes, removal))
    await expect_said(speech, place, (message, "newest"))
    assert [] == speech.texts(split)
    finished = [(each, "the end") for each in streams if each in ends]
    await expect_said(speech, thread, *finished)
    with pytest.raises(RefusedError):
        await speech.edit(long, "too late")


async def silence(speech: Speech, *streams: str) -> None:
    """Let it be two minutes since anything was heard of these streams."""
    key = shard_of(ACME, speech.world.settings.shards).streams
    for stream in streams:
        await run(speech.world.stores.redis, "ZADD", key, "XX", 1, f"{ACME}\x1f{stream}")


async def test_streams_of_agents_that_died_are_ended(speech: Speech) -> None:
    """With what they had said; one that has said nothing is removed."""
    one, two = [speech.thread(f"C0DIED{n}") for n in (1, 2)]
    half, mute = await speech.open(one), await speech.open(two)
    await speech.append(half, "half an answer")
    await speech.world.gateway.kill()
    await silence(speech, half, mute)
    await speech.world.start_gateway(SHORT)

    await expect_said(speech, one, (half, "half an answer"))
    assert ["sent"] == await speech.states(mute)
    await eventually(lambda: not speech.texts(two))


async def test_a_stream_whose_workspace_is_gone_has_failed(speech: Speech) -> None:
    """It says so, and does not wait for ever; nor does one that could not begin."""
    world, place = speech.world, speech.thread("C0LEFT")
    grown = await speech.open(place)
    await speech.append(grown, "half an answer")
    await speech.idle()
    world.slack.fail_next("chat.startStream", ARCHIVED)
    unbegun = await speech.open(place)
    await world.stores.provisioning.unbind(Platform.SLACK, TEAM)
    await world.gateway.kill()
    await silence(speech, grown, unbegun)
    await world.start_gateway(SHORT)

    assert ["failed", "failed"] == await speech.states(grown, unbegun)
    credential = Credential(bot_token=f"xoxb-{TEAM}", bot_user=f"U0BOT{TEAM[1:]}")
    await world.stores.provisioning.bind(ACME, Platform.SLACK, TEAM, credential)


async def test_dead_letters_of_every_kind_come_true_when_sent_again(speech: Speech) -> None:
    """The channel was archived: all failed, and the gateway said so. Then it is not any more."""
    slack, place = speech.world.slack, speech.channel("D0ARCHIVE")
    file = await speech.agent.upload("notes.txt", b"some notes")
    changed, removed = await speech.say(place, "old"), await speech.say(place, "to be removed")
    await speech.states(changed, removed)
    slack.fail_next("chat.postMessage", ARCHIVED, times=4)
    for method in ("chat.update", "chat.delete", "reactions.add", "files.completeUploadExternal"):
        slack.fail_next(method, ARCHIVED)
    dead = [
        await speech.say(place, LONG),
        await speech.edit(changed, "new"),
        await speech.remove(removed),
        await speech.react(changed),
        await speech.say(place, "", files=[file]),
    ]
    withdrawn = await speech.say(place, "never mind")
    assert ["failed"] * 6 == await speech.states(*dead, withdrawn)
    assert ["old", "to be removed"] == speech.texts(place)
    assert ["sent"] == await speech.states(await speech.remove(withdrawn))

    here = ("--conversation", place)
    replayed = await run_command(speech.world.environment(), "dlq", "replay", ACME, "--all", *here)
    assert {"replayed": 7, "gone": 1, "stopped": False} == replayed
    assert ["sent"] * 5 == await speech.states(*dead)
    long, *_, shared = [await speech.status(each) for each in dead]
    standing = [*(await speech.status(changed))["platform_ids"], *long["platform_ids"]]
    assert [*standing, *shared["platform_ids"]] == [each.ts for each in speech.seen(place)]
    assert ["new", *render(LONG), ""] == speech.texts(place)
    await run_command(
        speech.world.environment(), "dlq", "discard", ACME, f"{withdrawn}-1", "--reason", "unsaid"
    )
