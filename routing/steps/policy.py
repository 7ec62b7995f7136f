"""Step 3: what the tenant allows."""

from __future__ import annotations

from typing import Final

from gateway.core.conversations import ConversationKind
from gateway.core.decisions import Dropped, DropReason
from gateway.core.events import EventKind, Reaction
from gateway.core.tenants import Reactions
from routing.context import RoutingContext

# Of all kinds these alone may be meant for somebody else. A deletion has no text any more that
# could mention anybody, and the agent ignores what it never saw; a command or a button is aimed.
_MAY_BE_FOR_OTHERS: Final = frozenset({EventKind.MESSAGE_CREATED, EventKind.MESSAGE_UPDATED})


async def apply_policy(context: RoutingContext) -> RoutingContext | Dropped:
    """Check users, channels, mentions and reactions against the tenant's access policy."""
    if context.event.kind is EventKind.INSTALLATION_CHANGED:
        # It happens to the workspace: in no channel, and by nobody in particular.
        return context.passed("policy: installation")
    reason = _bar(context) or _unwanted_reaction(context)
    if reason is not None:
        return context.dropped(reason, "policy")
    return context.passed(f"policy: {_opening(context)}")


def _bar(context: RoutingContext) -> DropReason | None:
    access, event = context.binding.tenant.access, context.event
    # What is left of our own bot here is that it came or went, and no list names it.
    if (
        access.allowed_users
        and event.sender.id not in access.allowed_users
        and not event.sender.is_self
    ):
        return DropReason.USER_NOT_ALLOWED
    if event.conversation_kind is ConversationKind.DIRECT:
        return None if access.direct_messages else DropReason.DIRECT_MESSAGES_OFF
    if access.allowed_channels and event.conversation.channel not in access.allowed_channels:
        return DropReason.CHANNEL_NOT_ALLOWED
    if _needs_mention(context) and not event.mentioned:
        return DropReason.NOT_MENTIONED
    return None


def _needs_mention(context: RoutingContext) -> bool:
    access, event = context.binding.tenant.access, context.event
    if event.kind not in _MAY_BE_FOR_OTHERS or not access.require_mention:
        return False
    return event.conversation.channel not in access.channels_without_mention


def _unwanted_reaction(context: RoutingContext) -> DropReason | None:
    if not isinstance(context.event.detail, Reaction):
        return None
    wanted = context.binding.tenant.access.reactions
    if wanted is Reactions.OFF:
        return DropReason.REACTIONS_OFF
    if wanted is Reactions.OWN and not context.event.detail.on_own:
        return DropReason.NOT_OUR_MESSAGE
    return None


def _opening(context: RoutingContext) -> str:
    if context.event.conversation_kind is ConversationKind.DIRECT:
        return "direct message"
    if context.event.mentioned:
        return "mentioned"
    return "open channel" if context.event.kind in _MAY_BE_FOR_OTHERS else "no mention needed"
