"""Install links: an operator's word that one workspace may join one tenant. Implements
core.installs.Invitations.

Keeps digests only, so it can never show a link or a state again.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from gateway.archive.install_links import InstallLinks
from gateway.core.clock import utc_now
from gateway.core.errors import RegistryError
from gateway.core.ids import TenantId
from gateway.core.installs import NewInstallation, Offer
from gateway.installations.service import Installations

STATE_LASTS: Final = timedelta(minutes=10)
LINK_LASTS: Final = timedelta(days=1)
LONGEST_LINK: Final = timedelta(days=30)

_BYTES: Final = 32
_MAX_CHARS: Final = 64


class LinkInvitations:
    """Links and their use."""

    def __init__(
        self,
        links: InstallLinks,
        installations: Installations,
        *,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._links = links
        self._installations = installations
        self._now = now

    async def invite(self, tenant: TenantId, lasting: timedelta = LINK_LASTS) -> str:
        """Make the secret part of a link, of URL-safe characters; it cannot be read again.

        Raises NotFoundError, and RegistryError for an odd lifetime.
        """
        if not timedelta(0) < lasting <= LONGEST_LINK:
            raise RegistryError(f"valid: must be more than 0 and at most {LONGEST_LINK.days} days")
        now, link = self._now(), secrets.token_urlsafe(_BYTES)
        await self._links.sweep(now)
        await self._links.add(tenant, _digest(link), now=now, expires_at=now + lasting)
        return link

    async def offer(self, link: str) -> Offer | None:
        """Tell what a link offers."""
        if len(link) > _MAX_CHARS:
            return None
        return await self._links.offer(_digest(link), self._now())

    async def begin(self, link: str) -> str | None:
        """Begin an attempt; return its state."""
        if len(link) > _MAX_CHARS:
            return None
        now, state = self._now(), secrets.token_urlsafe(_BYTES)
        begun = await self._links.begin(
            _digest(link), _digest(state), now=now, expires_at=now + STATE_LASTS
        )
        return state if begun else None

    async def resume(self, state: str) -> Offer | None:
        """Use up a state."""
        if len(state) > _MAX_CHARS:
            return None
        return await self._links.resume(_digest(state), self._now())

    async def accept(self, offer: Offer, new: NewInstallation) -> None:
        """Use up the link and give the workspace to its tenant."""
        await self._installations.add(offer.tenant, new, link=offer.link)


def _digest(secret: str) -> bytes:
    # Without a key: 256 random bits cannot be guessed from their digest.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
