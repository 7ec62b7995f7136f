"""What agents say, while everything breaks: said once and in order, or known not to be.

All tests share one world, and each has places of its own in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.sandbox.process import GatewayProcess
from gateway.sandbox.slack import ApiError, HttpStatus, RateLimited, ResetAfter, ResetBefore, Slow
from gateway.store.connection import run
from gateway.store.keys import shard_of
from gateway.store.leases import EGRESS
from tests.e2e.faults.load import ACME, SHORT
from tests.e2e.faults.speech import (
    ANNA,
    LONG,
    TEAM,
    Speech,
    expect_said,
    restart,
)
from tests.support.evidence import metric
from tests.support.link import Link, open_link
from tests.support.own_servers import OwnServer
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e

HELD_S = 60.0
"""Longer than any test lasts."""
ARCHIVED = ApiError("is_archived")
LATE = Slow(0.5)
"""Long enough to break something meanwhile."""


async def test_posts_survive_a_kill(speech: Speech) -> None:
    """In the middle of a split answer; of a file before Slack was asked to show it, after it did,
    and in between, where nobody can know.
    """
    slack, split = speech.world.slack, speech.channel("D0SPLIT")
    brought, shown, asked = [speech.channel(f"D0{each}") for each in ("BROUGHT", "SHOWN", "ASKED")]
    file = await speech.agent.upload("notes.txt", b"some notes")

    slack.fail_next("chat.postMessage", Slow(0))
    slack.fail_next("chat.postMessage", ResetAfter(HELD_S))
    long, after = await speech.say(split, LONG), await speech.say(split, "and then")
    await eventually(lambda: len(speech.texts(split)) == 2)
    slack.fail_next("upload", ResetAfter(HELD_S))
    files = [await speech.say(brought, "", files=[file])]
    await eventually(lambda: slack.files and slack.files[-1].content)
    for place, fault in ((shown, ResetAfter(HELD_S)), (asked, ResetBefore(HELD_S))):
        calls = speech.calls("files.completeUploadExternal")
        slack.fail_next("files.completeUploadExternal", fault)
        files.append(await speech.say(place, "", files=[file]))
        await speech.called("files.completeUploadExternal", calls + 1)
    await restart(speech)

    await expect_said(speech, split, (long, LONG), (after, "and then"))
    assert ["sent", "sent", "unknown"] == await speech.states(*files)
    assert [1, 1, 0] == [len(speech.seen(each)) for each in (brought, shown, asked)]


async def test_streams_survive_a_kill(speech: Speech) -> None:
    """After the start, in the middle of it and of an append, before the finish and after it."""
    slack = speech.world.slack
    names = ("STARTED", "APPENDED", "FINISHING", "FINISHED")
    places = {name: speech.thread(f"C0{name}") for name in names}
    streams = {name: await speech.open(place) for name, place in places.items()}
    for name in ("APPENDED", "FINISHING", "FINISHED"):
        await speech.append(streams[name], "Let me see")
    for name in ("APPENDED", "FINISHING", "FINISHED"):
        await speech.shown(places[name], "Let me see")

    slack.fail_next("chat.appendStream", ResetAfter(HELD_S))
    await speech.append(streams["APPENDED"], "Let me see: the pump")
    await speech.shown(places["APPENDED"], "the pump")
    for name, fault in (("FINISHED", ResetAfter(HELD_S)), ("FINISHING", ResetBefore(HELD_S))):
        slack.fail_next("chat.stopStream", fault)
        calls = speech.calls("chat.stopStream")
        await speech.end(streams[name], "the *end*")
        await speech.called("chat.stopStream", calls + 1)
    slack.fail_next("chat.startStream", ResetAfter(HELD_S))
    places["STARTING"] = speech.thread("C0STARTING")
    streams["STARTING"] = await speech.open(places["STARTING"])
    await eventually(lambda: speech.seen(places["STARTING"]))
    await restart(speech)

    await speech.append(streams["STARTING"], "Let me see: the motor")
    for name in ("STARTED", "STARTING", "APPENDED"):
        await speech.end(streams[name], "the *end*")
    for name, place in places.items():
        await expect_said(speech, place, (streams[name], "the *end*"))


async def start_pair(speech: Speech, links: Sequence[Link]) -> tuple[GatewayProcess, Link]:
    """Two gateways that share the work; gives the one that speaks for ACME, and its wire."""
    world = speech.world
    await world.gateway.stop()
    before = len(world.gateways)
    pair = [await world.start_gateway({**SHORT, "REDIS_URL": link.url}) for link in links]
    lease = shard_of(ACME, world.settings.shards).lease(EGRESS)

    async def owner() -> tuple[GatewayProcess, Link] | None:
        owned = [await metric(each, "gateway_shards_owned", role=EGRESS) for each in pair]
        token = str(await run(world.stores.redis, "GET", lease))
        found = (each for each in zip(pair, links, strict=True) if f"-{each[0].pid}-" in token)
        return next(found, None) if owned == [8, 8] else None

    paused, link = await eventually(owner, timeout_s=15)
    # Asked is the other one, as it is the last one.
    world.gateways[before:] = [paused, *(each for each in pair if each is not paused)]
    return paused, link


async def test_a_paused_replica_says_nothing_twice(
    speech: Speech, speech_redis: OwnServer, tmp_path: Path
) -> None:
    """SIGSTOP for longer than the lease: in the middle of a post and of a stream's finish, and
    between its last look at Redis and the post. Its successor has said it, and more.
    """
    slack = speech.world.slack
    posted, looked = speech.channel("D0PAUSED"), speech.channel("D0LOOKED")
    finished = speech.thread("C0PAUSED")
    async with (
        open_link(tmp_path, speech_redis.url) as one,
        open_link(tmp_path, speech_redis.url) as two,
    ):
        paused, link = await start_pair(speech, (one, two))
        stream = await speech.open(finished)
        await speech.append(stream, "Let me see")
        await speech.shown(finished, "Let me see")

        slack.fail_next("chat.postMessage", ResetAfter(1))
        message = await speech.say(posted, "first")
        await eventually(lambda: speech.seen(posted))
        slack.fail_next("chat.stopStream", ResetAfter(1))
        calls = speech.calls("chat.stopStream")
        await speech.end(stream, "the *end*")
        await speech.called("chat.stopStream", calls + 1)
        link.hold_at(b"ws:")
        unsaid = await speech.say(looked, "only once")
        await eventually(lambda: link.is_holding)
        paused.pause()
        change = await speech.edit(stream, "the *very* end")
        after = await speech.say(looked, "second")
        await expect_said(speech, looked, (unsaid, "only once"), (after, "second"))
        await link.release()
        paused.resume()
        await eventually(lambda: any(e["event"] == "lease.lost" for e in paused.logs))

        assert ["sent"] == await speech.states(change)
        await expect_said(speech, posted, (message, "first"))
        await expect_said(speech, looked, (unsaid, "only once"), (after, "second"))
        await expect_said(speech, finished, (stream, "the *very* end"))
        for each in speech.world.gateways[-2:]:
            await each.stop()


async def sayings(speech: Speech, name: str) -> list[tuple[str, str, str]]:
    """Say everything in places named so: a split answer, an edit of a message, a stream. Gives
    where, the message, and what it says in the end.
    """
    split, edited = speech.channel(f"D0{name}SPLIT"), speech.channel(f"D0{name}EDITED")
    grown = speech.thread(f"C0{name}GROWN")
    stream = await speech.open(grown)
    message = await speech.say(edited, "old")
    long = await speech.say(split, f"{name}\n\n{LONG}")
    await speech.append(stream, "Let me see")
    await speech.edit(message, "*new*")
    await speech.end(stream, "the *end*")
    return [
        (split, long, f"{name}\n\n{LONG}"),
        (edited, message, "*new*"),
        (grown, stream, "the *end*"),
    ]


async def expect_sayings(speech: Speech, said: list[tuple[str, str, str]]) -> None:
    """All of that stands there, once."""
    for place, message, text in said:
        await speech.stands(place, text)
        await expect_said(speech, place, (message, text))


async def test_a_redis_that_fails_in_the_middle_doubles_nothing(
    speech: Speech, speech_redis: OwnServer, tmp_path: Path
) -> None:
    """Full, killed, its answers lost: each while Slack has been called and has not answered."""
    world, slack = speech.world, speech.world.slack
    async with open_link(tmp_path, speech_redis.url) as link:
        await world.gateway.stop()
        await world.start_gateway({**SHORT, "REDIS_URL": link.url})

        async def restarted() -> None:
            await speech_redis.kill()
            await speech_redis.start()

        async def full() -> None:
            await run(world.stores.redis, "CONFIG", "SET", "maxmemory", 1)
            await eventually(
                lambda: "gateway_fault" in {each.get("reason") for each in world.gateway.logs}
            )
            await run(world.stores.redis, "CONFIG", "SET", "maxmemory", 0)

        async def unheard() -> None:
            link.mute()
            await eventually(lambda: link.lost > 3)
            link.cut()
            link.mend()

        for fault in (full, restarted, unheard):
            for method in ("chat.postMessage", "chat.startStream", "chat.update"):
                slack.fail_next(method, LATE)
            calls = speech.calls("chat.startStream")
            said = await sayings(speech, fault.__name__.upper())
            await speech.called("chat.startStream", calls + 1)
            await fault()
            await expect_sayings(speech, said)
        await world.gateway.stop()


METHODS = (
    "chat.postMessage", "chat.postEphemeral", "chat.update", "chat.delete", "reactions.add",
    "chat.startStream", "chat.appendStream", "chat.stopStream", "conversations.replies",
    "conversations.history", "files.getUploadURLExternal", "files.completeUploadExternal",
    "files.info", "upload",
)  # fmt: skip
FAULTS = (HttpStatus(500), RateLimited(1), ResetAfter())
SPOKEN = 6


async def test_a_slack_that_fails_at_everything_shows_all_once(speech: Speech) -> None:
    """Every method that is used fails in every way, storms of 429 among them."""
    slack = speech.world.slack
    for method in METHODS:
        for fault in FAULTS:
            slack.fail_next(method, fault)
    file = await speech.agent.upload("notes.txt", b"some notes")

    said, changes, files, whispers = [], [], [], []
    for number in range(SPOKEN):
        said += await sayings(speech, f"STORM{number}")
        place = speech.channel(f"D0GONE{number}")
        message = await speech.say(place, "to be removed")
        changes += [await speech.react(message), await speech.remove(message)]
        files.append((place, await speech.say(place, "", files=[file])))
        whispers.append(await speech.say(place, "psst", visible_to=ANNA))
    await expect_sayings(speech, said)

    assert {"sent"} == set(await speech.states(*changes))
    for place, message in files:
        [state] = await speech.states(message)
        seen = [bool(each.files) for each in speech.seen(place)]
        # Slack cannot be asked whether a file is on its way: then nobody knows.
        assert (state, seen) in [("sent", [True]), ("unknown", [True]), ("unknown", [])]
    assert {"sent", "unknown"} >= set(await speech.states(*whispers))
    shown = Counter(len(slack.ephemerals(TEAM, f"D0GONE{n}")) for n in range(SPOKEN))
    assert {0, 1} >= set(shown)
