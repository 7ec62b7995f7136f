"""Finds sockets that are open, answer pings, and are deaf: the most reported fault of Socket Mode.

Nothing on the wire tells a deaf socket from one in a quiet workspace, so this goes by what is
unlikely, and takes it into account that a successor costs one call and no event. Judges, and opens
or closes nothing. https://docs.slack.dev/apis/events-api/using-socket-mode/ : "each payload may be
sent to any of them".
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from adapters.slack.config import SlackConfig
from adapters.slack.connection import Connection
from adapters.slack.frames import EVENTS_API, Envelope
from adapters.slack.observer import SocketObserver
from gateway.core.clock import utc_now
from gateway.core.events import Ignored

_log = logging.getLogger(__name__)

OWN_WISH: Final = frozenset({"planned", "quiet"})
"""Replaced as a precaution: when there is no successor to be had, it goes on."""

DEAF: Final = frozenset({"missed", "silent", "uncounted", "unheard"})
"""Held to be deaf: what Slack sent it may be lost."""

_CHANCE: Final = 1e-6
"""That a socket which hears is held to be silent."""

_MISSED_REST_S: Final = 30.0
_SILENT_AT_ONCE: Final = 4
_SILENT_EVERY_S: Final = 120.0
_REMEMBERED: Final = 10_000


@dataclass(slots=True, eq=False)
class Watched:
    """An open connection, and when it brought something last. Times are those of the loop."""

    connection: Connection
    slot: int
    opened_at_s: float
    heard_at_s: float
    heard_before: int
    old_at_s: float

    @property
    def is_wanted(self) -> bool:
        """Whether it has no successor yet, and needs none."""
        return not self.connection.retired.is_set()


class Budget:
    """So many at once, and then one every so often."""

    def __init__(self, at_once: int, every_s: float, now_s: float) -> None:
        self._most = float(at_once)
        self._every_s = every_s
        self._left = self._most
        self._at_s = now_s

    def spend(self, now_s: float) -> bool:
        """Take one; False when none is left."""
        self._left = min(self._most, self._left + (now_s - self._at_s) / self._every_s)
        self._at_s = now_s
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class Watch:
    """Knows all open connections of one source."""

    def __init__(self, config: SlackConfig, observer: SocketObserver) -> None:
        self._config = config
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._open: dict[Connection, Watched] = {}
        self._silences: dict[int, float] = {}
        self._heard = 0
        self._heard_at_s = self._loop.time()
        self._missed_rest_until_s = 0.0
        self._precautions = Budget(config.quiet_at_once, config.quiet_every_s, self._heard_at_s)
        self._silent = Budget(_SILENT_AT_ONCE, _SILENT_EVERY_S, self._heard_at_s)
        self._known: tuple[set[object], set[object]] = (set(), set())
        self._counted = 0
        self._deaf_since: datetime | None = None

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._config.watch_every_s)
            self.look()

    def opened(self, connection: Connection, slot: int) -> None:
        """Begin to watch a connection."""
        now_s = self._loop.time()
        lasting_s = self._config.max_age_s * random.uniform(0.75, 1.25)  # noqa: S311 - jitter
        self._compare(connection.counted)
        self._open[connection] = Watched(
            connection=connection,
            slot=slot,
            opened_at_s=now_s,
            heard_at_s=now_s,
            heard_before=self._heard,
            old_at_s=now_s + lasting_s,
        )
        self._silences.setdefault(slot, now_s)

    def closed(self, connection: Connection) -> None:
        """Watch it no more."""
        self._open.pop(connection, None)

    def spared(self, connection: Connection) -> None:
        """It goes on, for there is no successor: not to be judged anew at once."""
        watched = self._open[connection]
        watched.old_at_s = self._loop.time() + self._config.quiet_every_s

    def heard(self, connection: Connection, frame: Envelope | Ignored) -> None:
        """Note what a connection brought."""
        if isinstance(frame, Ignored):
            return
        now_s = self._loop.time()
        self._heard += 1
        self._heard_at_s = now_s
        watched = self._open.get(connection)
        if watched is not None:
            watched.heard_at_s, watched.heard_before = now_s, self._heard
            self._silences[watched.slot] = now_s
        if frame.type == EVENTS_API and isinstance(frame.payload, dict):
            self._note(connection, frame, frame.payload.get("event_id"))

    def look(self) -> None:
        """Judge every connection."""
        now_s = self._loop.time()
        for slot, heard_at_s in self._silences.items():
            self._observer.silence(slot, now_s - heard_at_s)
        wanted = self._wanted()
        for each in wanted:
            # Were events not dealt out by chance after all, this would never end.
            if self._is_silent(each, len(wanted)) and self._silent.spend(now_s):
                self._retire("silent", [each])
        self._retire("planned", (each for each in wanted if now_s >= each.old_at_s))
        if self._is_quiet(now_s):
            self._heard_at_s = now_s
            self._retire("quiet", wanted)

    def condemn(self) -> None:
        """Replace all: it is known that there was something to hear."""
        self._retire("unheard", self._wanted())

    def take_deaf_since(self) -> datetime | None:
        """Tell, once, since when a connection may have been deaf that was held to be."""
        since, self._deaf_since = self._deaf_since, None
        return since

    def _wanted(self) -> list[Watched]:
        return [each for each in self._open.values() if each.is_wanted]

    def _is_silent(self, watched: Watched, of: int) -> bool:
        if of < 2 or self._loop.time() - watched.heard_at_s < self._config.silent_after_s:
            return False
        # How many others may bring something in a row before it is no chance any more.
        most = math.log(_CHANCE) / math.log((of - 1) / of)
        return self._heard - watched.heard_before >= most

    def _is_quiet(self, now_s: float) -> bool:
        """Whether nothing has come for so long that a precaution is due. A workspace may well sleep
        for a night, hence only so many of them.
        """
        if not self._wanted() or now_s - self._heard_at_s < self._config.quiet_after_s:
            return False
        return self._precautions.spend(now_s)

    def _note(self, connection: Connection, envelope: Envelope, event_id: object) -> None:
        recent, older = self._known
        if not isinstance(event_id, str) or event_id in recent or event_id in older:
            return
        recent.add(event_id)
        if len(recent) >= _REMEMBERED:
            self._known = (set(), recent)
        if envelope.retry:
            self._missed(connection, envelope.retry)

    def _missed(self, bringer: Connection, retry: int) -> None:
        """An event comes again that never came: whoever was open and silent may have lost it."""
        now_s = self._loop.time()
        resends_after_s = self._config.resends_after_s
        if now_s < self._missed_rest_until_s or not resends_after_s:
            return
        before_s = now_s - resends_after_s[min(retry, len(resends_after_s)) - 1]
        suspects = [
            each
            for each in self._wanted()
            if each.connection is not bringer and each.heard_at_s <= before_s
        ]
        if suspects:
            # It may be another process that does not acknowledge, which no successor of ours cures.
            self._missed_rest_until_s = now_s + _MISSED_REST_S
            self._retire("missed", suspects)

    def _compare(self, counted: int) -> None:
        """Compare Slack's count with ours; `counted` includes the connection that brings it."""
        wanted = self._wanted()
        ours = len(wanted) + 1
        if not counted:
            return
        self._observer.counted(counted)
        if counted > len(self._open) + 1 and counted != self._counted:
            _log.warning(
                "Slack counts %d sockets of this app and this process has %d: unless another "
                "replica has the rest, somebody else with the same app token takes events away",
                counted,
                len(self._open) + 1,
            )
        self._counted = counted
        if counted < ours:
            _log.warning("Slack counts %d sockets, and %d are open here", counted, ours)
            if self._precautions.spend(self._loop.time()):
                self._retire("uncounted", wanted)

    def _retire(self, reason: str, those: Iterable[Watched]) -> None:
        now_s = self._loop.time()
        for each in those:
            if not each.is_wanted:
                continue
            silent_s = now_s - each.heard_at_s
            if reason in DEAF:
                since = utc_now() - timedelta(seconds=silent_s)
                self._deaf_since = min(filter(None, (self._deaf_since, since)))
            level = logging.WARNING if reason in DEAF else logging.INFO
            _log.log(level, "Slack socket %d is replaced: %s", each.slot, reason)
            each.connection.retire(reason)
