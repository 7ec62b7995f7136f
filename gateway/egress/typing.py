"""Shows people that an agent is at work, for as long as its lease on that lasts."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import structlog

from gateway.core.conversations import ConversationRef
from gateway.core.errors import SendError, StoreError
from gateway.core.ids import TenantId
from gateway.core.ports import Typing
from gateway.egress.access import Access, Door
from gateway.egress.requests import Refusal

log = structlog.get_logger()

LONGEST_S = 60.0
MAX_LEASES = 1_000
MAX_OF_TENANT = 100
"""Or one agent could leave none for the others, with threads that it has made up."""
_RENEWED_AT = 0.8
"""Of the time for which a platform shows it."""


class _Lease:
    def __init__(self, tenant: TenantId, ref: ConversationRef, until_s: float) -> None:
        self.tenant = tenant
        self.ref = ref
        self.until_s = until_s
        self.ended = asyncio.Event()
        self.take_back = False


class TypingLeases:
    """Leases of this process. Best effort: a fault is logged, and nobody waits for it."""

    def __init__(
        self, access: Access, *, most: int = MAX_LEASES, of_tenant: int = MAX_OF_TENANT
    ) -> None:
        self._access = access
        self._most = most
        self._of_tenant = of_tenant
        self._held: Counter[TenantId] = Counter()
        self._leases: dict[tuple[TenantId, str], _Lease] = {}
        self._new: asyncio.Queue[_Lease] = asyncio.Queue()

    async def hold(
        self, tenant: TenantId, conversation: str, *, for_s: float = 10.0
    ) -> Refusal | None:
        """Show it for `for_s` seconds from now, at most 60. A platform that cannot is left in
        peace. Raises StoreError.
        """
        place = await self._access.place(tenant, conversation)
        if place is None:
            return Refusal.UNKNOWN_CONVERSATION
        if not isinstance(place.outlet.sender, Typing):
            return None
        until_s = time.monotonic() + min(for_s, LONGEST_S)
        key = (tenant, conversation)
        if key in self._leases:
            self._leases[key].until_s = until_s
        elif len(self._leases) < self._most and self._held[tenant] < self._of_tenant:
            self._held[tenant] += 1
            self._leases[key] = _Lease(tenant, place.ref, until_s)
            self._new.put_nowait(self._leases[key])
        else:
            log.warning("typing.too_many", tenant_id=tenant, leases=len(self._leases))
        return None

    async def release(self, tenant: TenantId, conversation: str) -> Refusal | None:
        """Show it no longer. Raises StoreError."""
        if await self._access.place(tenant, conversation) is None:
            return Refusal.UNKNOWN_CONVERSATION
        lease = self._leases.get((tenant, conversation))
        if lease is not None:
            lease.take_back = True
            lease.ended.set()
        return None

    def posted(self, tenant: TenantId, ref: ConversationRef) -> None:
        """End the lease of a conversation that has got its message: platforms hide it by
        themselves then.
        """
        if lease := self._leases.get((tenant, ref.id)):
            lease.ended.set()

    async def run(self) -> None:
        """Show and renew until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    group.create_task(self._keep(await self._new.get()))
        finally:
            self._leases.clear()
            self._held.clear()

    async def _keep(self, lease: _Lease) -> None:
        try:
            while not lease.ended.is_set():
                lasts_s = await self._show(lease, on=True)
                left_s = lease.until_s - time.monotonic()
                if lasts_s is None or left_s <= 0:
                    return
                await _wait(lease.ended, min(lasts_s * _RENEWED_AT, left_s))
                if time.monotonic() >= lease.until_s:
                    lease.take_back = True
                    return
        finally:
            self._forget(lease)
            if lease.take_back:
                await self._show(lease, on=False)

    def _forget(self, lease: _Lease) -> None:
        if self._leases.pop((lease.tenant, lease.ref.id), None) is None:
            return
        self._held[lease.tenant] -= 1
        if not self._held[lease.tenant]:
            del self._held[lease.tenant]

    async def _show(self, lease: _Lease, *, on: bool) -> float | None:
        """Say it once; gives for how long the platform shows it, None when it cannot be said."""
        try:
            door = await self._access.door(lease.tenant, lease.ref)
            if not isinstance(door, Door) or not isinstance(door.outlet.sender, Typing):
                return None
            await door.outlet.sender.typing(lease.ref, door.credential, on=on)
        except (SendError, StoreError) as exc:
            log.info("typing.fault", tenant_id=lease.tenant, error=str(exc))
            return None
        except Exception:  # a fault of one platform's must not end what is shown on the others
            log.exception("typing.fault", tenant_id=lease.tenant)
            return None
        return door.outlet.sender.typing_lasts_s


async def _wait(ended: asyncio.Event, for_s: float) -> None:
    try:
        async with asyncio.timeout(for_s):
            await ended.wait()
    except TimeoutError:
        return
