"""What is remembered of which event: the talk that a conversation's next delivery brings along.

Pure. Remembered is what an agent was given, what it was not given because nobody mentioned it, and
what its own bot said. Never what the tenant's rules keep from it: a person or a channel that is
not allowed must not come in by the back door.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.decisions import Dropped, DropReason, Routed
from gateway.core.events import EventKind, InboundEvent
from gateway.core.ids import ConversationId
from gateway.core.tenants import HistoryPolicy, HistoryScope
from gateway.store.history import Carry, Memory, Write
from plugin_bridge.wire import encode_remembered, remembered_name
from routing.pipeline import as_bound

_WRITES: Final = {
    EventKind.MESSAGE_CREATED: Write.ADD,
    EventKind.MESSAGE_UPDATED: Write.REPLACE,
    EventKind.MESSAGE_DELETED: Write.REMOVE,
}
_BRINGS_HISTORY: Final = frozenset({EventKind.MESSAGE_CREATED, EventKind.MESSAGE_UPDATED})
_OVERHEARD: Final = frozenset({DropReason.NOT_MENTIONED, DropReason.OWN_MESSAGE})


def memory_of_routed(routed: Routed) -> Memory | None:
    """Tell what the commit of `routed` does to the history; None is nothing at all."""
    policy, event = routed.binding.tenant.history, routed.event
    write = _WRITES.get(event.kind)
    if write is None or policy.messages == 0:
        return None
    if event.kind not in _BRINGS_HISTORY:
        return _memory(event, policy, write=write)
    if policy.scope is HistoryScope.ALL:
        return _memory(event, policy, write=write, carry=Carry.COPY)
    if event.kind is EventKind.MESSAGE_UPDATED:
        # It was overheard before it mentioned the agent, and may stand in both lists.
        return _memory(event, policy, write=Write.REMOVE, carry=Carry.TAKE)
    # The agent is given this very message, and what it missed before: nothing is left to remember.
    return Memory(
        lists=(_drawn_from(event),),
        name=remembered_name(event.message_id),
        keep=policy.messages,
        carry=Carry.TAKE,
    )


def memory_of_dropped(event: InboundEvent, dropped: Dropped) -> Memory | None:
    """Tell what becomes of the history although `event` goes nowhere."""
    if dropped.binding is None:
        return None
    policy, write = dropped.binding.tenant.history, _WRITES.get(event.kind)
    if write is None or policy.messages == 0:
        return None
    # What its author took back is forgotten, whatever else keeps the agent from hearing of it.
    if dropped.reason in _OVERHEARD or write is Write.REMOVE:
        return _memory(as_bound(event, dropped.binding), policy, write=write)
    return None


def _memory(
    event: InboundEvent, policy: HistoryPolicy, *, write: Write, carry: Carry = Carry.NOTHING
) -> Memory:
    return Memory(
        lists=_lists(event),
        name=remembered_name(event.message_id),
        keep=policy.messages,
        carry=carry,
        write=write,
        entry=b"" if write is Write.REMOVE else encode_remembered(event),
    )


def _lists(event: InboundEvent) -> tuple[ConversationId, ...]:
    first = _drawn_from(event)
    if _is_reply(event):
        return (first,)
    # Also in the thread that it may begin, where the replies to it will look.
    return (first, msgspec.structs.replace(event.conversation, thread=event.message_id).id)


def _drawn_from(event: InboundEvent) -> ConversationId:
    ref = event.conversation
    if _is_reply(event) or ref.thread is None:
        return ref.id
    # The root of a thread is talk of its channel.
    return msgspec.structs.replace(ref, thread=None).id


def _is_reply(event: InboundEvent) -> bool:
    return event.conversation.thread not in {None, event.message_id}
