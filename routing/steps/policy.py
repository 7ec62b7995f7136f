"""Step 3: what the tenant allows."""

from __future__ import annotations

from gateway.core.conversations import ConversationKind
from gateway.core.decisions import Dropped, DropReason
from gateway.core.events import EventKind
from routing.context import RoutingContext


async def apply_policy(context: RoutingContext) -> RoutingContext | Dropped:
    """Check users, channels and mentions against the tenant's access policy."""
    access, event = context.binding.tenant.access, context.event
    if access.allowed_users and event.sender.id not in access.allowed_users:
        return context.dropped(DropReason.USER_NOT_ALLOWED, "policy")
    if event.conversation_kind is ConversationKind.DIRECT:
        if not access.direct_messages:
            return context.dropped(DropReason.DIRECT_MESSAGES_OFF, "policy")
        return context.passed("policy: direct message")
    channel = event.conversation.channel
    if access.allowed_channels and channel not in access.allowed_channels:
        return context.dropped(DropReason.CHANNEL_NOT_ALLOWED, "policy")
    if _needs_mention(context) and not event.mentioned:
        return context.dropped(DropReason.NOT_MENTIONED, "policy")
    return context.passed("policy: mentioned" if event.mentioned else "policy: open channel")


def _needs_mention(context: RoutingContext) -> bool:
    access, event = context.binding.tenant.access, context.event
    # A deletion has no text any more that could mention anybody; the agent ignores what it
    # never saw.
    if event.kind is EventKind.MESSAGE_DELETED or not access.require_mention:
        return False
    return event.conversation.channel not in access.channels_without_mention
