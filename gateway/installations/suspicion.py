"""Ends installations whose token is worth nothing any more: because the platform said so by an
event, or because it refused the token.

Neither is believed blindly. An event may come late, after the app has been installed anew, and a
refusal may be of a token that has been renewed since; so the platform is asked about the very token
that is stored, and only that one is ended. Must never touch another workspace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import structlog

from gateway.archive.installations import InstallationRecord
from gateway.core.deliveries import Reason
from gateway.core.errors import SendError, StoreError
from gateway.core.events import EventKind, InboundEvent, Installation, InstallationChange
from gateway.core.ids import Platform, WorkspaceId
from gateway.core.installs import Standing, TokenAuthority
from gateway.core.ports import Accept
from gateway.core.tenants import Credential
from gateway.installations.service import Installations

log = structlog.get_logger()

VERDICTS: Final = frozenset(
    {"account_inactive", "invalid_auth", "team_access_not_granted", "token_revoked"}
)
"""Refusals that may mean that the token counts no more, or not there. Others with the same reason
speak of a place or of the app.
"""

REST_S: Final = 10.0
"""After a refusal was looked into: what waits in the queues must not ask as often as it fails."""

CLOSE_WITHIN_S: Final = 5.0

Ended: TypeAlias = Callable[[Platform, str], None]
"""Told that an installation has ended, and why."""

_Place: TypeAlias = tuple[Platform, WorkspaceId]


class Suspicions:
    """Looks into what was heard."""

    def __init__(
        self,
        installations: Installations,
        authorities: Mapping[Platform, TokenAuthority],
        ended: Ended,
    ) -> None:
        self._installations = installations
        self._authorities = authorities
        self._ended = ended
        self._running: dict[_Place, asyncio.Task[None]] = {}
        self._rest_until_s: dict[_Place, float] = {}

    def watching(self, accept: Accept) -> Accept:
        """Wrap what takes events in: act on those that end an installation, before they are
        acknowledged, so that the platform sends them again when that could not be done.
        """

        async def accepted(event: InboundEvent) -> None:
            await accept(event)
            if event.kind is EventKind.INSTALLATION_CHANGED:
                await self.heard(event)

        return accepted

    async def heard(self, event: InboundEvent) -> None:
        """Act on an event that says that the app is gone. Repeat it when it raises: StoreError.

        An event is believed unless the platform says that the stored token is good. Where the
        platform cannot be asked, the workspace's own installation is ended all the same; that of
        its organisation is not, for it may well live on in other workspaces.
        """
        detail = event.detail
        if not isinstance(detail, Installation) or detail.change is InstallationChange.INSTALLED:
            return
        stored = await self._stored(event)
        if stored is None:
            return
        credential = self._installations.credential(stored)
        standing = await self._standing(stored.platform, stored.workspace, credential)
        believed = {Standing.VOID}
        if credential is None or stored.workspace == event.conversation.workspace:
            believed.add(Standing.UNKNOWN)
        if standing not in believed:
            log.warning("installation.kept", **_named(stored), heard=detail.change.value)
            return
        await self._end(stored, detail.change.value, credential)

    def refused(
        self, platform: Platform, workspace: WorkspaceId, credential: Credential, error: SendError
    ) -> None:
        """Look into a refused call, beside the road: whoever was refused need not wait for it."""
        if error.reason is not Reason.NOT_INSTALLED or error.detail not in VERDICTS:
            return
        place = (platform, workspace)
        now_s = asyncio.get_running_loop().time()
        if place in self._running or self._rest_until_s.get(place, 0.0) > now_s:
            return
        self._rest_until_s = {
            each: until_s for each, until_s in self._rest_until_s.items() if until_s > now_s
        } | {place: now_s + REST_S}
        task = asyncio.create_task(self._look_into(place, credential, error.detail))
        self._running[place] = task
        task.add_done_callback(lambda _: self._running.pop(place, None))

    async def close(self) -> None:
        """Let what is being looked into come to its end, for a short while."""
        running = set(self._running.values())
        if running:
            _, late = await asyncio.wait(running, timeout=CLOSE_WITHIN_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _look_into(self, place: _Place, refused: Credential, code: str) -> None:
        platform, workspace = place
        try:
            # Of the refused token itself: one that was renewed since has another row's worth.
            if await self._standing(platform, workspace, refused) is not Standing.VOID:
                return
            stored = await self._installations.reads.find(platform, workspace)
            if stored is not None:
                await self._end(stored, code, refused)
        except StoreError as exc:
            log.warning("installation.not_looked_into", workspace=workspace, error=str(exc))
        except Exception:
            log.exception("installation.look_failed", workspace=workspace)

    async def _stored(self, event: InboundEvent) -> InstallationRecord | None:
        """Find the installation as routing does: of the workspace, else of its organisation."""
        ref = event.conversation
        for workspace in (ref.workspace, event.enterprise):
            if workspace is not None:
                stored = await self._installations.reads.find(ref.platform, workspace)
                if stored is not None:
                    return stored
        return None

    async def _standing(
        self, platform: Platform, workspace: WorkspaceId, credential: Credential | None
    ) -> Standing:
        authority = self._authorities.get(platform)
        if authority is None or credential is None:
            return Standing.UNKNOWN
        return await authority.standing(credential, workspace)

    async def _end(
        self, stored: InstallationRecord, why: str, credential: Credential | None
    ) -> None:
        token = "" if credential is None else credential.bot_token
        if await self._installations.end(stored.platform, stored.workspace, why, token=token):
            self._ended(stored.platform, why)
            log.warning("installation.ended", **_named(stored), why=why)


def _named(stored: InstallationRecord) -> dict[str, str]:
    return {
        "platform": stored.platform,
        "workspace": stored.workspace,
        "tenant_id": stored.tenant,
    }
