"""Renews tokens that expire, well before they do.

A refresh token works once, so whoever renews holds a claim on the installation over all processes,
and what came back is stored before anything else is done. Must never be cancelled in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

import structlog

from gateway.archive.connection import Pool
from gateway.archive.installations import InstallationRecord, note_failure
from gateway.archive.locks import claimed
from gateway.core.clock import utc_now
from gateway.core.errors import SendError, StoreError
from gateway.core.ids import Platform
from gateway.core.installs import Renewed, TokenAuthority
from gateway.installations.service import Installations
from gateway.telemetry.metrics import Metrics

log = structlog.get_logger()

EVERY_S: Final = 60.0
MARGIN: Final = timedelta(hours=2)
"""Before the end of a token, of the twelve hours that Slack gives it."""

AT_ONCE: Final = 4
BATCH: Final = 100
FIRST_WAIT: Final = timedelta(minutes=1)
LONGEST_WAIT: Final = timedelta(minutes=30)
_STORE_TRIES: Final = 8
_STORE_WAIT_S: Final = 0.5


class Rotation:
    """The job. Every replica runs it; claims share the work out."""

    def __init__(
        self,
        pool: Pool,
        installations: Installations,
        authorities: Mapping[Platform, TokenAuthority],
        metrics: Metrics,
        *,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._pool = pool
        self._installations = installations
        self._authorities = authorities
        self._metrics = metrics
        self._now = now

    async def run(self) -> None:
        """Renew what is due, now and then, until cancelled. Raises StoreError."""
        while True:
            await self.turn()
            await asyncio.sleep(EVERY_S)

    async def turn(self) -> None:
        """Renew everything that is due now. Raises StoreError."""
        for platform, authority in self._authorities.items():
            now = self._now()
            due = await self._installations.reads.due(
                platform, now=now, expiring_before=now + MARGIN, limit=BATCH
            )
            faults: list[BaseException] = []
            for start in range(0, len(due), AT_ONCE):
                some = (self.renew(each, authority) for each in due[start : start + AT_ONCE])
                ends = await asyncio.gather(*some, return_exceptions=True)
                faults += [end for end in ends if end is not None]
            counts = await self._installations.reads.counts(platform)
            for state, number in counts.items():
                self._metrics.installations.labels(platform, state).set(number)
            if faults:
                # Only now: what is wrong with one must not keep the others from being renewed.
                raise faults[0]

    async def renew(self, due: InstallationRecord, authority: TokenAuthority) -> None:
        """Renew one that was found to be due, unless somebody else has done it since or is at it.

        To its end, even when cancelled: between the platform's answer and its storing that would
        lose the only tokens that work. Raises StoreError.
        """
        task = asyncio.create_task(self._claimed(due, authority))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.gather(task, return_exceptions=True)
            raise

    async def _claimed(self, due: InstallationRecord, authority: TokenAuthority) -> None:
        async with claimed(self._pool, f"renew {due.platform} {due.workspace}") as mine:
            if not mine:
                return
            stored = await self._installations.reads.find(due.platform, due.workspace)
            # Asked again under the claim: another replica may have just been through here.
            if stored is not None and self._is_due(stored):
                await self._exchange(stored, authority)

    def _is_due(self, stored: InstallationRecord) -> bool:
        expires_at = stored.grant.expires_at
        return expires_at is not None and expires_at < self._now() + MARGIN

    async def _exchange(self, stored: InstallationRecord, authority: TokenAuthority) -> None:
        refresh_token = self._installations.refresh_token(stored)
        if refresh_token is None:
            return
        try:
            renewed = await authority.renew(refresh_token)
        except SendError as exc:
            await self._failed(stored, exc)
            return
        if await self._stored(stored, refresh_token, renewed):
            self._metrics.token_renewals.labels(stored.platform, "renewed").inc()
            log.info("token.renewed", workspace=stored.workspace, tenant_id=stored.tenant)
            await self._installations.tell_renewal(stored)

    async def _stored(
        self, stored: InstallationRecord, refresh_token: str, renewed: Renewed
    ) -> bool:
        """Store what cannot be had a second time, however often it takes. Raises StoreError."""
        for tries in range(_STORE_TRIES):
            try:
                return await self._installations.renew(stored, refresh_token, renewed)
            except StoreError as exc:
                log.warning("token.not_stored", workspace=stored.workspace, error=str(exc))
                await asyncio.sleep(_STORE_WAIT_S * 2**tries)
        return await self._installations.renew(stored, refresh_token, renewed)

    async def _failed(self, stored: InstallationRecord, error: SendError) -> None:
        wait = min(FIRST_WAIT * 2**stored.rotation_failures, LONGEST_WAIT)
        wait = max(wait, timedelta(seconds=min(error.retry_after_s or 0.0, 3600.0)))
        self._metrics.token_renewals.labels(stored.platform, "failed").inc()
        log.error(
            "token.not_renewed",
            workspace=stored.workspace,
            tenant_id=stored.tenant,
            why=error.detail,
            next_try_s=wait.total_seconds(),
        )
        await note_failure(self._pool, stored, error.detail, self._now() + wait)
        await self._installations.tell_renewal(stored, error.detail)
