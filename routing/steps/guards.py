"""Step 2: what must never reach an agent, whatever its tenant allows."""

from __future__ import annotations

from typing import Final

from gateway.core.decisions import Dropped, DropReason
from gateway.core.events import EventKind
from gateway.core.tenants import TenantStatus
from routing.context import RoutingContext

_NOBODY_SPEAKS: Final = frozenset(
    {
        EventKind.CONVERSATION_OPENED,
        EventKind.CONVERSATION_CLOSED,
        EventKind.MEMBER_JOINED,
        EventKind.MEMBER_LEFT,
        EventKind.INSTALLATION_CHANGED,
    }
)
"""What agents hear of bots too, of their own first: nothing that they say can bring it about."""


async def guard(context: RoutingContext) -> RoutingContext | Dropped:
    """Stop suspended tenants, loops of bots, and kinds that the protocol cannot carry."""
    event = context.event
    if context.binding.tenant.status is not TenantStatus.ACTIVE:
        return context.dropped(DropReason.TENANT_SUSPENDED, "guards")
    if event.kind in _NOBODY_SPEAKS:
        return context.passed("guards: passed")
    if event.sender.is_self:
        return context.dropped(DropReason.OWN_MESSAGE, "guards")
    if event.sender.is_bot:
        # Two bots that answer each other never stop.
        return context.dropped(DropReason.BOT_MESSAGE, "guards")
    if event.kind is EventKind.UNSUPPORTED:
        return context.dropped(DropReason.UNSUPPORTED_KIND, "guards")
    return context.passed("guards: passed")
