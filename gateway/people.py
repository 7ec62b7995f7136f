"""Who a sender is, for platforms whose events name no more than an id.

Asks the platform with the workspace's own credential and remembers the answers in this process. A
nicety: whatever goes wrong, the event goes on as it came, and nobody waits longer than the budget.
Must never hand what one tenant's credential has found to another tenant.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import msgspec
import structlog

from gateway.core.errors import SendError, StoreError
from gateway.core.events import InboundEvent, Sender
from gateway.core.ids import Platform, TenantId, WorkspaceId
from gateway.core.ports import People
from gateway.core.tenants import Binding, Credential
from gateway.sealing import Seal
from gateway.store.tenants import TenantLookup

log = structlog.get_logger()

BUDGET_S: Final = 0.5
KNOWN_FOR_S: Final = 3600.0
"""Also how long somebody who is an administrator no longer may still command as one."""

UNKNOWN_FOR_S: Final = 60.0
REST_S: Final = 10.0
"""After a late answer or none: a thread of many people must not wait the budget for each."""

MOST_KNOWN: Final = 50_000
_LOOKUP_TIMEOUT_S: Final = 5.0
_NAME_CHARS: Final = 200
_LOCALE_CHARS: Final = 35

_Place: TypeAlias = tuple[TenantId, Platform, WorkspaceId]
_Key: TypeAlias = tuple[_Place, str]


@dataclass(frozen=True, slots=True)
class _Answer:
    person: Sender | None
    until_s: float


class Directory:
    """Fills in senders. One look-up per person at a time, whoever asks."""

    def __init__(
        self,
        lookup: TenantLookup,
        seal: Seal,
        people: Mapping[Platform, People],
        *,
        budget_s: float = BUDGET_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`people` are the platforms that can be asked; events of others pass as they are."""
        self._lookup = lookup
        self._seal = seal
        self._people = people
        self._budget_s = budget_s
        self._clock = clock
        self._answers: OrderedDict[_Key, _Answer] = OrderedDict()
        self._running: dict[_Key, asyncio.Task[None]] = {}
        self._rests: dict[_Place, float] = {}

    async def fill(self, binding: Binding, event: InboundEvent) -> InboundEvent:
        """Add name, locale and roles to the sender where they are missing. Never raises."""
        sender = event.sender
        people = self._people.get(binding.platform)
        if people is None or not sender.id or sender.is_bot or (sender.name and sender.roles):
            return event
        key = ((binding.tenant.id, binding.platform, binding.workspace), sender.id)
        answer = self._remembered(key) or await self._asked(people, key, sender)
        if answer is None or answer.person is None:
            return event
        return msgspec.structs.replace(event, sender=_merged(sender, answer.person))

    async def close(self) -> None:
        """End the look-ups that nobody waits for any more."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _remembered(self, key: _Key) -> _Answer | None:
        answer = self._answers.get(key)
        if answer is None or answer.until_s <= self._clock():
            return None
        self._answers.move_to_end(key)
        return answer

    async def _asked(self, people: People, key: _Key, sender: Sender) -> _Answer | None:
        place, _ = key
        if self._rests.get(place, 0.0) > self._clock():
            return None
        task = self._running.get(key)
        if task is None:
            task = asyncio.create_task(self._look_up(people, key, sender))
            self._running[key] = task
            task.add_done_callback(lambda _: self._running.pop(key, None))
        # Not cancelled when it is late: it fills the cache, and its connection stays in use.
        done, _pending = await asyncio.wait({task}, timeout=self._budget_s)
        if not done:
            self._rest(place)
        return self._remembered(key)

    async def _look_up(self, people: People, key: _Key, sender: Sender) -> None:
        place, _ = key
        try:
            async with asyncio.timeout(_LOOKUP_TIMEOUT_S):
                credential = await self._credential(place)
                person = None if credential is None else await people.person(sender, credential)
        except (SendError, StoreError, TimeoutError) as exc:
            person = None
            if not (isinstance(exc, SendError) and exc.permanent):
                self._rest(place)
            log.info("person.unknown", platform=place[1], tenant_id=place[0], error=str(exc))
        except Exception:
            # A fault of an adapter must cost a name, never the message.
            person = None
            self._rest(place)
            log.exception("person.failed", platform=place[1], tenant_id=place[0])
        self._remember(key, person)

    async def _credential(self, place: _Place) -> Credential | None:
        tenant, platform, workspace = place
        bound = await self._lookup.bound_workspace(platform, workspace)
        # Another's by now: its credential is not this tenant's to use.
        if bound is None or bound.binding.tenant.id != tenant or bound.sealed_credential is None:
            return None
        return self._seal.credential(bound.sealed_credential, bound.binding)

    def _remember(self, key: _Key, person: Sender | None) -> None:
        lasting_s = UNKNOWN_FOR_S if person is None else KNOWN_FOR_S
        self._answers[key] = _Answer(person, self._clock() + lasting_s)
        self._answers.move_to_end(key)
        while len(self._answers) > MOST_KNOWN:
            self._answers.popitem(last=False)

    def _rest(self, place: _Place) -> None:
        now_s = self._clock()
        self._rests = {each: until_s for each, until_s in self._rests.items() if until_s > now_s}
        self._rests[place] = now_s + REST_S


def _merged(sender: Sender, person: Sender) -> Sender:
    # What the event says itself is newer than what is remembered.
    name, locale = sender.name or person.name, sender.locale or person.locale
    return msgspec.structs.replace(
        sender,
        name=name[:_NAME_CHARS] if name else None,
        locale=locale[:_LOCALE_CHARS] if locale else None,
        roles=sender.roles or person.roles,
    )
