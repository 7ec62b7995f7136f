"""A Slack stand-in on the real wire, and a source that listens to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import aiohttp
import msgspec
import pytest

from adapters.slack.config import SlackConfig
from adapters.slack.sender import SlackSender
from adapters.slack.source import SlackSource
from gateway.core.events import Ignored, InboundEvent
from gateway.sandbox.slack import SlackRules, SlackSandbox
from tests.support.waiting import eventually

TEAM, CHANNEL, ANN = "T0AAAA", "C0GENERAL", "U0ANN"
QUICK = SlackRules(
    redelivery_delays_s=(0.0, 0.02, 0.05),
    ping_interval_s=0.1,
    disconnect_grace_s=0.2,
    echo_own_messages=False,
    post_rate=None,
)
HASTY = replace(QUICK, ack_deadline_s=0.1)
"""For tests of what follows a missed deadline; the others cannot miss it."""


class Door:
    """The gateway's door as the source sees it: `accept`, `ignore` and what the observer hears."""

    def __init__(self) -> None:
        self.entered: list[InboundEvent] = []
        self.accepted: list[InboundEvent] = []
        self.ignored: list[Ignored] = []
        self.faults: list[Exception] = []
        self.open = asyncio.Event()
        self.open.set()
        self.most_at_once = 0
        self.open_sockets: list[int] = []
        self.ends: list[str] = []
        self.frames: list[str] = []
        self.unacknowledged: list[str] = []
        self.counts: list[int] = []
        self.silences: dict[int, float] = {}
        self.answers_s: list[float] = []

    async def accept(self, event: InboundEvent) -> None:
        """Take an event in once the door is open, or fail as planned."""
        self.entered.append(event)
        self.most_at_once = max(self.most_at_once, len(self.entered) - len(self.accepted))
        if self.faults:
            raise self.faults.pop(0)
        await self.open.wait()
        self.accepted.append(event)

    def ignore(self, ignored: Ignored) -> None:
        """Note a frame that is no event."""
        self.ignored.append(ignored)

    def connected(self, open_sockets: int) -> None:
        """Note how many sockets are open."""
        self.open_sockets.append(open_sockets)

    def disconnected(self, reason: str) -> None:
        """Note why a socket ended."""
        self.ends.append(reason)

    def counted(self, sockets: int) -> None:
        """Note how many sockets Slack counts."""
        self.counts.append(sockets)

    def answered(self, after_s: float) -> None:
        """Note that a ping was answered."""
        self.answers_s.append(after_s)

    def silence(self, slot: int, lasting_s: float) -> None:
        """Note how long a slot has been silent."""
        self.silences[slot] = lasting_s

    def frame(self, kind: str) -> None:
        """Note a frame."""
        self.frames.append(kind)

    def unacked(self, reason: str) -> None:
        """Note an envelope that was left alone."""
        self.unacknowledged.append(reason)

    @property
    def texts(self) -> list[str]:
        """What was said, in the order in which it was let in."""
        return [event.text for event in self.accepted]


class Listening:
    """A source that runs in a task of its own."""

    def __init__(self, config: SlackConfig, door: Door) -> None:
        self.source = SlackSource(config, ignore=door.ignore, observe=door)
        self._task = asyncio.create_task(self.source.run(door.accept))

    @property
    def health(self) -> str | None:
        """What the source says of itself."""
        return self.source.health()

    @property
    def has_ended(self) -> bool:
        """Whether `run` has returned."""
        return self._task.done()

    def begin_stop(self) -> None:
        """Cancel the source and do not wait."""
        self._task.cancel()

    async def stop(self) -> None:
        """Cancel the source and wait for its end."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


Listen = Callable[..., Listening]


@pytest.fixture
async def slack(request: pytest.FixtureRequest) -> AsyncIterator[SlackSandbox]:
    """One team with one channel. Its parameter is its rules."""
    async with SlackSandbox(rules=getattr(request, "param", QUICK)) as sandbox:
        sandbox.add_team(TEAM)
        sandbox.add_channel(TEAM, CHANNEL)
        yield sandbox


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """One HTTP session for a test."""
    async with aiohttp.ClientSession() as client_session:
        yield client_session


@pytest.fixture
def door() -> Door:
    """An open door."""
    return Door()


@pytest.fixture
def config(slack: SlackSandbox) -> SlackConfig:
    """The adapter pointed at the stand-in, with waits short enough for tests."""
    return SlackConfig(
        app_token=slack.app_token,
        api_base_url=slack.base_url,
        backoff_base_s=0.01,
        backoff_cap_s=0.05,
        refused_retry_s=0.05,
        linger_s=2.0,
    )


@pytest.fixture
def sender(config: SlackConfig, session: aiohttp.ClientSession) -> SlackSender:
    """The sender, pointed at the stand-in."""
    return SlackSender(config, session)


@pytest.fixture
async def listen(config: SlackConfig, door: Door) -> AsyncIterator[Listen]:
    """Start a source, with changed settings if any are given; it is stopped after the test."""
    begun: list[Listening] = []

    def start(**changes: object) -> Listening:
        changed = msgspec.structs.replace(config, **changes)
        begun.append(Listening(changed, door))
        return begun[-1]

    yield start
    door.open.set()
    for listening in begun:
        await listening.stop()


@pytest.fixture
async def listening(slack: SlackSandbox, listen: Listen) -> Listening:
    """A source with both of its sockets open."""
    begun = listen()
    await slack.wait_for_sockets(2, 5)
    await eventually(lambda: begun.health is None)
    return begun
