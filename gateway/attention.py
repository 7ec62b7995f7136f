"""What this process has heard lately, and how far. In memory: hearing must cost no round trip.

Holds ids and times, never text.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

from gateway.core.events import EventKind, InboundEvent
from gateway.core.ids import Platform, WorkspaceId
from gateway.core.ports import Accept, Spot

Origin: TypeAlias = tuple[Platform, WorkspaceId, WorkspaceId | None]
"""Platform, workspace and, of an organisation-wide install, the organisation."""

MOST_PENDING: Final = 10_000
_REMEMBERED: Final = 10_000


class Attention:
    """Notes what passes through `watching`, once it is accepted."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard_at_s = clock()
        self._pending: dict[Spot, int] = {}
        self._known: tuple[set[tuple[str, ...]], set[tuple[str, ...]]] = (set(), set())

    @property
    def silent_s(self) -> float:
        """For how long nothing has been heard."""
        return self._clock() - self._heard_at_s

    def watching(self, accept: Accept) -> Accept:
        """Wrap what takes events in."""

        async def accepted(event: InboundEvent) -> None:
            await accept(event)
            self._note(event)

        return accepted

    def has_heard(self, event: InboundEvent) -> bool:
        """Tell whether it was accepted here, of the last ten thousand messages at least."""
        recent, older = self._known
        name = _name(event)
        return name in recent or name in older

    def take(self) -> dict[Origin, dict[Spot, int]]:
        """Give what has not been taken yet: how far each spot was heard, in Unix microseconds."""
        pending, self._pending = self._pending, {}
        taken: dict[Origin, dict[Spot, int]] = {}
        for spot, at_us in pending.items():
            origin = (spot.ref.platform, spot.ref.workspace, spot.enterprise)
            taken.setdefault(origin, {})[spot] = at_us
        return taken

    def put_back(self, taken: dict[Origin, dict[Spot, int]]) -> None:
        """Take it back, since it could not be kept."""
        for heard in taken.values():
            for spot, at_us in heard.items():
                self._reach(spot, at_us)

    def _note(self, event: InboundEvent) -> None:
        self._heard_at_s = self._clock()
        if event.kind is not EventKind.MESSAGE_CREATED or event.sent_at is None:
            return
        recent, _ = self._known
        recent.add(_name(event))
        if len(recent) >= _REMEMBERED:
            self._known = (set(), recent)
        at_us = round(event.sent_at.timestamp() * 1_000_000)
        ref = event.conversation
        is_root = ref.thread in {None, event.message_id}
        if is_root:
            channel = msgspec.structs.replace(ref, thread=None)
            self._reach(Spot(channel, event.conversation_kind, event.enterprise), at_us)
        # Of the threads that a message may begin, only one that an agent will be in.
        if ref.thread is not None and (event.mentioned or not is_root):
            self._reach(Spot(ref, event.conversation_kind, event.enterprise), at_us)

    def _reach(self, spot: Spot, at_us: int) -> None:
        if spot in self._pending or len(self._pending) < MOST_PENDING:
            self._pending[spot] = max(at_us, self._pending.get(spot, 0))


def _name(event: InboundEvent) -> tuple[str, ...]:
    ref = event.conversation
    return (ref.platform, ref.workspace, ref.channel, event.message_id)
