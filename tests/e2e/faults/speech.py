"""An agent that says everything there is to say while something breaks, and the judge of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import count
from typing import Any

import aiohttp

from adapters.slack.outbound import render
from gateway.core.audit import AuditAction
from gateway.core.deliveries import Direction
from gateway.demo.world import Company, World
from gateway.sandbox.slack import Message
from gateway.store.connection import run, run_everywhere
from plugin_bridge.client import AgentClient
from tests.e2e.faults.load import ACME, AMPLE, GLOBEX, QUICK, SHORT, team_of
from tests.support.conservation import ENDS
from tests.support.evidence import account, idle, records
from tests.support.slack import shown
from tests.support.waiting import eventually

TEAM = team_of(ACME)
ANNA = "U0ANNA"
LONG = "\n\n".join(letter * 9_000 for letter in "abc")
"""Three parts, whatever is in front of it."""

_OF_WORK = (
    ":out:lane:", ":out:ready", ":out:attempts", ":stream", ":sched:out", ":ring:out",
    ":inflight:out", ":active:out",
)  # fmt: skip
_ENDLESS = (":in", ":out", ":ledger", ":dead", ":dead:ids", ":direct")
"""What each tenant has one of, or none. A stream of Redis stays when it is empty."""


def quiet_companies() -> list[Company]:
    """Two tenants whose agents say nothing by themselves."""
    return [
        Company(
            tenant=tenant,
            team=team_of(tenant),
            name=tenant.title(),
            reply=lambda _: None,
            limits=AMPLE,
            retry=QUICK,
        )
        for tenant in (ACME, GLOBEX)
    ]


Asked = tuple[str, str, dict[str, object] | None]
"""A request: verb, path, body."""


def saying(place: str, text: str, **more: object) -> Asked:
    """A message."""
    return "POST", "/v1/messages", {"conversation": place, "text": text, **more}


def opening(place: str) -> Asked:
    """The begin of a stream."""
    return "POST", "/v1/streams", {"conversation": place, "recipient": ANNA}


def ending(stream: str, text: str | None = None) -> Asked:
    """The end of a stream; without a text it ends with what it has."""
    return "POST", f"/v1/streams/{stream}/finish", {} if text is None else {"text": text}


@dataclass
class Speech:
    """ACME's agent, which is always told where the gateway is now."""

    world: World
    session: aiohttp.ClientSession
    _keys: count[int]

    @property
    def agent(self) -> AgentClient:
        """Its way to speak."""
        return AgentClient(self.world.gateway.agent_api, self.world.keys[ACME], self.session)

    def channel(self, channel_id: str) -> str:
        """Open a channel to the bot; gives the conversation in it."""
        self.world.slack.add_channel(TEAM, channel_id)
        return f"slack:{TEAM}:{channel_id}"

    def thread(self, channel_id: str) -> str:
        """Ask something in a channel; gives the conversation in the thread below it."""
        root = self.world.slack.say(TEAM, channel_id, ANNA, "a question")
        return f"slack:{TEAM}:{channel_id}:{root}"

    def key(self) -> str:
        """A key that no request has had."""
        return f"key-{next(self._keys)}"

    async def ask(self, asked: Asked, *, key: str | None = None) -> str:
        """Make one request; gives the id of what was accepted."""
        verb, path, body = asked
        return str((await self.agent.request(verb, path, body, key=key or self.key()))["id"])

    async def say(self, place: str, text: str, **more: object) -> str:
        """Send a message; gives its id."""
        return await self.ask(saying(place, text, **more))

    async def edit(self, message: str, text: str) -> str:
        """Give a message another text; gives the id of the change."""
        return await self.ask(("PATCH", f"/v1/messages/{message}", {"text": text}))

    async def remove(self, message: str) -> str:
        """Delete a message; gives the id of the change."""
        return await self.ask(("DELETE", f"/v1/messages/{message}", None))

    async def react(self, message: str, emoji: str = "🎉") -> str:
        """Put an emoji on a message; gives the id of the change."""
        return await self.ask(("POST", f"/v1/messages/{message}/reactions", {"emoji": emoji}))

    async def open(self, place: str) -> str:
        """Begin a stream; gives its id."""
        return await self.ask(opening(place))

    async def append(self, stream: str, text: str) -> None:
        """Let it grow to this text."""
        await self.ask(("POST", f"/v1/streams/{stream}/append", {"text": text}))

    async def end(self, stream: str, text: str | None = None) -> str:
        """Finish it; gives its id."""
        return await self.ask(ending(stream, text))

    async def status(self, request: str) -> dict[str, Any]:
        """What the gateway tells of a request."""
        return await self.agent.status(request)

    async def ended(self, request: str, *, timeout_s: float = 30) -> dict[str, Any]:
        """What became of a request, once it has."""

        async def over() -> dict[str, Any] | None:
            status = await self.status(request)
            return None if status["status"] == "queued" else status

        return dict(await eventually(over, timeout_s=timeout_s))

    async def idle(self) -> None:
        """Wait until nothing is on its way."""
        await eventually(lambda: idle(self.world), timeout_s=30)

    async def states(self, *requests: str) -> list[str]:
        """What became of requests, in a word each."""
        return [(await self.ended(each))["status"] for each in requests]

    def seen(self, place: str) -> list[Message]:
        """What the bot has said in a conversation, in the order of Slack."""
        channel, _, thread = place.partition(f"{TEAM}:")[2].partition(":")
        messages = self.world.slack.bot_messages(TEAM, channel)
        return [each for each in messages if (each.thread_ts or "") == thread]

    def texts(self, place: str) -> list[str]:
        """The texts that stand there."""
        return [shown(each) for each in self.seen(place)]

    async def shown(self, place: str, text: str, *, timeout_s: float = 15) -> None:
        """Wait until something that stands there holds this text."""
        await eventually(
            lambda: any(text in each for each in self.texts(place)), timeout_s=timeout_s
        )

    async def stands(self, place: str, markdown: str) -> None:
        """Wait until this and nothing else stands there."""
        await eventually(lambda: self.texts(place) == render(markdown), timeout_s=30)

    def calls(self, method: str) -> int:
        """How often Slack has been called by this method since the world began."""
        return [each.method for each in self.world.slack.requests].count(method)

    async def called(self, method: str, times: int = 1) -> None:
        """Wait until it has been so often."""
        await eventually(lambda: self.calls(method) >= times, timeout_s=15)


async def restart(speech: Speech) -> None:
    """kill -9, and another one."""
    await speech.world.gateway.kill()
    await speech.world.start_gateway(SHORT)


async def expect_said(speech: Speech, place: str, *said: tuple[str, str]) -> None:
    """These messages stand there, each once, whole and in this order, and nothing else does; and
    the gateway says so of each: its id, its Markdown.
    """
    statuses = [await speech.ended(message) for message, _ in said]
    texts = [part for _, markdown in said for part in render(markdown)]
    ids = [each for status in statuses for each in status["platform_ids"]]
    assert ["sent"] * len(said) == [status["status"] for status in statuses], statuses
    assert texts == speech.texts(place)
    assert [each.ts for each in speech.seen(place)] == ids


async def expect_peace(speech: Speech) -> None:
    """Nothing is on its way; law 7 holds, by the audit log alone; nothing is left in Redis."""
    await speech.idle()
    trail = [each for each in await records(speech.world) if each.direction == Direction.OUTBOUND]
    found = account(trail, Direction.OUTBOUND)
    assert 0 == found.on_its_way, found
    ends = Counter[str]()
    for record in trail:
        ends[record.delivery_id] += ENDS.get(record.action, 0)
    discarded = [r for r in trail if r.action is AuditAction.DEAD_LETTER_DISCARDED]
    assert found.accepted == ends.total(), discarded
    assert {0, 1} >= set(ends.values())
    assert [] == await leftovers(speech.world)
    assert [] == speech.world.slack.bot_messages(team_of(GLOBEX), "D0ANNA")


async def leftovers(world: World) -> list[str]:
    """Keys of Redis that should have gone with what they were for: any of an open stream or of a
    delivery, and those of a tenant that have no end.
    """
    [keys] = await run_everywhere(world.stores.redis, "KEYS", "*")
    names = sorted(each.decode() for each in keys)
    # How a message stood that was removed just as it began is forgotten by itself.
    working = [each for each in names if not each.endswith(":standing")]
    left = [each for each in working if any(part in each for part in _OF_WORK)]
    others = [each for each in names if f":t:{ACME}:" in each and each not in left]
    spans_ms = [await run(world.stores.redis, "PTTL", name) for name in others]
    endless = [name for name, span_ms in zip(others, spans_ms, strict=True) if span_ms == -1]
    return left + [name for name in endless if not name.endswith(_ENDLESS)]
