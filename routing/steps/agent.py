"""Step 4: which of the tenant's agents answers."""

from __future__ import annotations

import msgspec

from routing.context import RoutingContext


async def choose_agent(context: RoutingContext) -> RoutingContext:
    """Take the channel's agent, else the tenant's default."""
    agents = context.binding.tenant.agents
    by_channel = agents.by_channel.get(context.event.conversation.channel)
    chosen = msgspec.structs.replace(context, agent=by_channel or agents.default)
    return chosen.passed(f"agent: {'by channel' if by_channel else 'default'}")
