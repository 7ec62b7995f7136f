"""Fills the gaps: what was said while nobody listened is read again and takes the ordinary road.

A gap is found by the mark that whoever listens renews every second, by a source that has been deaf,
or by a look into a history when all is suspiciously quiet. Which platform, it does not know. Must
never read with another workspace's credential, nor bring what is older than an hour.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import structlog

from gateway.attention import Origin
from gateway.core.clock import utc_now
from gateway.core.conversations import ConversationKind
from gateway.core.deliveries import Reason
from gateway.core.errors import QueueFullError, SendError, StoreError
from gateway.core.events import InboundEvent
from gateway.core.ids import Platform
from gateway.core.ports import Accept, Fallible, Recalls, Source, Spot
from gateway.missed import Memory, Missed
from gateway.store.cursors import Place
from gateway.store.tenants import BoundWorkspace
from gateway.telemetry.metrics import Metrics

log = structlog.get_logger()

_Heard: TypeAlias = dict[Spot, int]


@dataclass(frozen=True, slots=True)
class RecoveryRules:
    """What is a gap, and how much of it is filled.

    Without anybody listening for `gap_after_s` it is one; re-sends of the platform that come first
    do no harm. What is older than `oldest` stays unsaid. `spots` bounds how many channels and
    threads of a workspace are read. After `quiet_after_s` of silence one spot is looked at, and
    again as often; what is `settled_s` old and was not heard proves that nobody hears.
    `accept_every_s` keeps what is recovered below what a tenant may receive.
    """

    turn_every_s: float = 1.0
    gap_after_s: float = 10.0
    margin_s: float = 15.0
    oldest: timedelta = timedelta(hours=1)
    active_within: timedelta = timedelta(hours=24)
    spots: int = 50
    at_once: int = 4
    quiet_after_s: float = 20.0
    settled_s: float = 10.0
    looked_at: int = 10
    accept_every_s: float = 0.2
    read_tries: int = 5
    read_wait_s: float = 5.0
    full_tries: int = 30
    full_wait_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Ways:
    """How one platform is read again, and what listens to it; None where the platform calls."""

    recalls: Recalls
    source: Source | None = None

    @property
    def fallible(self) -> Fallible | None:
        """What listens, if it can be deaf."""
        listens: object = self.source
        return listens if isinstance(listens, Fallible) else None


class Recovery:
    """Finds gaps (`watch`) and fills them (`run`): two workers, for filling takes its time."""

    def __init__(
        self,
        memory: Memory,
        ways: Mapping[Platform, Ways],
        accept: Accept,
        metrics: Metrics,
        *,
        rules: RecoveryRules | None = None,
    ) -> None:
        """`accept` is what every adapter calls."""
        self._memory = memory
        self._ways = ways
        self._missed = Missed(memory, {name: each.recalls for name, each in ways.items()})
        self._metrics = metrics
        self._rules = rules or RecoveryRules()
        self.accept = memory.attention.watching(accept)
        self._due: dict[Platform, datetime] = {}
        self._woken = asyncio.Event()
        self._looks = 0

    async def watch(self) -> None:
        """Keep the marks, and find gaps, until cancelled. Raises StoreError."""
        try:
            while True:
                for platform, ways in self._ways.items():
                    await self._mark(platform, ways)
                await self._remember()
                await asyncio.sleep(self._rules.turn_every_s)
        finally:
            # On a stop: a successor knows then exactly how far this process came.
            await asyncio.shield(self._remember())

    async def run(self) -> None:
        """Fill what is due, and look around in a silence, until cancelled. Raises StoreError."""
        while True:
            try:
                async with asyncio.timeout(self._rules.quiet_after_s):
                    await self._woken.wait()
            except TimeoutError:
                await self._look_around()
            self._woken.clear()
            for platform, since in list(self._due.items()):
                await self._fill(platform, since)
                if self._due.get(platform) == since:
                    del self._due[platform]

    # -- gaps -----------------------------------------------------------------------------------

    async def _mark(self, platform: Platform, ways: Ways) -> None:
        source, fallible = ways.source, ways.fallible
        deaf_since = None if fallible is None else fallible.take_deaf_since()
        if deaf_since is not None:
            self._found_gap(platform, deaf_since, "deaf")
        if source is not None and source.health() is not None:
            return
        now = utc_now()
        before_ms = await self._memory.cursors.listening(platform, round(now.timestamp() * 1000))
        if before_ms is None:
            return
        before = datetime.fromtimestamp(before_ms / 1000, UTC)
        if now - before > timedelta(seconds=self._rules.gap_after_s):
            self._found_gap(platform, before, "nobody listened")

    def _found_gap(self, platform: Platform, since: datetime, why: str) -> None:
        since -= timedelta(seconds=self._rules.margin_s)
        log.warning("gap.found", platform=platform, since=since.isoformat(), why=why)
        self._due[platform] = min(since, self._due.get(platform, since))
        self._woken.set()

    async def _remember(self) -> None:
        taken = self._memory.attention.take()
        try:
            await asyncio.gather(*(self._remember_one(*each) for each in taken.items()))
        except StoreError:
            self._memory.attention.put_back(taken)
            raise

    async def _remember_one(self, origin: Origin, heard: _Heard) -> None:
        platform, workspace, enterprise = origin
        candidates = [each for each in (workspace, enterprise) if each is not None]
        binding = await self._memory.lookup.resolve(platform, candidates)
        if binding is not None:
            place = Place(binding.tenant.id, platform, workspace, enterprise)
            await self._memory.cursors.note(place, heard)

    # -- filling --------------------------------------------------------------------------------

    async def _fill(self, platform: Platform, since: datetime) -> None:
        now, rules = utc_now(), self._rules
        since = max(since, now - rules.oldest)
        places = await self._memory.cursors.places(platform, _us(now - rules.active_within))
        room = asyncio.Semaphore(rules.at_once)

        async def fill_one(place: Place) -> None:
            async with room:
                await self._fill_place(place, since)

        ends = await asyncio.gather(*map(fill_one, places), return_exceptions=True)
        for fault in filter(None, ends):
            raise fault

    async def _fill_place(self, place: Place, since: datetime) -> None:
        cursors = self._memory.cursors
        if not await cursors.claim(place):
            return
        try:
            for spot, heard_us in await cursors.spots(place, self._rules.spots):
                # What came after the gap says nothing about the gap.
                start = max(min(since, _moment(heard_us)), utc_now() - self._rules.oldest)
                if not await self._fill_spot(place, spot, start):
                    break
        finally:
            await cursors.release(place)

    async def _fill_spot(self, place: Place, spot: Spot, since: datetime) -> bool:
        """Fill the gap in one channel or thread; False when the place cannot be read any more."""
        bound = await self._missed.bound(place)
        if bound is None:
            return False
        try:
            missed = await self._read_patiently(bound, spot, since)
        except SendError as exc:
            log.warning("gap.unreadable", tenant_id=place.tenant, spot=spot.ref.id, error=str(exc))
            return exc.permanent and exc.reason is not Reason.NOT_INSTALLED
        for event in missed:
            if event.sent_at is None or event.sent_at < utc_now() - self._rules.oldest:
                continue
            # Asked each time: reading and pacing take minutes, and a workspace may change hands.
            now_bound = await self._missed.bound(place)
            if now_bound is None or now_bound.binding.epoch != bound.binding.epoch:
                return False
            if not await self._accept_patiently(event):
                return False
            self._metrics.events_recovered.labels(place.platform).inc()
            await asyncio.sleep(self._rules.accept_every_s)
        if missed:
            log.warning(
                "gap.filled", tenant_id=place.tenant, spot=spot.ref.id, messages=len(missed)
            )
        return True

    async def _read_patiently(
        self, bound: BoundWorkspace, spot: Spot, since: datetime
    ) -> list[InboundEvent]:
        """A platform that was away comes back a piece at a time. Raises SendError, StoreError."""
        for tried in range(1, self._rules.read_tries):
            try:
                return await self._missed.said(bound, spot, since)
            except SendError as exc:
                if exc.permanent:
                    raise
                await asyncio.sleep(tried * self._rules.read_wait_s)
        return await self._missed.said(bound, spot, since)

    async def _accept_patiently(self, event: InboundEvent) -> bool:
        for _ in range(self._rules.full_tries):
            try:
                await self.accept(event)
            except QueueFullError:
                await asyncio.sleep(self._rules.full_wait_s)
            else:
                return True
        log.error("gap.left", conversation=event.conversation.id, reason="the queue stays full")
        return False

    # -- looking around -------------------------------------------------------------------------

    async def _look_around(self) -> None:
        if self._memory.attention.silent_s < self._rules.quiet_after_s:
            return
        for platform in self._ways:
            await self._look(platform)

    async def _look(self, platform: Platform) -> None:
        """Look at one of the spots where something may well have been said. It is one call."""
        now, rules = utc_now(), self._rules
        places = await self._memory.cursors.places(platform, _us(now - rules.active_within))
        if not places:
            return
        self._looks += 1
        place = places[self._looks % min(len(places), rules.looked_at)]
        spots = await self._memory.cursors.spots(place, rules.looked_at)
        bound = await self._missed.bound(place)
        if bound is None or not spots:
            return
        spot, heard_us = spots[self._looks // len(places) % len(spots)]
        since = max(_moment(heard_us), now - rules.oldest)
        try:
            missed = await self._missed.said(bound, spot, since)
        except SendError as exc:
            log.info("look.failed", tenant_id=place.tenant, spot=spot.ref.id, error=str(exc))
            return
        if any(self._should_have_come(event) for event in missed):
            fallible = self._ways[platform].fallible
            if fallible is not None:
                fallible.condemn()
            self._found_gap(platform, since, "something was said that never came")

    def _should_have_come(self, event: InboundEvent) -> bool:
        """Whether any app hears of this; an app that subscribes to mentions alone hears no more."""
        is_aimed = event.mentioned or event.conversation_kind is ConversationKind.DIRECT
        settled = utc_now() - timedelta(seconds=self._rules.settled_s)
        return is_aimed and event.sent_at is not None and event.sent_at < settled


def _us(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


def _moment(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us / 1_000_000, UTC)
