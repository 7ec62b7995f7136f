"""Listens to Slack over Socket Mode for as long as it runs, whatever Slack does to its sockets.

The SDK's client is not used: after one failed handshake it tries the same dead URL for ever, and it
reconnects without a pause when Slack hangs up at once. https://docs.slack.dev/apis/events-api/using-socket-mode/
"""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass
from datetime import datetime

import aiohttp

from adapters.slack.authorizations import Authorizations
from adapters.slack.config import SlackConfig
from adapters.slack.connection import REFUSALS, Ack, ConnectFailedError, Connection
from adapters.slack.dialogs import Dialogs
from adapters.slack.frames import Envelope
from adapters.slack.intake import Intake
from adapters.slack.observer import SocketObserver, Unobserved
from adapters.slack.reception import Reception
from adapters.slack.watch import DEAF, OWN_WISH, Watch
from gateway.core.events import Ignored
from gateway.core.ports import Accept, Ignore

_log = logging.getLogger(__name__)


class SlackSource:
    """A Source: `sockets` slots, each of which always has a connection or is about to get one."""

    def __init__(
        self,
        config: SlackConfig,
        *,
        ignore: Ignore,
        observe: SocketObserver | None = None,
        dialogs: Dialogs | None = None,
        authorizations: Authorizations | None = None,
    ) -> None:
        self._config = config
        self._ignore = ignore
        self._dialogs = dialogs
        self._authorizations = authorizations
        self._observer = observe or Unobserved()
        # One at a time: slots that reconnect together would be deaf together.
        self._dialling = asyncio.Lock()
        self._open: set[Connection] = set()
        self._readers: set[asyncio.Task[None]] = set()
        self._trouble = "not started"
        self._watch: Watch | None = None

    async def run(self, accept: Accept) -> None:
        """Listen until cancelled. Then reading stops at once, and commits under way get `drain_s`
        to end and be acknowledged before the sockets close.
        """
        reception = Reception(
            accept,
            self._ignore,
            dialogs=self._dialogs,
            authorizations=self._authorizations,
            command_reply=self._config.command_reply,
        )
        intake = Intake(reception, self._observer, max_in_flight=self._config.max_in_flight)
        self._watch = watch = Watch(self._config, self._observer)
        async with _unpooled() as session:
            line = _Line(session, intake, watch)
            numbers = range(1, self._config.sockets + 1)
            slots = [asyncio.create_task(self._keep_connected(slot, line)) for slot in numbers]
            slots.append(asyncio.create_task(watch.run()))
            try:
                await asyncio.gather(*slots)
            finally:
                await self._stop(slots, intake)

    def health(self) -> str | None:
        """None while a socket is open that events can come through, else why there is none."""
        if any(connection.reason not in REFUSALS for connection in self._open):
            return None
        return f"no Slack socket is open: {self._trouble}"

    def condemn(self) -> None:
        """Replace all sockets, for something is known that they should have brought."""
        if self._watch is not None:
            self._watch.condemn()

    def take_deaf_since(self) -> datetime | None:
        """Tell, once, since when a socket may have been deaf that has been replaced for it."""
        return None if self._watch is None else self._watch.take_deaf_since()

    async def _keep_connected(self, slot: int, line: _Line) -> None:
        failures = 0
        current: Connection | None = None
        while True:
            wait_s = 0.0
            try:
                current = await self._succeeded(current, slot, line)
                lived_s = await self._outlive(current)
                failures = 0 if lived_s >= self._config.healthy_after_s else failures
            except ConnectFailedError as exc:
                self._note_failure(exc)
                wait_s = self._refused_wait_s() if exc.refused else exc.retry_after_s
            await asyncio.sleep(wait_s + self._backoff_s(failures))
            failures += 1

    async def _succeeded(self, current: Connection | None, slot: int, line: _Line) -> Connection:
        """Open the successor of `current`, which ends only then if it was we who wanted that.

        Where there is none to be had, one that nothing is wrong with goes on itself. Raises
        ConnectFailedError.
        """
        try:
            async with self._dialling:
                successor = await Connection.open(self._config, line.session, self._observer)
        except ConnectFailedError as exc:
            # Asked only now: it may have ended by itself in the meantime.
            if current is None or current not in self._open:
                raise
            if current.reason in OWN_WISH:
                self._note_failure(exc)
                current.reprieve()
                line.watch.spared(current)
                return current
            if exc.crowded and current.reason in DEAF:
                # A deaf one must not take the place of the one that could hear.
                await current.release()
            raise
        self._begin(successor, slot, line)
        if current in self._open and current.reason in OWN_WISH | DEAF:
            await current.release()
        return successor

    def _begin(self, connection: Connection, slot: int, line: _Line) -> None:
        line.watch.opened(connection, slot)
        self._open.add(connection)
        self._observer.connected(len(self._open))
        reader = asyncio.create_task(self._read(connection, line))
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)

    async def _outlive(self, connection: Connection) -> float:
        """Wait until it needs a successor; return for how many seconds it did not.

        It may go on being read after that. Raises ConnectFailedError.
        """
        began_s = asyncio.get_running_loop().time()
        await connection.retired.wait()
        self._observer.disconnected(connection.reason)
        self._trouble = f"Slack ended the connection: {connection.reason}"
        if connection.reason in REFUSALS:
            raise ConnectFailedError(f"Slack: {connection.reason}", refused=True)
        return asyncio.get_running_loop().time() - began_s

    async def _read(self, connection: Connection, line: _Line) -> None:
        async def take(frame: Envelope | Ignored, ack: Ack) -> None:
            line.watch.heard(connection, frame)
            await line.intake.take(frame, ack)

        try:
            await connection.read(take)
        except Exception:
            _log.exception("reading a Slack socket failed")
        line.watch.closed(connection)
        self._open.discard(connection)
        self._observer.connected(len(self._open))

    def _note_failure(self, exc: ConnectFailedError) -> None:
        self._trouble = str(exc)
        self._observer.disconnected("refused" if exc.refused else "unreachable")
        if exc.refused:
            _log.error("Slack refuses this app, see its settings and its app token: %s", exc)
        else:
            _log.warning("Slack socket not opened: %s", exc)

    def _refused_wait_s(self) -> float:
        return random.uniform(0.5, 1.0) * self._config.refused_retry_s  # noqa: S311 - jitter

    def _backoff_s(self, failures: int) -> float:
        ceiling_s = self._config.backoff_base_s * 2.0 ** min(failures, 32)
        return random.uniform(0.0, min(self._config.backoff_cap_s, ceiling_s))  # noqa: S311 - jitter

    async def _stop(self, slots: list[asyncio.Task[None]], intake: Intake) -> None:
        stopping = [*slots, *self._readers]
        for task in stopping:
            task.cancel()
        await asyncio.gather(*stopping, return_exceptions=True)
        await intake.drain(self._config.drain_s)
        await asyncio.gather(*(connection.close() for connection in self._open))
        self._open.clear()
        self._trouble = "stopped"
        self._observer.connected(0)


@dataclass(frozen=True, slots=True)
class _Line:
    """What every connection of a run shares."""

    session: aiohttp.ClientSession
    intake: Intake
    watch: Watch


def _unpooled() -> aiohttp.ClientSession:
    """A session of its own, that uses no connection twice: after a lost route those in a pool are
    dead too, and each would cost an attempt all of its time.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True), cookie_jar=aiohttp.DummyCookieJar()
    )
