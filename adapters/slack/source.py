"""Listens to Slack over Socket Mode for as long as it runs, whatever Slack does to its sockets.

The SDK's client is not used: after one failed handshake it tries the same dead URL for ever, and it
reconnects without a pause when Slack hangs up at once. https://docs.slack.dev/apis/events-api/using-socket-mode/
"""

from __future__ import annotations

import asyncio
import logging
import random

import aiohttp

from adapters.slack.authorizations import Authorizations
from adapters.slack.config import SlackConfig
from adapters.slack.connection import REFUSALS, ConnectFailedError, Connection
from adapters.slack.dialogs import Dialogs
from adapters.slack.intake import Intake
from adapters.slack.observer import SocketObserver, Unobserved
from adapters.slack.reception import Reception
from gateway.core.ports import Accept, Ignore

_log = logging.getLogger(__name__)


class SlackSource:
    """A Source: `sockets` slots, each of which always has a connection or is about to get one."""

    def __init__(
        self,
        config: SlackConfig,
        session: aiohttp.ClientSession,
        *,
        ignore: Ignore,
        observe: SocketObserver | None = None,
        dialogs: Dialogs | None = None,
        authorizations: Authorizations | None = None,
    ) -> None:
        self._config = config
        self._session = session
        self._ignore = ignore
        self._dialogs = dialogs
        self._authorizations = authorizations
        self._observer = observe or Unobserved()
        # One at a time: slots that reconnect together would be deaf together.
        self._dialling = asyncio.Lock()
        self._open: set[Connection] = set()
        self._readers: set[asyncio.Task[None]] = set()
        self._trouble = "not started"

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
        slots = [
            asyncio.create_task(self._keep_connected(intake)) for _ in range(self._config.sockets)
        ]
        try:
            await asyncio.gather(*slots)
        finally:
            await self._stop(slots, intake)

    def health(self) -> str | None:
        """None while a socket is open that events can come through, else why there is none."""
        if any(connection.reason not in REFUSALS for connection in self._open):
            return None
        return f"no Slack socket is open: {self._trouble}"

    async def _keep_connected(self, intake: Intake) -> None:
        failures = 0
        while True:
            wait_s = 0.0
            try:
                lived_s = await self._live_once(intake)
                failures = 0 if lived_s >= self._config.healthy_after_s else failures
            except ConnectFailedError as exc:
                self._note_failure(exc)
                wait_s = self._config.refused_retry_s if exc.refused else exc.retry_after_s
            await asyncio.sleep(wait_s + self._backoff_s(failures))
            failures += 1

    async def _live_once(self, intake: Intake) -> float:
        """Open a connection and return its age in seconds once it needs a successor.

        It may go on being read after that. Raises ConnectFailedError.
        """
        async with self._dialling:
            connection = await Connection.open(self._config, self._session, self._observer)
        began_s = asyncio.get_running_loop().time()
        self._open.add(connection)
        self._observer.connected(len(self._open))
        reader = asyncio.create_task(self._read(connection, intake))
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)
        await connection.retired.wait()
        self._observer.disconnected(connection.reason)
        self._trouble = f"Slack ended the connection: {connection.reason}"
        if connection.reason in REFUSALS:
            raise ConnectFailedError(f"Slack: {connection.reason}", refused=True)
        return asyncio.get_running_loop().time() - began_s

    async def _read(self, connection: Connection, intake: Intake) -> None:
        try:
            await connection.read(intake.take)
        except Exception:
            _log.exception("reading a Slack socket failed")
        self._open.discard(connection)
        self._observer.connected(len(self._open))

    def _note_failure(self, exc: ConnectFailedError) -> None:
        self._trouble = str(exc)
        self._observer.disconnected("refused" if exc.refused else "unreachable")
        if exc.refused:
            _log.error("Slack refuses this app, see its settings and its app token: %s", exc)
        else:
            _log.warning("Slack socket not opened: %s", exc)

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
